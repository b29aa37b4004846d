//! PS3.5 Annex G, RLE Lossless: byte planes, most significant byte first, each row packed on its own (G.3.1).

/// Longest run of either kind.
const RUN_MAX: usize = 128;
/// A run of two bytes inside of literal ones costs as much as it saves.
const RUN_IN_LITERAL_MIN: usize = 3;

/// Encodes little-endian words in colour-by-pixel order. `words` is whole rows; `samples * size` is at most 15.
pub(crate) fn encode(words: &[u8], columns: usize, samples: usize, size: usize) -> Vec<u8> {
    let stride = samples * size;
    let mut frame = (stride as u32).to_le_bytes().to_vec();
    frame.resize(super::rle::HEADER_BYTES, 0);
    let mut line = Vec::with_capacity(columns);
    for segment in 0..stride {
        let offset = (frame.len() as u32).to_le_bytes();
        frame[4 + segment * 4..8 + segment * 4].copy_from_slice(&offset);
        let first = (segment / size) * size + (size - 1 - segment % size);
        for row in words.chunks_exact((columns * stride).max(1)) {
            line.clear();
            line.extend(row.iter().skip(first).step_by(stride));
            pack(&line, &mut frame);
        }
        // Segments have an even length (G.3.1).
        if frame.len() % 2 == 1 {
            frame.push(0);
        }
    }
    frame
}

fn pack(line: &[u8], out: &mut Vec<u8>) {
    let (mut literal, mut at) = (0, 0);
    while at < line.len() {
        let run = line[at..].iter().take(RUN_MAX).take_while(|byte| **byte == line[at]).count();
        if run >= RUN_IN_LITERAL_MIN || (run == 2 && literal == at) {
            write_literal(&line[literal..at], out);
            out.extend_from_slice(&[(257 - run) as u8, line[at]]);
            literal = at + run;
        }
        at += run;
    }
    write_literal(&line[literal..], out);
}

fn write_literal(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(RUN_MAX) {
        out.push((piece.len() - 1) as u8);
        out.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(line: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(line, &mut out);
        out
    }

    #[test]
    fn runs_and_literals() {
        assert_eq!(packed(&[7, 7]), [255, 7]);
        assert_eq!(packed(&[1, 2, 2, 3]), [3, 1, 2, 2, 3]);
        assert_eq!(packed(&[1, 2, 2, 2]), [0, 1, 254, 2]);
        assert_eq!(packed(&[5; 300]), [129, 5, 129, 5, 213, 5]);
        let literal: Vec<u8> = (0..130).collect();
        let expected = [&[127][..], &literal[..128], &[1], &literal[128..]].concat();
        assert_eq!(packed(&literal), expected);
        assert!(packed(&[]).is_empty());
    }

    #[test]
    fn rows_are_not_joined_and_segments_are_even() {
        // Two rows of one pixel of 16 bits: 0x0102, 0x0102.
        let frame = encode(&[2, 1, 2, 1], 1, 1, 2);
        assert_eq!(frame[..12], [2, 0, 0, 0, 64, 0, 0, 0, 68, 0, 0, 0]);
        assert_eq!(frame[64..], [0, 1, 0, 1, 0, 2, 0, 2]);
    }
}
