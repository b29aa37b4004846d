//! PS3.5 7.1: elements on their way through.

use dicom_core::VR;

use super::{Container, Edit, Rewriter, State};
use crate::{
    dictionary,
    element::{ElementHeader, Encoding, UNDEFINED_LENGTH, WrittenVr, has_fragments, is_binary, word_size},
    error::HeaderError,
    tag,
};

impl Rewriter {
    pub(super) fn begin_element(
        &mut self,
        header: ElementHeader,
        head_length: usize,
    ) -> Result<(), HeaderError> {
        let ElementHeader { tag, length, .. } = header;
        let is_root = self.containers.is_empty();
        if is_root {
            self.flush_edits(Some(tag));
            if tag::is_pixel_data(tag) && self.rewrite.stops_at_pixel_data {
                self.state = State::Stopped;
                return Ok(());
            }
            self.edit(tag);
        }
        // Group lengths are retired and wrong once anything changes (PS3.5 7.2).
        if self.muted.is_none() && tag as u16 == 0 && (is_root || self.converts()) {
            self.muted = Some(self.containers.len());
        }
        let vr = self.vr(header);
        let head = self.head;
        let raw = (!self.converts()).then_some(&head[..head_length]);
        if length == UNDEFINED_LENGTH {
            return self.begin_undefined(header, vr, raw);
        }
        if vr == VR::SQ && length > 0 && raw.is_none() {
            match header.vr {
                WrittenVr::Known(_) => {
                    self.write_header(tag, VR::SQ, UNDEFINED_LENGTH);
                    return self.begin_sequence(Some(self.position + u64::from(length)), None);
                }
                WrittenVr::Absent if length >= 8 => {
                    let end = Some(self.position + u64::from(length));
                    return self.begin_sequence(end, Some((tag, length)));
                }
                WrittenVr::Absent | WrittenVr::Wrong => {}
            }
        }
        let vr = if vr == VR::SQ && length > 0 { VR::UN } else { vr };
        let big_endian = self.source().big_endian && header.vr != WrittenVr::Known(VR::UN);
        match raw {
            Some(raw) => self.emit(raw),
            None => self.write_header(tag, vr, length),
        }
        let unit = match vr {
            _ if !big_endian => 1,
            _ if is_root && tag::is_pixel_data(tag) => self.rewrite.pixel_word_bytes.max(1),
            vr => word_size(vr),
        };
        self.begin_value(u64::from(length), unit)
    }

    /// The VR to write: the one that stands there, or the dictionary's.
    fn vr(&self, header: ElementHeader) -> VR {
        match header.vr {
            WrittenVr::Known(vr) => vr,
            WrittenVr::Absent => dictionary::vr(header.tag, self.rewrite.signed).unwrap_or(VR::UN),
            WrittenVr::Wrong => dictionary::vr_of_unknown(header.tag, self.rewrite.signed, header.length),
        }
    }

    fn begin_undefined(
        &mut self,
        header: ElementHeader,
        vr: VR,
        raw: Option<&[u8]>,
    ) -> Result<(), HeaderError> {
        let is_fragments = has_fragments(header.tag, vr);
        let is_unknown = header.vr == WrittenVr::Known(VR::UN);
        let vr = match vr {
            vr if is_fragments && is_binary(vr) && vr != VR::UN => vr,
            _ if is_fragments => VR::OB,
            _ if is_unknown => VR::UN,
            _ => VR::SQ,
        };
        let read_again_as = dictionary::vr(header.tag, self.rewrite.signed).unwrap_or(VR::UN);
        match raw {
            Some(raw) => self.emit(raw),
            // Without its VR a reader takes fragments for a sequence, or a sequence for fragments.
            None if self.muted.is_none()
                && self.implicit_vr()
                && is_fragments != has_fragments(header.tag, read_again_as) =>
            {
                return Err(HeaderError::NeedsExplicitVr { offset: self.position });
            }
            None => self.write_header(header.tag, vr, UNDEFINED_LENGTH),
        }
        self.check_depth()?;
        // What is inside of UN has no VR, before and after (PS3.5 6.2.2, note 4).
        let unknown = is_unknown && !is_fragments;
        self.containers.push(Container {
            is_sequence: true,
            is_fragments,
            source: if unknown { Encoding::IMPLICIT_LITTLE_ENDIAN } else { self.source() },
            implicit_vr: unknown || self.implicit_vr(),
            end: None,
            unproven: None,
            sniffs_items: unknown,
        });
        self.state = State::Header;
        Ok(())
    }

    pub(super) fn begin_value(&mut self, length: u64, unit: usize) -> Result<(), HeaderError> {
        if length == 0 {
            return self.end_element();
        }
        self.state = State::Value { remaining: length, unit };
        Ok(())
    }

    /// The element is complete, and with it whatever its last byte ends.
    pub(super) fn end_element(&mut self) -> Result<(), HeaderError> {
        self.state = State::Header;
        // Before anything is closed: what is left out may be the last of an item, whose end has to be written.
        self.unmute();
        self.close_ended()
    }

    /// What was left out is over when nothing is open any more that was not open around it.
    pub(super) fn unmute(&mut self) {
        if self.muted == Some(self.containers.len()) {
            self.muted = None;
        }
    }

    /// Writes the new value of an attribute that is there, and leaves out the old one.
    fn edit(&mut self, tag: u32) {
        if let Some(edit) = self.rewrite.edits.remove(&tag) {
            self.write_edit(tag, edit);
            self.muted = Some(self.containers.len());
        }
    }

    /// Writes the attributes before `tag` that were not there; without a tag all that are left.
    pub(super) fn flush_edits(&mut self, tag: Option<u32>) {
        while let Some(entry) = self.rewrite.edits.first_entry() {
            if tag.is_some_and(|tag| *entry.key() >= tag) {
                return;
            }
            let (tag, edit) = entry.remove_entry();
            self.write_edit(tag, edit);
        }
    }

    fn write_edit(&mut self, tag: u32, edit: Edit) {
        if let Edit::Set { vr, value } = edit {
            self.write_header(tag, vr, value.len() as u32);
            self.emit(&value);
        }
    }
}
