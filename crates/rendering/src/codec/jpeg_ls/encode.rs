//! ITU-T T.87, JPEG-LS lossless coding with the default parameters: what [`super::decode`] undoes. Colour is woven
//! line by line, which every decoder gives back by pixel.

use super::{
    coding::{Coding, Context, RunContext},
    scan::{CONTEXTS, J, Lane, Neighbours},
};
use crate::{
    codec::{Picture, bit_writer::BitWriter},
    error::RenderError,
};

/// Encodes a picture.
///
/// # Errors
/// [`RenderError::Encode`] when a number of the picture is out of range.
pub(crate) fn encode(picture: Picture<'_>) -> Result<Vec<u8>, RenderError> {
    let Picture { rows, columns, samples, size, precision, words, .. } = picture;
    let refused = || RenderError::Encode("this picture does not fit into JPEG-LS".into());
    let (Ok(rows), Ok(columns)) = (u16::try_from(rows), u16::try_from(columns)) else {
        return Err(refused());
    };
    let bytes = usize::from(rows) * usize::from(columns) * samples * size;
    if !(2..=16).contains(&precision) || !matches!(samples, 1 | 3) || bytes == 0 || words.len() != bytes {
        return Err(refused());
    }
    let mut out = vec![0xff, 0xd8, 0xff, 0xf7, 0, (8 + 3 * samples) as u8, precision];
    out.extend_from_slice(&rows.to_be_bytes());
    out.extend_from_slice(&columns.to_be_bytes());
    out.push(samples as u8);
    (1..=samples).for_each(|id| out.extend_from_slice(&[id as u8, 0x11, 0]));
    out.extend_from_slice(&[0xff, 0xda, 0, (6 + 2 * samples) as u8, samples as u8]);
    (1..=samples).for_each(|id| out.extend_from_slice(&[id as u8, 0]));
    // Near-lossless 0, interleaved by line when there is something to interleave, no point transform.
    out.extend_from_slice(&[0, u8::from(samples > 1), 0]);
    let coding = Coding::new((1 << u32::from(precision)) - 1, 0, [0; 3], 0)?;
    let mut scan = ScanEncoder::new(coding, usize::from(columns), samples, BitWriter::new(out));
    for row in words.chunks_exact(usize::from(columns) * samples * size) {
        scan.encode_row(row, size);
    }
    let mut out = scan.bits.finish();
    out.extend_from_slice(&[0xff, 0xd9]);
    Ok(out)
}

struct ScanEncoder {
    coding: Coding,
    contexts: Vec<Context>,
    run_contexts: [RunContext; 2],
    lanes: Vec<Lane>,
    columns: usize,
    bits: BitWriter,
}

impl ScanEncoder {
    fn new(coding: Coding, columns: usize, components: usize, bits: BitWriter) -> Self {
        Self {
            coding,
            contexts: vec![Context::new(&coding); CONTEXTS],
            run_contexts: [RunContext::new(&coding, 0), RunContext::new(&coding, 1)],
            lanes: (0..components).map(|_| Lane::new(columns)).collect(),
            columns,
            bits,
        }
    }

    /// One row of the picture: a line of each component, one after the other.
    fn encode_row(&mut self, row: &[u8], size: usize) {
        let samples = self.lanes.len();
        for index in 0..samples {
            let lane = &mut self.lanes[index];
            let words = row.chunks_exact(size).skip(index).step_by(samples);
            for (place, word) in lane.current[1..].iter_mut().zip(words) {
                *place = word.iter().rev().fold(0, |value, byte| value << 8 | i32::from(*byte));
            }
            lane.begin(self.columns);
            self.encode_line(index);
            let lane = &mut self.lanes[index];
            std::mem::swap(&mut lane.previous, &mut lane.current);
        }
    }

    fn encode_line(&mut self, index: usize) {
        let mut x = 1;
        while x <= self.columns {
            let near = self.lanes[index].neighbours(x);
            let context = near.context(&self.coding);
            if context == 0 {
                x = self.encode_run(index, x, near.a);
            } else {
                self.encode_regular(near, context, self.lanes[index].current[x]);
                x += 1;
            }
        }
    }

