//! ITU-T T.87, JPEG-LS: lossless and near-lossless, all interleavings, 2 to 16 bits. Written here because the
//! usual library needs a C++ tool chain. Restart intervals, mapping tables and point transforms are refused.

mod bits;
mod coding;
mod encode;
mod header;
mod scan;

use self::{
    bits::BitReader,
    header::{Frame, Interleave, Marker, Scan},
    scan::ScanDecoder,
};
use crate::{error::RenderError, shape::FrameShape};

pub(crate) use encode::encode;

const CODEC: &str = "JPEG-LS";

fn malformed(reason: &'static str) -> RenderError {
    RenderError::malformed(CODEC, reason)
}

/// Decodes a frame into little-endian words, colour by pixel.
pub(super) fn decode(shape: &FrameShape, stream: &[u8]) -> Result<Vec<u8>, RenderError> {
    let mut markers = header::Markers::new(stream)?;
    let mut frame = None;
    let mut parameters = header::Parameters::default();
    let mut output: Option<Output> = None;
    loop {
        match markers.next()? {
            Marker::Frame(read) => {
                check_frame(shape, &read)?;
                frame = Some(read);
            }
            Marker::Parameters(read) => parameters = read,
            Marker::Scan(scan) => {
                let frame = frame.as_ref().ok_or_else(|| malformed("a scan before the frame header"))?;
                let output = output.get_or_insert_with(|| Output::new(shape));
                let used = decode_scan(frame, &scan, &parameters, markers.rest(), output)?;
                markers.skip(used);
                if output.is_complete() {
                    break;
                }
            }
            Marker::End => break,
        }
    }
    match output {
        Some(output) if output.is_complete() => Ok(output.words),
        _ => Err(malformed("a component is missing")),
    }
}

fn check_frame(shape: &FrameShape, frame: &Frame) -> Result<(), RenderError> {
    if u32::from(frame.rows) != shape.rows || u32::from(frame.columns) != shape.columns {
        return Err(RenderError::mismatch(CODEC, "Rows and Columns"));
    }
    if frame.components.len() != usize::from(shape.samples_per_pixel) {
        return Err(RenderError::mismatch(CODEC, "the number of components"));
    }
    if !matches!(shape.bits_allocated, 8 | 16) || u16::from(frame.precision) > shape.bits_allocated {
        return Err(RenderError::mismatch(CODEC, "the bits of a sample"));
    }
    Ok(())
}

/// Decodes one scan; gives the number of bytes it took.
fn decode_scan(
    frame: &Frame,
    scan: &Scan,
    parameters: &header::Parameters,
    data: &[u8],
    output: &mut Output,
) -> Result<usize, RenderError> {
    let mut planes = Vec::new();
    for identifier in &scan.components {
        let index = frame.components.iter().position(|component| component == identifier);
        let index = index.ok_or_else(|| malformed("a scan of an unknown component"))?;
        if planes.contains(&index) || output.done[index] {
            return Err(malformed("a component comes twice"));
        }
        planes.push(index);
    }
    let coding = parameters.coding(frame.precision, scan.near)?;
    let mut decoder =
        ScanDecoder::new(coding, usize::from(frame.columns), planes.len(), BitReader::new(data));
    for row in 0..usize::from(frame.rows) {
        match scan.interleave {
            Interleave::Sample => decoder.decode_line_by_sample()?,
            Interleave::None | Interleave::Line => decoder.decode_lines()?,
        }
        for (lane, plane) in planes.iter().enumerate() {
            output.put(row, *plane, decoder.line(lane));
        }
        decoder.next_row();
    }
    for plane in planes {
        output.done[plane] = true;
    }
    Ok(decoder.bytes_used())
}

struct Output {
    words: Vec<u8>,
    columns: usize,
    samples: usize,
    size: usize,
    done: Vec<bool>,
}

impl Output {
    fn new(shape: &FrameShape) -> Self {
        let samples = usize::from(shape.samples_per_pixel);
        Self {
            words: vec![0; shape.decoded_bytes() as usize],
            columns: shape.columns as usize,
            samples,
            size: shape.sample_bytes() as usize,
            done: vec![false; samples],
        }
    }

    fn put(&mut self, row: usize, plane: usize, line: &[i32]) {
        let pixel_bytes = self.samples * self.size;
        let row_bytes = self.columns * pixel_bytes;
        let Some(places) = self.words.get_mut(row * row_bytes..(row + 1) * row_bytes) else { return };
        let first = plane * self.size;
        for (pixel, value) in places.chunks_exact_mut(pixel_bytes).zip(line) {
            pixel[first..first + self.size].copy_from_slice(&value.to_le_bytes()[..self.size]);
        }
    }

    fn is_complete(&self) -> bool {
        self.done.iter().all(|done| *done)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::pixel::PixelModule;

    use super::*;

    /// The example of ITU-T T.87 H.3: 4 x 4 pixels of 8 bits.
    pub const EXAMPLE: &[u8] = &[
        0xff, 0xd8, 0xff, 0xf7, 0x00, 0x0b, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xff, 0xda,
        0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x6c, 0x80, 0x20, 0x8e, 0x01, 0xc0,
        0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6e, 0xe6, 0x00, 0x00, 0x01, 0xbc, 0x18, 0x00, 0x00, 0x05, 0xd8,
        0x00, 0x00, 0x91, 0x60, 0xff, 0xd9,
    ];

    fn shape() -> FrameShape {
        FrameShape::check(&PixelModule {
            rows: 4,
            columns: 4,
            samples_per_pixel: 1,
            photometric_interpretation: "MONOCHROME2".into(),
            bits_allocated: 8,
            bits_stored: 8,
            high_bit: 7,
            ..PixelModule::default()
        })
        .expect("plausible")
    }

    #[test]
    fn the_standards_example_decodes() {
        let words = decode(&shape(), EXAMPLE).expect("decodes");
        assert_eq!(words, [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145]);
    }

    #[test]
    fn every_cut_and_every_flip_ends() {
        for length in 0..EXAMPLE.len() - 2 {
            let _ = decode(&shape(), &EXAMPLE[..length]);
        }
        for bit in 0..EXAMPLE.len() * 8 {
            let mut flipped = EXAMPLE.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&shape(), &flipped);
        }
        assert!(decode(&shape(), &EXAMPLE[..30]).is_err());
    }

    #[test]
    fn another_size_is_refused() {
        let other = FrameShape { rows: 5, ..shape() };
        assert!(matches!(decode(&other, EXAMPLE), Err(RenderError::Mismatch { .. })));
    }
}
