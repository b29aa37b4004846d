//! PS3.5 7 and Annex A: a kept data set in another encoding, with some attributes changed, while its bytes pass by.
//!
//! Only what was read by [`crate::HeaderReader`] before comes here, but nothing relies on that: whatever the bytes
//! are, memory stays small and nothing is recursive. Where the encoding changes, sequences and items of declared
//! length become ones of undefined length, since their new length is not known before they end (PS3.5 7.5.1).

mod elements;
mod sequences;
mod write;

pub use write::element_header;

use std::collections::BTreeMap;

use dicom_core::VR;
use model::TransferSyntaxUid;

use crate::{
    element::{self, ElementHeader, Encoding},
    error::HeaderError,
    sniff::{Sniffed, sniff},
    tag,
};

/// A header is read in one go once this many bytes of it are there; some need four more.
const SHORT_HEADER_BYTES: usize = 8;

/// What becomes of an attribute at the top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It is left out.
    Remove,
    /// It has this value, whether it was there or not.
    Set {
        /// Its VR.
        vr: VR,
        /// The value as it is written in the new data set, of even length.
        value: Vec<u8>,
    },
}

/// How a data set is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Without VR: Implicit VR Little Endian. Else Explicit VR Little Endian.
    pub implicit_vr: bool,
    /// Pixel Representation (0028,0103), which decides between US and SS where no VR is written.
    pub signed: bool,
    /// Bytes of the words in Pixel Data, for the byte order.
    pub pixel_word_bytes: usize,
    /// Stop behind the header of Pixel Data: the caller writes it.
    pub stops_at_pixel_data: bool,
    /// Changes by tag (group << 16 | element).
    pub edits: BTreeMap<u32, Edit>,
}

enum State {
    /// Between elements, or inside a header.
    Header,
    /// In a value, swapping words of `unit` bytes.
    Value { remaining: u64, unit: usize },
    /// Behind the header of Pixel Data.
    Stopped,
}

/// A sequence or item that is open.
struct Container {
    is_sequence: bool,
    /// Items are fragments of encapsulated pixel data.
    is_fragments: bool,
    source: Encoding,
    /// Written without VR.
    implicit_vr: bool,
    /// Where its declared length ends it.
    end: Option<u64>,
    /// An element that only the dictionary calls a sequence, as long as no item of it was seen: tag and length.
    unproven: Option<(u32, u32)>,
    /// The items may be explicit although they should be implicit.
    sniffs_items: bool,
}

impl Container {
    fn converts(&self) -> bool {
        self.source.big_endian || self.source.implicit_vr != self.implicit_vr
    }
}

/// Rewrites one data set. Bytes go in by [`Self::push`] and come out by [`Self::take`].
pub struct Rewriter {
    source: Encoding,
    rewrite: Rewrite,
    position: u64,
    head: [u8; 12],
    head_length: usize,
    head_wanted: usize,
    sniffs: bool,
    state: State,
    containers: Vec<Container>,
    /// Number of containers around the element that is being left out.
    muted: Option<usize>,
    word: Vec<u8>,
    out: Vec<u8>,
}

impl Rewriter {
    /// For a data set kept in `transfer_syntax`; of a deflated one the inflated bytes are pushed.
    pub fn new(transfer_syntax: &TransferSyntaxUid, rewrite: Rewrite) -> Self {
        let encoding = transfer_syntax.data_set_encoding();
        let source = Encoding { implicit_vr: encoding.implicit_vr, big_endian: encoding.big_endian };
        Self {
            source,
            rewrite,
            position: 0,
            head: [0; 12],
            head_length: 0,
            head_wanted: SHORT_HEADER_BYTES,
            sniffs: false,
            state: State::Header,
            containers: Vec::new(),
            muted: None,
            word: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Takes the next bytes of the data set. What comes after the header of Pixel Data is dropped when it stops there.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] and its like when the bytes are no data set of this encoding.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), HeaderError> {
        while !bytes.is_empty() {
            let used = match self.state {
                State::Stopped => return Ok(()),
                State::Header => self.take_header(bytes)?,
                State::Value { remaining, unit } => {
                    let used = bytes.len().min(usize::try_from(remaining).unwrap_or(usize::MAX));
                    self.position += used as u64;
                    self.copy(&bytes[..used], unit);
                    let remaining = remaining - used as u64;
                    self.state = State::Value { remaining, unit };
                    if remaining == 0 {
                        let rest = std::mem::take(&mut self.word);
                        self.emit(&rest);
                        self.end_element()?;
                    }
                    used
                }
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// What has been written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Whether the header of Pixel Data has been reached.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Goes on with what follows Pixel Data.
    pub fn resume(&mut self) {
        if self.is_stopped() {
            self.state = State::Header;
        }
    }

    /// Writes what is left of the changes. Zero bytes after the last element are dropped, as when the data set came.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] when something is still open.
    pub fn finish(&mut self) -> Result<(), HeaderError> {
        let padding = self.head[..self.head_length].iter().all(|byte| *byte == 0);
        if !matches!(self.state, State::Header) || !self.containers.is_empty() || !padding {
            return Err(HeaderError::Truncated { offset: self.position });
        }
        self.flush_edits(None);
        Ok(())
    }

    fn source(&self) -> Encoding {
        self.containers.last().map_or(self.source, |container| container.source)
    }

    fn implicit_vr(&self) -> bool {
        self.containers.last().map_or(self.rewrite.implicit_vr, |container| container.implicit_vr)
    }

    fn converts(&self) -> bool {
        let source = self.source();
        source.big_endian || source.implicit_vr != self.implicit_vr()
    }

    fn malformed(&self, what: &'static str) -> HeaderError {
        HeaderError::Malformed { offset: self.position, what }
    }

    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, HeaderError> {
        let used = bytes.len().min(self.head_wanted - self.head_length);
        self.head[self.head_length..self.head_length + used].copy_from_slice(&bytes[..used]);
        self.head_length += used;
        self.position += used as u64;
        if self.head_length < self.head_wanted {
            return Ok(used);
        }
        if self.head_length == SHORT_HEADER_BYTES {
            if self.sniffs {
                // After a group length the next one is looked at, too, as when the data set came.
                self.sniffs = element::read_tag(&self.head, self.source()) as u16 == 0;
                if let Sniffed::OtherVr(encoding) = sniff(&self.head, self.source())
                    && let Some(item) = self.containers.last_mut()
                {
                    item.source = encoding;
                }
            }
            self.head_wanted = element::header_length(&self.head, self.source());
            if self.head_wanted > SHORT_HEADER_BYTES {
                return Ok(used);
            }
        }
        let header = element::parse(&self.head, self.source());
        let length = std::mem::take(&mut self.head_length);
        self.head_wanted = SHORT_HEADER_BYTES;
        self.header(header, length)?;
        Ok(used)
    }

    fn header(&mut self, header: ElementHeader, head_length: usize) -> Result<(), HeaderError> {
        let in_sequence = self.containers.last().map(|container| container.is_sequence);
        match (in_sequence, header.tag) {
            (Some(true), tag::ITEM) => self.begin_item(header.length),
            (Some(true), tag::SEQUENCE_DELIMITATION) | (Some(false), tag::ITEM_DELIMITATION) => {
                self.end_by_delimiter()
            }
            (Some(true), _) => self.not_an_item(),
            (_, tag::ITEM | tag::ITEM_DELIMITATION | tag::SEQUENCE_DELIMITATION) => {
                Err(self.malformed("an item or delimiter stands outside of a sequence"))
            }
            _ => self.begin_element(header, head_length),
        }
    }
}

#[cfg(test)]
mod tests;
