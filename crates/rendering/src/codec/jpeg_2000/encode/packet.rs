//! ITU-T T.800 Annex B.9 and B.10: packets, with tag trees in their headers.

use super::block::CodedBlock;
use crate::codec::bit_writer::BitWriter;

/// The code-blocks of one sub-band at one resolution, row by row.
#[derive(Debug)]
pub(super) struct BandBlocks {
    /// Code-blocks in a row.
    pub(super) columns: usize,
    /// Bit-planes that the quantization marker promises (equation E-2).
    pub(super) planes: u8,
    pub(super) blocks: Vec<CodedBlock>,
}

/// Writes a packet: what one resolution of one component adds in the one layer.
pub(super) fn write(out: &mut Vec<u8>, bands: &[BandBlocks]) {
    let mut header = BitWriter::default();
    header.write(1, 1);
    for band in bands.iter().filter(|band| !band.blocks.is_empty()) {
        let rows = band.blocks.len() / band.columns;
        // B.10.4: a block is in layer 0, or never.
        let layers = band.blocks.iter().map(|block| u32::from(block.passes == 0));
        let mut inclusion = TagTree::new(band.columns, rows, layers.collect());
        // B.10.5. Of blocks that are in no layer the decoder never asks.
        let missing = band.blocks.iter().map(|block| u32::from(band.planes.saturating_sub(block.planes)));
        let mut zero_planes = TagTree::new(band.columns, rows, missing.collect());
        for (index, block) in band.blocks.iter().enumerate() {
            inclusion.write(&mut header, index, 1);
            if block.passes > 0 {
                zero_planes.write(&mut header, index, u32::MAX);
                write_passes(&mut header, u32::from(block.passes));
                write_length(&mut header, u32::from(block.passes), block.bytes.len() as u32);
            }
        }
    }
    out.extend(header.finish());
    for block in bands.iter().flat_map(|band| &band.blocks) {
        out.extend_from_slice(&block.bytes);
    }
}

/// Table B.4.
fn write_passes(header: &mut BitWriter, passes: u32) {
    match passes {
        1 => header.write(0, 1),
        2 => header.write(0b10, 2),
        3..=5 => header.write(0b1100 | (passes - 3), 4),
        6..=36 => header.write(0b1111 << 5 | (passes - 6), 9),
        _ => header.write(0x1ff << 7 | (passes - 37), 16),
    }
}

/// B.10.7.1: the bytes of the segment, in as many bits as a count of ones asks for.
fn write_length(header: &mut BitWriter, passes: u32, length: u32) {
    let given = 3 + passes.ilog2();
    let needed = u32::BITS - length.leading_zeros();
    for _ in given..needed {
        header.write(1, 1);
    }
    header.write(0, 1);
    header.write(length, given.max(needed));
}

/// B.10.2: numbers of a plane, each coded by what it has more than the least of its quarter.
#[derive(Debug)]
struct TagTree {
    /// From the leaves to the root.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    columns: usize,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    value: u32,
    /// What the decoder knows: the value is at least this.
    at_least: u32,
    known: bool,
}

impl TagTree {
    fn new(columns: usize, rows: usize, leaves: Vec<u32>) -> Self {
        let node = |value| Node { value, at_least: 0, known: false };
        let mut levels = vec![Level { columns, nodes: leaves.into_iter().map(node).collect() }];
        let (mut width, mut height) = (columns, rows);
        while width * height > 1 {
            let below = &levels[levels.len() - 1];
            let (up, down) = (width.div_ceil(2), height.div_ceil(2));
            let mut nodes = vec![node(u32::MAX); up * down];
            for (index, leaf) in below.nodes.iter().enumerate() {
                let parent = &mut nodes[index / width / 2 * up + index % width / 2];
                parent.value = parent.value.min(leaf.value);
            }
            levels.push(Level { columns: up, nodes });
            (width, height) = (up, down);
        }
        Self { levels }
    }

    /// Tells whether the value of a leaf is below `threshold`, and what it is when it is.
    fn write(&mut self, header: &mut BitWriter, leaf: usize, threshold: u32) {
        let columns = self.levels[0].columns;
        let (row, column) = (leaf / columns, leaf % columns);
        let mut at_least = 0;
        for (depth, level) in self.levels.iter_mut().enumerate().rev() {
            let node = &mut level.nodes[(row >> depth) * level.columns + (column >> depth)];
            node.at_least = node.at_least.max(at_least);
            while !node.known && node.at_least < threshold {
                node.known = node.at_least >= node.value;
                header.write(u32::from(node.known), 1);
                node.at_least += u32::from(!node.known);
            }
            at_least = node.at_least;
        }
    }
}
