//! Pixels that look and compress somewhat like a chest: bright mediastinum, dark lungs, noise that grows with signal.

use crate::random::Random;

/// One frame of 12-bit samples.
pub fn chest(rows: u16, columns: u16, seed: u64) -> Vec<u16> {
    let mut random = Random::new(seed);
    let (height, width) = (i64::from(rows).max(1), i64::from(columns).max(1));
    let mut samples = Vec::with_capacity(usize::from(rows) * usize::from(columns));
    for row in 0..height {
        let mut noise = random.next_u64();
        for column in 0..width {
            if column % 8 == 0 {
                noise = random.next_u64();
            }
            let across = (column * 2048 / width - 1024).abs();
            let down = (row * 2048 / height - 1024).abs();
            let lung = i64::from((200..750).contains(&across) && down < 800) * 1400;
            let signal = 3000 - across - lung - down / 4;
            let jitter = ((noise >> ((column % 8) * 8)) & 0xff).cast_signed() - 128;
            samples.push((signal + jitter * signal.max(0) / 8192).clamp(0, 4095) as u16);
        }
    }
    samples
}

/// PS3.5 Annex G: one frame of 16-bit samples as an RLE fragment.
pub fn rle(samples: &[u16]) -> Vec<u8> {
    let high: Vec<u8> = samples.iter().map(|sample| (sample >> 8) as u8).collect();
    let low: Vec<u8> = samples.iter().map(|sample| *sample as u8).collect();
    let segments = [pack_bits(&high), pack_bits(&low)];
    let mut header = [0_u32; 16];
    header[0] = 2;
    header[1] = 64;
    header[2] = 64 + segments[0].len() as u32;
    let mut fragment: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    fragment.extend(segments.concat());
    fragment
}

fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take(128).take_while(|byte| **byte == bytes[at]).count();
        if run > 1 {
            packed.push((257 - run) as u8);
            packed.push(bytes[at]);
            at += run;
            continue;
        }
        let literal = bytes[at..].windows(2).take(127).take_while(|pair| pair[0] != pair[1]).count().max(1);
        packed.push((literal - 1) as u8);
        packed.extend_from_slice(&bytes[at..at + literal]);
        at += literal;
    }
    if packed.len() % 2 == 1 {
        packed.push(0x80);
    }
    packed
}
