//! PS3.5 7.5, Nesting of Data Sets: opening and closing sequences and items, and what counts as one.

use dicom_core::VR;
use model::frame::ByteRange;

use super::{Container, PendingValue, PixelElement, State, Stream};
use crate::{
    dictionary::is_too_short_for_items,
    element::{ElementHeader, Encoding, UNDEFINED_LENGTH, WrittenVr, has_fragments, is_binary},
    encapsulated::Encapsulated,
    error::HeaderError,
    tag,
};

impl Stream {
    /// The VR to read the element with: the written one, or the dictionary's where none or only UN is written.
    pub(super) fn vr(&mut self, header: ElementHeader) -> VR {
        let ElementHeader { tag, vr, length } = header;
        match vr {
            WrittenVr::Known(VR::UN) if length == UNDEFINED_LENGTH => VR::UN,
            WrittenVr::Known(VR::UN) => self.document.vr_of_unknown(tag, length),
            WrittenVr::Known(vr) => vr,
            WrittenVr::Absent => match self.document.dictionary_vr(tag) {
                Some(VR::SQ) if is_too_short_for_items(length) => VR::UN,
                vr => vr.unwrap_or(VR::UN),
            },
            WrittenVr::Wrong => {
                self.document.warnings.add("an element has a VR that the Standard does not know");
                self.document.vr_of_unknown(tag, length)
            }
        }
    }

    pub(super) fn begin_undefined(
        &mut self,
        tag: u32,
        vr: VR,
        written: WrittenVr,
    ) -> Result<(), HeaderError> {
        if has_fragments(tag, vr) {
            let keeps = self.document.is_root() && tag == tag::PIXEL_DATA && self.pixel.is_none();
            let vr = if is_binary(vr) && vr != VR::UN { vr } else { VR::OB };
            self.state = State::Encapsulated(Box::new(Encapsulated::new(tag, vr, self.position, keeps)));
            return Ok(());
        }
        if !matches!(vr, VR::SQ | VR::UN) {
            self.document
                .warnings
                .add("an element of undefined length is read as a sequence, whatever its VR");
        }
        self.begin_sequence(tag, None, None)?;
        if written == WrittenVr::Known(VR::UN)
            && let Some(container) = self.containers.last_mut()
        {
            container.encoding = Encoding::IMPLICIT_LITTLE_ENDIAN;
            container.sniffs_items = true;
        }
        Ok(())
    }

    pub(super) fn begin_sequence(
        &mut self,
        tag: u32,
        end: Option<u64>,
        unproven: Option<(u32, Encoding)>,
    ) -> Result<(), HeaderError> {
        self.depth += 1;
        if self.depth > self.limits.sequence_depth_max {
            return Err(HeaderError::TooDeep { max: self.limits.sequence_depth_max });
        }
        if unproven.is_none() {
            self.document.begin_sequence(tag);
        }
        let encoding = unproven.map_or(self.encoding(), |(_, encoding)| encoding);
        self.open(Container {
            is_sequence: true,
            encoding,
            end,
            bound: None,
            unproven: unproven.map(|(tag, _)| tag),
            sniffs_items: unproven.is_some(),
        });
        self.state = State::Header;
        self.check_memory()
    }

    pub(super) fn begin_item(&mut self, length: u32) -> Result<(), HeaderError> {
        let end = (length != UNDEFINED_LENGTH).then(|| self.position + u64::from(length));
        if let Some(end) = end {
            self.check_bound(end)?;
        }
        let mut sniffs = false;
        if let Some(sequence) = self.containers.last_mut() {
            sniffs = sequence.sniffs_items;
            if let Some(tag) = sequence.unproven.take() {
                self.document.begin_sequence(tag);
            }
        }
        self.document.begin_item();
        let encoding = self.encoding();
        self.open(Container {
            is_sequence: false,
            encoding,
            end,
            bound: None,
            unproven: None,
            sniffs_items: false,
        });
        self.sniffs = sniffs && length > 0;
        self.close_ended()?;
        self.check_memory()
    }

    fn open(&mut self, mut container: Container) {
        let around = self.containers.last().and_then(|container| container.bound);
        container.bound = match (container.end, around) {
            (Some(end), Some(around)) => Some(end.min(around)),
            (end, around) => end.or(around),
        };
        self.containers.push(container);
    }

    /// The element is complete, and with it whatever its last byte ends.
    pub(super) fn end_element(&mut self) -> Result<(), HeaderError> {
        self.state = State::Header;
        self.close_ended()?;
        self.check_memory()
    }

    /// Closes what ends here by its declared length. Whatever is still open inside of it is complete, only its
    /// delimiter is missing.
    fn close_ended(&mut self) -> Result<(), HeaderError> {
        while let Some(container) = self.containers.last() {
            if container.bound != Some(self.position) {
                break;
            }
            if container.end != Some(self.position) {
                self.document.warnings.add("a delimiter is missing at the end of an item or sequence");
            }
            self.close()?;
        }
        Ok(())
    }

    pub(super) fn end_by_delimiter(&mut self, of_defined_length: &'static str) -> Result<(), HeaderError> {
        if self.containers.last().is_some_and(|container| container.end.is_some()) {
            return Err(self.malformed(of_defined_length));
        }
        self.close()?;
        self.end_element()
    }

    fn close(&mut self) -> Result<(), HeaderError> {
        self.sniffs = false;
        match self.containers.pop() {
            Some(Container { is_sequence: true, unproven: None, .. }) => {
                self.depth -= 1;
                self.document.end_sequence();
            }
            Some(Container { is_sequence: false, .. }) => self.document.end_item(),
            Some(Container { unproven: Some(_), .. }) | None => {
                return Err(self.malformed("a sequence ends before it begins"));
            }
        }
        Ok(())
    }

    /// Something other than an item where an item must be: then an element that only the dictionary calls a sequence
    /// is none, as with tags whose meaning has changed.
    pub(super) fn not_an_item(&mut self) -> Result<(), HeaderError> {
        let Some(Container { unproven: Some(tag), end: Some(end), .. }) = self.containers.last() else {
            return Err(self.malformed("a sequence holds something other than items"));
        };
        let (tag, end) = (*tag, *end);
        let offset = self.position - 8;
        self.containers.pop();
        self.depth -= 1;
        let range = ByteRange { offset, length: end - offset };
        let remaining = end - self.position;
        if range.length > self.limits.value_max_bytes {
            self.document.reference(tag, VR::UN, range);
            return self.begin_skip(remaining);
        }
        let pending = PendingValue { tag, vr: VR::UN, range, remaining, big_endian: false };
        if remaining == 0 {
            let head = self.head;
            return self.end_value(pending, &head[..8]);
        }
        self.value.extend_from_slice(&self.head[..8]);
        self.state = State::Value(pending);
        Ok(())
    }

    pub(super) fn end_encapsulated(&mut self) -> Result<(), HeaderError> {
        let State::Encapsulated(encapsulated) = std::mem::replace(&mut self.state, State::Header) else {
            return Ok(());
        };
        let length = (self.position - 8).saturating_sub(encapsulated.start);
        let range = ByteRange { offset: encapsulated.start, length };
        self.document.reference(encapsulated.tag, encapsulated.vr, range);
        if encapsulated.tag == tag::PIXEL_DATA && self.document.is_root() && self.pixel.is_none() {
            self.after_pixel_data = true;
            self.pixel = Some(PixelElement::Encapsulated(encapsulated));
        }
        self.end_element()
    }
}
