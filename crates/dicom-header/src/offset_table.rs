//! PS3.5 A.4, Basic Offset Table, and PS3.3 C.7.6.3.1.8, Extended Offset Table: believed only when every entry fits.

use model::frame::ByteRange;

use crate::encapsulated::Fragment;

/// Bytes of an item header in front of each fragment.
const ITEM_HEADER_BYTES: u64 = 8;

type Frames = Vec<Vec<ByteRange>>;

/// Groups the fragments as the Basic Offset Table says; `None` when the table does not have one ascending entry a
/// frame, each the beginning of a fragment and of a codestream wherever codestreams can be told.
pub(crate) fn basic(fragments: &[Fragment], declared: usize, table: &[u8]) -> Option<Frames> {
    let offsets = table.as_chunks::<4>().0.iter().map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
    let starts = starts_of_frames(fragments, declared, offsets)?;
    let begins = |index: &usize| fragments[*index].starts;
    if fragments.iter().any(|fragment| fragment.starts) && !starts.iter().all(begins) {
        return None;
    }
    let ends = starts.iter().copied().skip(1).chain([fragments.len()]);
    let frame = |(start, end): (&usize, usize)| fragments[*start..end].iter().map(Fragment::range).collect();
    Some(starts.iter().zip(ends).map(frame).collect())
}

/// One fragment a frame, cut to the length that the Extended Offset Table gives; `None` when anything does not fit.
pub(crate) fn extended(
    fragments: &[Fragment],
    declared: usize,
    offsets: &[u8],
    lengths: &[u8],
) -> Option<Frames> {
    let numbers = |bytes: &[u8]| -> Vec<u64> {
        bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
    };
    let starts = starts_of_frames(fragments, declared, numbers(offsets).into_iter())?;
    let lengths = numbers(lengths);
    if fragments.len() != declared || lengths.len() != declared {
        return None;
    }
    let frame = |(index, length): (usize, u64)| {
        let range = fragments[index].range();
        let fits = length > 0 && length <= range.length && range.length - length <= 1;
        fits.then(|| vec![ByteRange { length, ..range }])
    };
    starts.into_iter().zip(lengths).map(frame).collect()
}

/// Which fragment each frame begins with. Offsets count from the first fragment's item header.
fn starts_of_frames(
    fragments: &[Fragment],
    declared: usize,
    offsets: impl Iterator<Item = u64>,
) -> Option<Vec<usize>> {
    let base = fragments.first()?.offset - ITEM_HEADER_BYTES;
    let mut starts = Vec::new();
    let mut next = 0;
    for offset in offsets {
        let wanted = base.checked_add(offset)?.checked_add(ITEM_HEADER_BYTES)?;
        let found = fragments[next..].binary_search_by_key(&wanted, |fragment| fragment.offset).ok()? + next;
        starts.push(found);
        next = found + 1;
    }
    (starts.len() == declared && starts.first() == Some(&0)).then_some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments() -> Vec<Fragment> {
        [(108, true), (126, false), (144, true)]
            .map(|(offset, starts)| Fragment { offset, length: 10, starts })
            .to_vec()
    }

    fn table(offsets: &[u32]) -> Vec<u8> {
        offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect()
    }

    fn wide(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn believes_a_basic_table_that_fits() {
        let frames = basic(&fragments(), 2, &table(&[0, 36])).unwrap();
        assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn does_not_believe_lies() {
        for offsets in
            [&[0][..], &[0, 37], &[36, 0], &[0, 0], &[18, 36], &[0, 18], &[0, u32::MAX], &[0, 36, 54], &[]]
        {
            assert_eq!(basic(&fragments(), 2, &table(offsets)), None, "{offsets:?}");
        }
    }

    #[test]
    fn an_extended_table_takes_the_padding_off() {
        let frames = extended(&fragments(), 3, &wide(&[0, 18, 36]), &wide(&[9, 10, 10])).unwrap();
        assert_eq!(frames[0], [ByteRange { offset: 108, length: 9 }]);
        for lengths in [&[11, 10, 10][..], &[0, 10, 10], &[u64::MAX, 10, 10], &[10, 10], &[5, 10, 10]] {
            assert_eq!(extended(&fragments(), 3, &wide(&[0, 18, 36]), &wide(lengths)), None);
        }
        assert_eq!(extended(&fragments(), 3, &wide(&[0, 18, u64::MAX]), &wide(&[10; 3])), None);
    }
}
