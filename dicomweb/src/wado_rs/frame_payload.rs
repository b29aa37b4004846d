//! PS3.18 8.7.3, the media types of frames, and what a frame's bytes are in each.

use bytes::{Bytes, BytesMut};
use conversion::word_bytes;
use database::{HeaderRecord, StoredInstance};
use model::transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN};
use rendering::Target;

use crate::media_type::{Form, OCTET_STREAM, Representation};

/// What a frame can be sent as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What is negotiated.
    pub representation: Representation,
    /// How it is made anew; `None` for the frame as it is kept, but for its byte order.
    pub target: Option<Target>,
}

/// What frames of an instance can be sent as, the usual one first.
///
/// Native frames are the same bytes in every little-endian transfer syntax; WADO-RS knows them as Explicit VR Little
/// Endian (table 8.7.3-2), which is also what those get who name no transfer syntax. Compressed frames go out as they
/// are kept under their own media type, or as the octet stream "in whatever transfer syntax you have" that viewers
/// ask for.
pub fn offers(instance: &StoredInstance, possible: &[Target]) -> Vec<Offer> {
    let encapsulated = instance.transfer_syntax_uid.is_encapsulated();
    let mut offers = Vec::new();
    for form in [Form::Multipart, Form::SinglePart] {
        if encapsulated && possible.contains(&Target::Native) {
            let native = Representation::made(form, OCTET_STREAM, EXPLICIT_VR_LITTLE_ENDIAN);
            offers.push(Offer { representation: native, target: Some(Target::Native) });
        }
        let stored = stored_offers(instance).into_iter().filter(|offer| offer.form == form);
        offers.extend(stored.map(|representation| Offer { representation, target: None }));
        for target in possible.iter().copied().filter(|target| *target != Target::Native) {
            let uid = target.transfer_syntax();
            if uid == instance.transfer_syntax_uid.as_str() {
                continue;
            }
            // Without a word `image/jpeg` means lossless JPEG (table 8.7.3-5).
            let own = Representation::made(form, media_type(target), uid);
            let own = Representation { only_when_stated: target.is_lossy(), ..own };
            let stream = Representation::made(form, OCTET_STREAM, uid);
            let stream = Representation { only_when_stated: true, ..stream };
            for representation in [own, stream] {
                offers.push(Offer { representation, target: Some(target) });
            }
        }
    }
    offers
}

/// The media type of a frame in this form (PS3.18 table 8.7.3-5).
pub fn media_type(target: Target) -> &'static str {
    match target {
        Target::Native => OCTET_STREAM,
        Target::Rle => "image/dicom-rle",
        Target::JpegLsLossless => "image/jls",
        Target::Jpeg2000Lossless => "image/jp2",
        Target::HighThroughputLossless | Target::HighThroughputLosslessRpcl => "image/jphc",
        Target::JpegBaseline { .. } => "image/jpeg",
    }
}

/// What frames of an instance can be sent as without being made anew.
pub fn stored_offers(instance: &StoredInstance) -> Vec<Representation> {
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
    word_bytes(instance, header)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_swapped() {
        let frame = Bytes::from_static(&[1, 2, 3, 4, 5]);
        assert_eq!(swap(frame.clone(), 1), &[1, 2, 3, 4, 5][..]);
        assert_eq!(swap(frame.clone(), 2), &[2, 1, 4, 3, 5][..]);
        assert_eq!(swap(frame, 4), &[4, 3, 2, 1, 5][..]);
    }
}
