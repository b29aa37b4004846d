//! Byte ranges that lie close together are read at once, and what is between them is dropped on the way.

use std::ops::Range;

use bytes::Bytes;
use model::frame::ByteRange;

use super::ReadError;

/// What stands between two fragments of a frame: an item tag and its length (PS3.5 table A.4-1).
const GAP_MAX_BYTES: u64 = 8;

/// One ranged read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// What is read.
    pub(super) span: Range<u64>,
    /// What is kept of it, ascending.
    parts: Vec<Range<u64>>,
}

/// Groups `ranges` into reads. Each must lie within `limit`, and together they must not be longer than it: so a
/// damaged table cannot ask for more than there is.
pub(super) fn plan(ranges: &[ByteRange], limit: u64) -> Result<Vec<Run>, ReadError> {
    let mut runs: Vec<Run> = Vec::new();
    let mut total = 0_u64;
    for range in ranges.iter().filter(|range| range.length > 0) {
        let end = range.offset.checked_add(range.length).filter(|end| *end <= limit);
        let end = end.ok_or(ReadError::Damaged("a range ends after the data set"))?;
        total = total.saturating_add(range.length);
        let part = range.offset..end;
        match runs.last_mut() {
            Some(run) if part.start >= run.span.end && part.start - run.span.end <= GAP_MAX_BYTES => {
                run.span.end = end;
                run.parts.push(part);
            }
            _ => runs.push(Run { span: part.clone(), parts: vec![part] }),
        }
    }
    if total > limit {
        return Err(ReadError::Damaged("ranges overlap"));
    }
    Ok(runs)
}

/// How long the kept bytes of all runs are.
pub(super) fn kept_length(runs: &[Run]) -> u64 {
    runs.iter().flat_map(|run| &run.parts).map(|part| part.end - part.start).sum()
}

impl Run {
    /// What is kept of `chunk`, which starts at `position`.
    pub(super) fn keep(&self, position: u64, chunk: &Bytes) -> Vec<Bytes> {
        let end = position + chunk.len() as u64;
        let first = self.parts.partition_point(|part| part.end <= position);
        let touched = self.parts[first..].iter().take_while(|part| part.start < end);
        touched
            .map(|part| {
                let from = part.start.max(position) - position;
                let to = part.end.min(end) - position;
                chunk.slice(from as usize..to as usize)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> ByteRange {
        ByteRange { offset, length }
    }

    #[test]
    fn fragments_with_an_item_header_between_them_are_one_read() {
        let runs = plan(&[range(10, 4), range(22, 4), range(100, 1), range(101, 0)], 200).expect("plan");
        assert_eq!(runs.iter().map(|run| run.span.clone()).collect::<Vec<_>>(), [10..26, 100..101]);
        assert_eq!(kept_length(&runs), 9);
        for size in 1..=16 {
            let bytes: Vec<u8> = (10..26).collect();
            let mut kept = Vec::new();
            for (index, chunk) in bytes.chunks(size).enumerate() {
                let position = 10 + (index * size) as u64;
                kept.extend(runs[0].keep(position, &Bytes::copy_from_slice(chunk)).concat());
            }
            assert_eq!(kept, [10, 11, 12, 13, 22, 23, 24, 25], "chunks of {size}");
        }
    }

    #[test]
    fn fragments_out_of_order_are_read_in_the_order_of_the_table() {
        let runs = plan(&[range(20, 4), range(10, 4)], 200).expect("plan");
        assert_eq!(runs.iter().map(|run| run.span.start).collect::<Vec<_>>(), [20, 10]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(plan(&[range(198, 3)], 200).is_err());
        assert!(plan(&[range(u64::MAX, 2)], 200).is_err());
        assert!(plan(&[range(0, 150), range(0, 150)], 200).is_err());
        assert_eq!(plan(&[], 0).expect("nothing"), []);
    }
}
