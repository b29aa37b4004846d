//! PS3.5 7.1.2 and 7.1.3: headers as they are written, little endian.

use dicom_core::VR;

use super::Rewriter;
use crate::element::{UNDEFINED_LENGTH, has_long_length};

/// The header of an element as a rewritten data set has it; without a length that of a sequence or of encapsulated
/// pixel data (PS3.5 7.5 and A.4). `tag` is group << 16 | element.
pub fn element_header(implicit_vr: bool, tag: u32, vr: VR, length: Option<u32>) -> Vec<u8> {
    let mut header = Vec::with_capacity(12);
    write_header(&mut header, implicit_vr, tag, vr, length.unwrap_or(UNDEFINED_LENGTH));
    header
}

fn write_tag(out: &mut Vec<u8>, tag: u32) {
    out.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
    out.extend_from_slice(&(tag as u16).to_le_bytes());
}

fn write_header(out: &mut Vec<u8>, implicit_vr: bool, tag: u32, vr: VR, length: u32) {
    write_tag(out, tag);
    if implicit_vr {
        out.extend_from_slice(&length.to_le_bytes());
        return;
    }
    match u16::try_from(length) {
        Ok(length) if !has_long_length(vr) => {
            out.extend_from_slice(vr.to_string().as_bytes());
            out.extend_from_slice(&length.to_le_bytes());
        }
        // A value that is too long for the length of its VR is written as UN (PS3.5 6.2.2).
        _ => {
            let vr = if has_long_length(vr) { vr } else { VR::UN };
            out.extend_from_slice(vr.to_string().as_bytes());
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
}

impl Rewriter {
    pub(super) fn emit(&mut self, bytes: &[u8]) {
        if self.muted.is_none() {
            self.out.extend_from_slice(bytes);
        }
    }

    pub(super) fn write_header(&mut self, tag: u32, vr: VR, length: u32) {
        if self.muted.is_none() {
            let implicit_vr = self.implicit_vr();
            write_header(&mut self.out, implicit_vr, tag, vr, length);
        }
    }

    /// Items and delimiters have no VR in any encoding (PS3.5 7.5).
    pub(super) fn write_item_header(&mut self, tag: u32, length: u32) {
        if self.muted.is_none() {
            write_tag(&mut self.out, tag);
            self.out.extend_from_slice(&length.to_le_bytes());
        }
    }

    /// Copies a piece of a value, whose words may begin in one piece and end in the next.
    pub(super) fn copy(&mut self, mut bytes: &[u8], unit: usize) {
        if self.muted.is_some() {
            return;
        }
        if unit < 2 {
            return self.out.extend_from_slice(bytes);
        }
        if !self.word.is_empty() {
            let taken = bytes.len().min(unit - self.word.len());
            self.word.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.word.len() < unit {
                return;
            }
            self.word.reverse();
            self.out.append(&mut self.word);
        }
        let words = bytes.chunks_exact(unit);
        self.word.extend_from_slice(words.remainder());
        self.out.reserve(bytes.len());
        words.for_each(|word| self.out.extend(word.iter().rev()));
    }
}
