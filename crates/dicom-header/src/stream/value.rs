//! PS3.5 7.1.1: values, read into memory when they are short, passed over when they are long.

use dicom_core::VR;
use model::frame::ByteRange;

use super::{PendingValue, PixelElement, State, Stream};
use crate::{
    element::{ElementHeader, Encoding, UNDEFINED_LENGTH, WrittenVr},
    error::HeaderError,
    index::uid_keyword,
    tag,
};

impl Stream {
    pub(super) fn begin_element(&mut self, header: ElementHeader) -> Result<(), HeaderError> {
        let ElementHeader { tag, length, .. } = header;
        let vr = self.vr(header);
        if length == UNDEFINED_LENGTH {
            return self.begin_undefined(tag, vr, header.vr);
        }
        let range = ByteRange { offset: self.position, length: u64::from(length) };
        self.check_bound(range.end())?;
        let is_root_pixel_data = tag::is_pixel_data(tag) && self.document.is_root();
        self.after_pixel_data |= is_root_pixel_data;
        if is_root_pixel_data && self.pixel.is_none() {
            self.pixel = Some(PixelElement::Native { tag, range });
        }
        if vr == VR::SQ && length > 0 {
            let unproven = match header.vr {
                WrittenVr::Known(VR::SQ) => None,
                WrittenVr::Absent => Some((tag, self.encoding())),
                WrittenVr::Known(_) | WrittenVr::Wrong => Some((tag, Encoding::IMPLICIT_LITTLE_ENDIAN)),
            };
            return self.begin_sequence(tag, Some(range.end()), unproven);
        }
        if vr == VR::SQ {
            self.document.begin_sequence(tag);
            self.document.end_sequence();
            return self.end_element();
        }
        let value_max_bytes =
            self.document.value_max_bytes(tag).unwrap_or(0).max(self.limits.value_max_bytes);
        if tag::is_pixel_data(tag) || range.length > value_max_bytes {
            self.document.reference(tag, vr, range);
            return self.begin_skip(range.length);
        }
        let big_endian = self.encoding().big_endian && header.vr != WrittenVr::Known(VR::UN);
        self.begin_value(PendingValue { tag, vr, range, remaining: range.length, big_endian })
    }

    pub(super) fn begin_value(&mut self, pending: PendingValue) -> Result<(), HeaderError> {
        if pending.range.length == 0 {
            return self.end_value(pending, &[]);
        }
        self.state = State::Value(pending);
        Ok(())
    }

    pub(super) fn begin_skip(&mut self, length: u64) -> Result<(), HeaderError> {
        if length == 0 {
            return self.end_element();
        }
        self.state = State::Skip { remaining: length };
        self.check_memory()
    }

    /// Passes a value straight on when all of it is in `bytes`; collects it otherwise.
    pub(super) fn take_value(
        &mut self,
        mut pending: PendingValue,
        bytes: &[u8],
    ) -> Result<usize, HeaderError> {
        let used = bytes.len().min(usize::try_from(pending.remaining).unwrap_or(usize::MAX));
        pending.remaining -= used as u64;
        self.position += used as u64;
        if self.value.is_empty() && pending.remaining == 0 {
            self.end_value(pending, &bytes[..used])?;
            return Ok(used);
        }
        self.value.extend_from_slice(&bytes[..used]);
        if pending.remaining == 0 {
            let mut value = std::mem::take(&mut self.value);
            self.end_value(pending, &value)?;
            value.clear();
            if value.capacity() as u64 <= self.limits.value_max_bytes {
                self.value = value;
            }
        } else {
            self.state = State::Value(pending);
            self.check_memory()?;
        }
        Ok(used)
    }

    pub(super) fn end_value(&mut self, pending: PendingValue, bytes: &[u8]) -> Result<(), HeaderError> {
        self.document.value(pending.tag, pending.vr, bytes, pending.big_endian, pending.range);
        if let Some(tag) = self.document.contradictory_uid() {
            return Err(HeaderError::ContradictoryUid(uid_keyword(tag)));
        }
        self.end_element()
    }
}