    fn encode_regular(&mut self, near: Neighbours, context: i32, value: i32) {
        let sign = if context < 0 { -1 } else { 1 };
        let state = &mut self.contexts[context.unsigned_abs() as usize];
        let predicted = (near.predict() + sign * state.correction()).clamp(0, self.coding.maximum);
        let error = self.coding.reduce(sign * (value - predicted));
        state.write_error(&self.coding, &mut self.bits, error);
    }

    /// A.7.1: how long the sample before goes on, and A.7.2, the one that breaks the run.
    fn encode_run(&mut self, index: usize, x: usize, value: i32) -> usize {
        let lane = &mut self.lanes[index];
        let length = lane.current[x..=self.columns].iter().take_while(|sample| **sample == value).count();
        let mut left = length;
        while left >= 1 << J[lane.run_index] {
            self.bits.write(1, 1);
            left -= 1 << J[lane.run_index];
            lane.run_index = (lane.run_index + 1).min(31);
        }
        let x = x + length;
        if x > self.columns {
            if left > 0 {
                self.bits.write(1, 1);
            }
            return x;
        }
        self.bits.write(0, 1);
        self.bits.write(left as u32, J[lane.run_index]);
        let (sample, above, run_index) = (lane.current[x], lane.previous[x], lane.run_index);
        lane.run_index = run_index.saturating_sub(1);
        let same = value == above;
        let sign = if !same && above < value { -1 } else { 1 };
        let error = self.coding.reduce(sign * (sample - if same { value } else { above }));
        let limit = self.coding.limit - J[run_index] - 1;
        self.run_contexts[usize::from(same)].write_error(&self.coding, &mut self.bits, limit, error);
        x + 1
    }
}

#[cfg(test)]
mod tests {
    use model::pixel::PixelModule;

    use super::*;
    use crate::{codec::jpeg_ls, shape::FrameShape};

    fn check(words: &[u8], columns: u32, samples: usize, size: usize, precision: u8) {
        let rows = (words.len() / (columns as usize * samples * size)) as u32;
        let shape = FrameShape::check(&PixelModule {
            rows,
            columns,
            samples_per_pixel: samples as u16,
            photometric_interpretation: if samples == 3 { "RGB" } else { "MONOCHROME2" }.into(),
            bits_allocated: size as u16 * 8,
            bits_stored: u16::from(precision),
            high_bit: u16::from(precision) - 1,
            ..PixelModule::default()
        })
        .expect("plausible");
        let stream = encode(Picture { words, rows, columns, samples, size, precision, signed: false })
            .expect("encodes");
        assert_eq!(jpeg_ls::decode(&shape, &stream).expect("decodes"), words);
    }

    /// Numbers without a pattern, the same ones each time.
    fn noise(count: usize, mask: u32) -> impl Iterator<Item = u32> {
        let mut state = 1_u32;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 12 & mask
        })
        .take(count)
    }

    #[test]
    fn the_standards_example_is_written_as_it_stands_there() {
        let words = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
        let picture =
            Picture { words: &words, rows: 4, columns: 4, samples: 1, size: 1, precision: 8, signed: false };
        assert_eq!(encode(picture).expect("encodes"), jpeg_ls::tests::EXAMPLE);
    }

    #[test]
    fn what_is_encoded_decodes() {
        let bytes: Vec<u8> = noise(67 * 31 * 3, 0xff).map(|n| n as u8).collect();
        check(&bytes[..67 * 31], 67, 1, 1, 8);
        check(&bytes, 67, 3, 1, 8);
        for precision in [2, 7, 10, 12, 16] {
            let words: Vec<u8> =
                noise(67 * 31, (1 << precision) - 1).flat_map(|n| (n as u16).to_le_bytes()).collect();
            check(&words, 67, 1, 2, precision);
            // Long runs that small steps break, and flat lines.
            let steps: Vec<u8> = (0..97_u32 * 13)
                .flat_map(|n| ((n / 29 % 3) as u16 % (1 << (precision - 1))).to_le_bytes())
                .collect();
            check(&steps, 97, 1, 2, precision);
        }
        check(&[0; 640], 640, 1, 1, 8);
        check(&[9, 200, 9, 9, 200, 9], 1, 3, 1, 8);
    }
}
