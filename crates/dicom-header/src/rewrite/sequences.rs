//! PS3.5 7.5: sequences and items on their way through.

use dicom_core::VR;

use super::{Container, Rewriter, State};
use crate::{element::UNDEFINED_LENGTH, error::HeaderError, limits::Limits, tag};

impl Rewriter {
    pub(super) fn begin_sequence(
        &mut self,
        end: Option<u64>,
        unproven: Option<(u32, u32)>,
    ) -> Result<(), HeaderError> {
        self.check_depth()?;
        self.containers.push(Container {
            is_sequence: true,
            is_fragments: false,
            source: self.source(),
            implicit_vr: self.implicit_vr(),
            end,
            sniffs_items: unproven.is_some(),
            unproven,
        });
        self.state = State::Header;
        Ok(())
    }

    /// A sequence and its item count twice.
    pub(super) fn check_depth(&self) -> Result<(), HeaderError> {
        let max = Limits::default().sequence_depth_max;
        if self.containers.len() < max * 2 { Ok(()) } else { Err(HeaderError::TooDeep { max }) }
    }

    pub(super) fn begin_item(&mut self, length: u32) -> Result<(), HeaderError> {
        let Some(sequence) = self.containers.last_mut() else {
            return Err(self.malformed("an item stands outside of a sequence"));
        };
        let unproven = sequence.unproven.take();
        let (is_fragments, sniffs) = (sequence.is_fragments, sequence.sniffs_items);
        // An item that may be in another encoding than it should be must be looked at, unless it passes as it is. Without the UN
        // around it nobody would look again.
        let loses_un = sniffs && self.rewrite.implicit_vr;
        let passes = length != UNDEFINED_LENGTH && !sequence.converts() && !loses_un;
        if let Some((tag, _)) = unproven {
            self.write_header(tag, VR::SQ, UNDEFINED_LENGTH);
        }
        if is_fragments || passes {
            self.write_item_header(tag::ITEM, length);
            return self.begin_value(u64::from(length), 1);
        }
        self.write_item_header(tag::ITEM, UNDEFINED_LENGTH);
        let end = (length != UNDEFINED_LENGTH).then(|| self.position + u64::from(length));
        let (source, implicit_vr) = (self.source(), self.implicit_vr());
        self.containers.push(Container {
            is_sequence: false,
            is_fragments: false,
            source,
            implicit_vr,
            end,
            unproven: None,
            sniffs_items: false,
        });
        self.sniffs = sniffs && length > 0;
        self.state = State::Header;
        self.close_ended()
    }

    pub(super) fn end_by_delimiter(&mut self) -> Result<(), HeaderError> {
        if self.containers.last().is_some_and(|container| container.end.is_some()) {
            return Err(self.malformed("a sequence or item of defined length has a delimiter"));
        }
        self.close();
        self.end_element()
    }

    /// Closes what ends here by its declared length, and what is still open inside of it.
    pub(super) fn close_ended(&mut self) -> Result<(), HeaderError> {
        let ended = self.containers.iter().position(|container| container.end == Some(self.position));
        while ended.is_some_and(|ended| self.containers.len() > ended) {
            self.close();
        }
        let past = |container: &Container| container.end.is_some_and(|end| end < self.position);
        if self.containers.iter().any(past) {
            return Err(HeaderError::LengthPastEnd { offset: self.position });
        }
        Ok(())
    }

    fn close(&mut self) {
        self.sniffs = false;
        let Some(container) = self.containers.pop() else { return };
        let delimiter =
            if container.is_sequence { tag::SEQUENCE_DELIMITATION } else { tag::ITEM_DELIMITATION };
        self.write_item_header(delimiter, 0);
        self.unmute();
    }

    /// An element that the dictionary calls a sequence and that holds something else is written as unknown.
    pub(super) fn not_an_item(&mut self) -> Result<(), HeaderError> {
        let container = self.containers.pop();
        let Some(Container { unproven: Some((tag, length)), end: Some(end), .. }) = container else {
            return Err(self.malformed("a sequence holds something other than items"));
        };
        let head = self.head;
        self.write_header(tag, VR::UN, length);
        self.emit(&head[..super::SHORT_HEADER_BYTES]);
        self.begin_value(end.saturating_sub(self.position), 1)
    }
}
