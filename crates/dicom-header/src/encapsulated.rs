//! PS3.5 A.4, Encapsulation of Encoded Pixel Data: the items of an element of undefined length that is no sequence.

use dicom_core::VR;
use model::frame::ByteRange;

use crate::{
    element::{ElementHeader, UNDEFINED_LENGTH},
    limits::BASIC_OFFSET_TABLE_MAX_BYTES,
    tag,
};

/// First bytes of a fragment that tell whether a codestream begins there.
const SIGNATURE_BYTES: usize = 12;

/// One fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// First byte of its value, after the item header.
    pub(crate) offset: u64,
    pub(crate) length: u32,
    /// A codestream begins here.
    pub(crate) starts: bool,
}

impl Fragment {
    pub(crate) fn range(&self) -> ByteRange {
        ByteRange { offset: self.offset, length: u64::from(self.length) }
    }
}

/// An encapsulated value, while it comes in and when it is complete.
#[derive(Debug)]
pub(crate) struct Encapsulated {
    pub(crate) tag: u32,
    pub(crate) vr: VR,
    /// Where the Basic Offset Table's item begins.
    pub(crate) start: u64,
    /// Bytes of the Basic Offset Table; empty also when it is too long to be kept.
    pub(crate) offset_table: Vec<u8>,
    /// Fragments, when they are kept.
    pub(crate) fragments: Vec<Fragment>,
    keeps: bool,
    items: u64,
    current: Current,
}

/// The item whose value is coming in.
#[derive(Debug)]
struct Current {
    offset: u64,
    length: u32,
    remaining: u32,
    signature: [u8; SIGNATURE_BYTES],
    seen: usize,
}

/// What an item header within the value means.
pub(crate) enum EncapsulatedStep {
    /// An item's value follows, or for an item without value another header.
    Item,
    /// The sequence delimiter was read.
    End,
    /// Neither item nor delimiter, or an item of undefined length.
    Malformed(&'static str),
}

impl Encapsulated {
    /// `keeps` is true for the frames of the instance itself, not for icons.
    pub(crate) fn new(tag: u32, vr: VR, start: u64, keeps: bool) -> Self {
        let current =
            Current { offset: start, length: 0, remaining: 0, signature: [0; SIGNATURE_BYTES], seen: 0 };
        Self { tag, vr, start, offset_table: Vec::new(), fragments: Vec::new(), keeps, items: 0, current }
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.offset_table.capacity() + self.fragments.capacity() * size_of::<Fragment>()
    }

    /// Takes an item header that ends at `position`.
    pub(crate) fn header(&mut self, header: ElementHeader, position: u64) -> EncapsulatedStep {
        match (header.tag, header.length) {
            (tag::SEQUENCE_DELIMITATION, _) => EncapsulatedStep::End,
            (tag::ITEM, UNDEFINED_LENGTH) => EncapsulatedStep::Malformed("a fragment has undefined length"),
            (tag::ITEM, length) => {
                self.items += 1;
                self.current = Current {
                    offset: position,
                    length,
                    remaining: length,
                    signature: [0; SIGNATURE_BYTES],
                    seen: 0,
                };
                if length == 0 {
                    self.end_item();
                }
                EncapsulatedStep::Item
            }
            _ => EncapsulatedStep::Malformed("encapsulated pixel data holds something other than items"),
        }
    }

    /// True while an item's value is not complete.
    pub(crate) fn is_in_item(&self) -> bool {
        self.current.remaining > 0
    }

    /// Takes bytes of the current item's value and says how many.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        let used = bytes.len().min(self.current.remaining as usize);
        if self.is_offset_table() {
            if u64::from(self.current.length) <= BASIC_OFFSET_TABLE_MAX_BYTES {
                self.offset_table.extend_from_slice(&bytes[..used]);
            }
        } else {
            let seen = self.current.seen;
            let wanted = used.min(SIGNATURE_BYTES - seen);
            self.current.signature[seen..seen + wanted].copy_from_slice(&bytes[..wanted]);
            self.current.seen += wanted;
        }
        self.current.remaining -= used as u32;
        if self.current.remaining == 0 {
            self.end_item();
        }
        used
    }

    /// The first item is the Basic Offset Table, also when it is empty.
    fn is_offset_table(&self) -> bool {
        self.items == 1
    }

    fn end_item(&mut self) {
        if self.keeps && !self.is_offset_table() && self.current.length > 0 {
            let starts = begins_codestream(&self.current.signature[..self.current.seen]);
            let Current { offset, length, .. } = self.current;
            self.fragments.push(Fragment { offset, length, starts });
        }
    }
}

/// JPEG and JPEG-LS (SOI), JPEG 2000 and HTJ2K (SOC), JP2 and JPEG XL boxes, JPEG XL codestream.
fn begins_codestream(first: &[u8]) -> bool {
    first.starts_with(&[0xff, 0xd8, 0xff])
        || first.starts_with(&[0xff, 0x4f, 0xff, 0x51])
        || first.starts_with(&[0xff, 0x0a])
        || first.starts_with(b"\0\0\0\x0cjP  ")
        || first.starts_with(b"\0\0\0\x0cJXL ")
}
