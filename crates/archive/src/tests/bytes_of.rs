//! Data sets byte by byte (PS3.5 7.1.2).

use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};

/// One element in Explicit VR Little Endian, padded to even length.
pub(super) fn element(tag: u32, vr: [u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = tag_of(tag);
    let length = value.len().next_multiple_of(2);
    bytes.extend_from_slice(&vr);
    if matches!(&vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
    } else {
        bytes.extend_from_slice(&(length as u16).to_le_bytes());
    }
    bytes.extend_from_slice(value);
    if value.len() % 2 == 1 {
        bytes.push(if matches!(&vr, b"UI" | b"OB") { 0 } else { b' ' });
    }
    bytes
}

fn tag_of(tag: u32) -> Vec<u8> {
    let mut bytes = ((tag >> 16) as u16).to_le_bytes().to_vec();
    bytes.extend_from_slice(&(tag as u16).to_le_bytes());
    bytes
}

/// An image whose parts the tests change.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) study: &'static str,
    pub(super) series: &'static str,
    pub(super) sop: &'static str,
    pub(super) frames: &'static str,
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) bits_allocated: u16,
    /// The Pixel Data element.
    pub(super) pixel_data: Vec<u8>,
}

pub(super) const SOP_CLASS: &str = "1.2.840.10008.5.1.4.1.1.7.2";

impl Default for Image {
    fn default() -> Self {
        let pixels: Vec<u8> = (0..64_u8).collect();
        Self {
            study: "1.2.3",
            series: "1.2.3.4",
            sop: "1.2.3.4.5",
            frames: "1",
            rows: 8,
            columns: 8,
            bits_allocated: 8,
            pixel_data: element(0x7FE0_0010, *b"OB", &pixels),
        }
    }
}

impl Image {
    pub(super) fn data_set(&self) -> Vec<u8> {
        self.elements().concat()
    }

    pub(super) fn elements(&self) -> Vec<Vec<u8>> {
        let number = |tag, value: u16| element(tag, *b"US", &value.to_le_bytes());
        vec![
            element(0x0008_0016, *b"UI", SOP_CLASS.as_bytes()),
            element(0x0008_0018, *b"UI", self.sop.as_bytes()),
            element(0x0008_0060, *b"CS", b"OT"),
            element(0x0010_0010, *b"PN", b"Test^Archive"),
            element(0x0010_0020, *b"LO", b"P1"),
            element(0x0020_000D, *b"UI", self.study.as_bytes()),
            element(0x0020_000E, *b"UI", self.series.as_bytes()),
            number(0x0028_0002, 1),
            element(0x0028_0004, *b"CS", b"MONOCHROME2"),
            element(0x0028_0008, *b"IS", self.frames.as_bytes()),
            number(0x0028_0010, self.rows),
            number(0x0028_0011, self.columns),
            number(0x0028_0100, self.bits_allocated),
            number(0x0028_0101, self.bits_allocated),
            number(0x0028_0102, self.bits_allocated.saturating_sub(1)),
            number(0x0028_0103, 0),
            self.pixel_data.clone(),
        ]
    }
}

/// Encapsulated Pixel Data with an empty offset table unless `offsets` says more (PS3.5 A.4).
pub(super) fn encapsulated(offsets: &[u32], fragments: &[&[u8]]) -> Vec<u8> {
    let item = |value: &[u8]| {
        let mut bytes = tag_of(0xFFFE_E000);
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(value);
        bytes
    };
    let mut bytes = tag_of(0x7FE0_0010);
    bytes.extend_from_slice(b"OB\0\0\xFF\xFF\xFF\xFF");
    bytes.extend(item(&offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect::<Vec<_>>()));
    for fragment in fragments {
        bytes.extend(item(fragment));
    }
    bytes.extend(tag_of(0xFFFE_E0DD));
    bytes.extend([0; 4]);
    bytes
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    let mut deflated = encoder.finish().expect("memory");
    if deflated.len() % 2 == 1 {
        deflated.push(0);
    }
    deflated
}

/// Bytes that differ at every place a mistake of offset would show.
pub(super) fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
