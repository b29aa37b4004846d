//! PS3.18 8.7.3, the media types of frames, and what a frame's bytes are in each.

use bytes::{Bytes, BytesMut};
use database::{HeaderRecord, StoredInstance};
use model::{
    frame::FrameTable,
    transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN},
};

use crate::media_type::{Form, OCTET_STREAM, Representation};

/// What frames of an instance can be sent as, the usual one first.
///
/// Native frames are the same bytes in every little-endian transfer syntax; WADO-RS knows them as Explicit VR Little
/// Endian (table 8.7.3-2). Compressed frames go out as they are kept, under their own media type or as the octet
/// stream "in whatever transfer syntax you have" that viewers ask for.
pub fn offers(instance: &StoredInstance) -> Vec<Representation> {
    let stored = instance.transfer_syntax_uid.as_str();
    let mut offers = Vec::new();
    for form in [Form::Multipart, Form::SinglePart] {
        if instance.transfer_syntax_uid.is_encapsulated() {
            let media_type = instance.transfer_syntax_uid.frame_media_type();
            let own = Representation::new(form, media_type, stored);
            let only_when_stated = true;
            offers.push(Representation { only_when_stated: media_type == OCTET_STREAM, ..own });
            if media_type != OCTET_STREAM {
                offers.push(Representation {
                    only_when_stated,
                    ..Representation::new(form, OCTET_STREAM, stored)
                });
            }
        } else {
            offers.push(Representation::new(form, OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN));
            if stored != EXPLICIT_VR_LITTLE_ENDIAN {
                offers.push(Representation::new(form, OCTET_STREAM, stored));
            }
        }
    }
    offers
}

/// Size of the words whose bytes must be swapped to get from the stored order to the one sent; 1 for none.
pub fn swap_bytes(instance: &StoredInstance, header: &HeaderRecord, sent: &Representation) -> usize {
    let big_endian = instance.transfer_syntax_uid.as_str() == EXPLICIT_VR_BIG_ENDIAN;
    if !big_endian || sent.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN {
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

/// Swaps the bytes of whole words; what is left over at the end stays.
pub fn swap(frame: Bytes, word: usize) -> Bytes {
    if word < 2 {
        return frame;
    }
    let mut swapped = BytesMut::from(&frame[..]);
    swapped.chunks_exact_mut(word).for_each(<[u8]>::reverse);
    swapped.freeze()
}

/// Length of one frame as it is sent; `None` past the last one.
pub fn length(table: &FrameTable, index: usize) -> Option<u64> {
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
    fn words_are_swapped() {
        let frame = Bytes::from_static(&[1, 2, 3, 4, 5]);
        assert_eq!(swap(frame.clone(), 1), &[1, 2, 3, 4, 5][..]);
        assert_eq!(swap(frame.clone(), 2), &[2, 1, 4, 3, 5][..]);
        assert_eq!(swap(frame, 4), &[4, 3, 2, 1, 5][..]);
    }

    #[test]
    fn lengths_without_reading() {
        let range = |offset, length| ByteRange { offset, length };
        let bits = FrameTable::Native { value: range(0, 5), frames: 3, bits_per_frame: 12 };
        assert_eq!(length(&bits, 1), Some(2));
        assert_eq!(length(&bits, 3), None);
        let fragments = FrameTable::Encapsulated { frames: vec![vec![range(8, 10), range(26, 4)]] };
        assert_eq!(length(&fragments, 0), Some(14));
        assert_eq!(length(&FrameTable::None, 0), None);
    }
}
