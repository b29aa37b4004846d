//! PS3.5 8.1: the words and the length of a stored frame.

use database::{HeaderRecord, StoredInstance};
use model::{frame::FrameTable, transfer_syntax::EXPLICIT_VR_BIG_ENDIAN};

/// Size of the words in the Pixel Data of an instance in big endian; 1 for all others.
pub fn word_bytes(instance: &StoredInstance, header: &HeaderRecord) -> usize {
    if instance.transfer_syntax_uid.as_str() != EXPLICIT_VR_BIG_ENDIAN {
        return 1;
    }
    let Some(module) = &header.pixel_module else { return 1 };
    let pixel_data = ["7FE00010", "7FE00009", "7FE00008"];
    let vr = header.bulk_data.iter().find(|data| pixel_data.contains(&data.path.as_str()));
    match (vr.map(|data| data.vr.as_str()), module.bits_allocated) {
        (Some("OB"), _) => 1,
        (Some("OD"), _) | (_, 64) => 8,
        (Some("OF"), _) | (_, 32) => 4,
        _ => 2,
    }
}

/// Length of one frame as it is sent; `None` past the last one.
pub fn frame_length(table: &FrameTable, index: usize) -> Option<u64> {
    let location = table.locate(index)?;
    match table {
        FrameTable::Native { bits_per_frame, .. } => Some(bits_per_frame.div_ceil(8)),
        FrameTable::None | FrameTable::Encapsulated { .. } => {
            location.ranges.iter().try_fold(0_u64, |sum, range| sum.checked_add(range.length))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::frame::ByteRange;

    use super::*;

    #[test]
    fn lengths_without_reading() {
        let range = |offset, length| ByteRange { offset, length };
        let bits = FrameTable::Native { value: range(0, 5), frames: 3, bits_per_frame: 12 };
        assert_eq!(frame_length(&bits, 1), Some(2));
        assert_eq!(frame_length(&bits, 3), None);
        let fragments = FrameTable::Encapsulated { frames: vec![vec![range(8, 10), range(26, 4)]] };
        assert_eq!(frame_length(&fragments, 0), Some(14));
        assert_eq!(frame_length(&FrameTable::None, 0), None);
    }
}
