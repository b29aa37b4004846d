//! PS3.3 C.7.6.3.1.5, C.7.9.2, C.11.1: look-up tables, discrete and segmented.

use model::pixel::Lut;

use crate::{facts::Facts, scope::Scope};

/// Most entries a table can have; a descriptor writes them as 0.
const ENTRIES_MAX: usize = 65_536;

/// What a LUT Descriptor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Descriptor {
    entries: usize,
    first_mapped: i32,
    bits: u16,
}

/// Reads a descriptor. `signed` is Pixel Representation: the first value mapped has the sign of the stored values,
/// also when it is written as US.
fn descriptor(facts: &Facts, scope: Scope, tag: u32, signed: bool) -> Option<Descriptor> {
    let numbers = facts.numbers(scope, tag);
    let [entries, first, bits] = *numbers.first_chunk::<3>()?;
    // The count is unsigned also where the VR is SS.
    let entries = match (entries as i64 & 0xffff) as usize {
        0 => ENTRIES_MAX,
        entries => entries,
    };
    let first_mapped = if signed { i32::from(first as i64 as i16) } else { first as i32 };
    let bits = bits as u16;
    (1..=16).contains(&bits).then_some(Descriptor { entries, first_mapped, bits })
}

/// A table given entry by entry; `None` when descriptor or data are absent or make no sense.
pub(crate) fn discrete(facts: &Facts, scope: Scope, tags: (u32, u32), signed: bool) -> Option<Lut> {
    let descriptor = descriptor(facts, scope, tags.0, signed)?;
    let bytes = facts.table(scope, tags.1)?;
    let entries: Vec<u16> = if bytes.len() / 2 >= descriptor.entries {
        words(bytes).take(descriptor.entries).collect()
    } else {
        // Two 8-bit entries in each word (PS3.3 C.7.6.3.1.6), or too little data.
        bytes.iter().copied().map(u16::from).take(descriptor.entries).collect()
    };
    finish(descriptor, entries)
}

/// A table given as segments, expanded.
pub(crate) fn segmented(facts: &Facts, scope: Scope, tags: (u32, u32), signed: bool) -> Option<Lut> {
    let descriptor = descriptor(facts, scope, tags.0, signed)?;
    let bytes = facts.table(scope, tags.1)?;
    let segments: Vec<u16> = if descriptor.bits <= 8 && !looks_like_words(bytes) {
        bytes.iter().copied().map(u16::from).collect()
    } else {
        words(bytes).collect()
    };
    let mut entries = Vec::with_capacity(descriptor.entries);
    expand(&segments, descriptor, &mut entries)?;
    entries.truncate(descriptor.entries);
    finish(descriptor, entries)
}

/// A table that is too short repeats its last entry: a picture can be made of it, and no index runs past its end.
fn finish(descriptor: Descriptor, mut entries: Vec<u16>) -> Option<Lut> {
    let last = *entries.last()?;
    entries.resize(descriptor.entries, last);
    Some(Lut { first_mapped: descriptor.first_mapped, bits: descriptor.bits, entries })
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair))
}

/// 8-bit segments are sometimes written as words with an empty high byte.
fn looks_like_words(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && bytes.as_chunks::<2>().0.iter().all(|pair| pair[1] == 0)
}

/// C.7.9.2: opcode, count, then values; `None` when the segments are not well formed.
fn expand(segments: &[u16], descriptor: Descriptor, out: &mut Vec<u16>) -> Option<()> {
    let byte_segments = descriptor.bits <= 8;
    let mut at = 0;
    while at + 1 < segments.len() && out.len() < descriptor.entries {
        at = match segments[at] {
            2 => {
                let count = usize::from(segments[at + 1]);
                let offset = indirect_offset(segments.get(at + 2..)?, byte_segments)?;
                expand_again(segments, offset, count, descriptor.entries, out)?;
                at + if byte_segments { 6 } else { 4 }
            }
            _ => expand_one(segments, at, descriptor.entries, out)?,
        };
    }
    Some(())
}

/// Least significant part first.
fn indirect_offset(parts: &[u16], byte_segments: bool) -> Option<usize> {
    Some(if byte_segments {
        let [a, b, c, d] = *parts.first_chunk::<4>()?;
        usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16 | usize::from(d) << 24
    } else {
        let [low, high] = *parts.first_chunk::<2>()?;
        usize::from(low) | usize::from(high) << 16
    })
}

/// Repeats `count` discrete or linear segments; an indirect one may not point to another (C.7.9.2.3).
fn expand_again(segments: &[u16], mut at: usize, count: usize, max: usize, out: &mut Vec<u16>) -> Option<()> {
    for _ in 0..count {
        if out.len() >= max {
            break;
        }
        at = expand_one(segments, at, max, out)?;
    }
    Some(())
}

/// Expands the discrete or linear segment at `at` and gives the place of the next one.
fn expand_one(segments: &[u16], at: usize, max: usize, out: &mut Vec<u16>) -> Option<usize> {
    let opcode = *segments.get(at)?;
    let count = usize::from(*segments.get(at.checked_add(1)?)?);
    let room = max.saturating_sub(out.len());
    match opcode {
        0 => {
            let values = segments.get(at + 2..at + 2 + count)?;
            out.extend_from_slice(&values[..count.min(room)]);
            Some(at + 2 + count)
        }
        1 => {
            let to = i64::from(*segments.get(at + 2)?);
            let from = i64::from(*out.last()?);
            let steps = i64::from(*segments.get(at + 1)?);
            out.extend((1..=steps).take(room).map(|step| (from + (to - from) * step / steps) as u16));
            Some(at + 3)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTOR: Descriptor = Descriptor { entries: 12, first_mapped: 0, bits: 16 };

    fn expanded(segments: &[u16], descriptor: Descriptor) -> Option<Vec<u16>> {
        let mut out = Vec::new();
        expand(segments, descriptor, &mut out).map(|()| out)
    }

    #[test]
    fn expands_discrete_linear_and_indirect_segments() {
        let segments = [0, 2, 5, 10, 1, 4, 50, 2, 2, 0, 0];
        assert_eq!(expanded(&segments, DESCRIPTOR), Some(vec![5, 10, 20, 30, 40, 50, 5, 10, 20, 30, 40, 50]));
    }

    #[test]
    fn refuses_or_bounds_hostile_segments() {
        assert_eq!(expanded(&[1, 4, 50], DESCRIPTOR), None);
        assert_eq!(expanded(&[0, 9, 1], DESCRIPTOR), None);
        assert_eq!(expanded(&[0, 1, 7, 2, 1, 3, 0], DESCRIPTOR), None);
        assert_eq!(expanded(&[0, 1, 7, 2, 65535, 0xffff, 0xffff], DESCRIPTOR), None);
        assert_eq!(expanded(&[0, 1, 7, 1, 65535, 9], DESCRIPTOR).map(|out| out.len()), Some(12));
    }
}
