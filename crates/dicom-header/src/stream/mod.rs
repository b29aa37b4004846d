//! PS3.5 7, The Data Set: element after element, with the open sequences on a stack of our own instead of the program's.

mod sequence;
mod value;

use dicom_core::VR;
use model::frame::ByteRange;

use crate::{
    document::Document,
    element::{self, ElementHeader, Encoding},
    encapsulated::{Encapsulated, EncapsulatedStep},
    error::HeaderError,
    limits::Limits,
    sniff::{Sniffed, sniff},
    tag,
};

/// A header is read in one go once this many bytes of it are there; some need four more.
const SHORT_HEADER_BYTES: usize = 8;

enum State {
    /// Between elements, or inside a header.
    Header,
    /// Reading a value into memory.
    Value(PendingValue),
    /// Passing over a value.
    Skip { remaining: u64 },
    /// In encapsulated pixel data.
    Encapsulated(Box<Encapsulated>),
}

#[derive(Clone, Copy)]
struct PendingValue {
    tag: u32,
    vr: VR,
    range: ByteRange,
    remaining: u64,
    big_endian: bool,
}

/// A sequence or item that is open.
struct Container {
    is_sequence: bool,
    encoding: Encoding,
    /// Where its declared length ends it.
    end: Option<u64>,
    /// The nearest end of it and everything around it.
    bound: Option<u64>,
    /// An element that only the dictionary calls a sequence, as long as no item of it was seen.
    unproven: Option<u32>,
    /// The items may be explicit although they should be implicit.
    sniffs_items: bool,
}

/// Where the pixel data of the instance lies.
pub(crate) enum PixelElement {
    Native { tag: u32, range: ByteRange },
    Encapsulated(Box<Encapsulated>),
}

pub(crate) struct Stream {
    limits: Limits,
    encoding: Encoding,
    position: u64,
    elements: u64,
    head: [u8; 12],
    head_length: usize,
    head_wanted: usize,
    sniffs: bool,
    state: State,
    containers: Vec<Container>,
    depth: usize,
    value: Vec<u8>,
    after_pixel_data: bool,
    pub(crate) pixel: Option<PixelElement>,
    pub(crate) document: Document,
}

impl Stream {
    pub(crate) fn new(encoding: Encoding, limits: Limits) -> Self {
        Self {
            limits,
            encoding,
            position: 0,
            elements: 0,
            head: [0; 12],
            head_length: 0,
            head_wanted: SHORT_HEADER_BYTES,
            sniffs: true,
            state: State::Header,
            containers: Vec::new(),
            depth: 0,
            value: Vec::new(),
            after_pixel_data: false,
            pixel: None,
            document: Document::new(&limits),
        }
    }

    /// Takes the next bytes of the data set.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), HeaderError> {
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Skip { remaining } => {
                    let used = bytes.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining -= used as u64;
                    let ended = *remaining == 0;
                    self.position += used as u64;
                    if ended {
                        self.end_element()?;
                    }
                    used
                }
                State::Encapsulated(encapsulated) if encapsulated.is_in_item() => {
                    let used = encapsulated.take(bytes);
                    self.position += used as u64;
                    self.check_memory()?;
                    used
                }
                State::Value(pending) => {
                    let pending = *pending;
                    self.take_value(pending, bytes)?
                }
                State::Header | State::Encapsulated(_) => self.take_header(bytes)?,
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// Nothing may be left open.
    pub(crate) fn finish(mut self) -> Result<(Document, Option<PixelElement>), HeaderError> {
        let padding = self.after_pixel_data && self.head[..self.head_length].iter().all(|byte| *byte == 0);
        let complete = matches!(self.state, State::Header) && self.containers.is_empty();
        if !complete || (self.head_length > 0 && !padding) {
            return Err(HeaderError::Truncated { offset: self.position });
        }
        if self.head_length > 0 {
            self.document.warnings.add("zero bytes after the last element are left out");
        }
        Ok((self.document, self.pixel))
    }

    pub(crate) fn malformed(&self, what: &'static str) -> HeaderError {
        HeaderError::Malformed { offset: self.position, what }
    }

    fn encoding(&self) -> Encoding {
        self.containers.last().map_or(self.encoding, |container| container.encoding)
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
                self.sniff()?;
            }
            self.head_wanted = element::header_length(&self.head, self.encoding());
            if self.head_wanted > SHORT_HEADER_BYTES {
                return Ok(used);
            }
        }
        let header = element::parse(&self.head, self.encoding());
        (self.head_length, self.head_wanted) = (0, SHORT_HEADER_BYTES);
        if let Some(bound) = self.containers.last().and_then(|container| container.bound)
            && self.position > bound
        {
            return Err(HeaderError::LengthPastEnd { offset: self.position });
        }
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            return Err(HeaderError::TooManyElements { max: self.limits.elements_max });
        }
        self.header(header)?;
        Ok(used)
    }

    /// Compares the first element of the data set, or of an item that may be either, with its declared encoding. A
    /// data set in another one could be read here, but not by whoever believes the object's file meta group. After a group
    /// length the next one is looked at too: group lengths are left out of what is written from it.
    fn sniff(&mut self) -> Result<(), HeaderError> {
        let element_number = element::read_tag(&self.head, self.encoding()) as u16;
        self.sniffs = element_number == 0;
        match (sniff(&self.head, self.encoding()), self.containers.last_mut()) {
            (Sniffed::OtherVr(encoding), None) => {
                let found = if encoding.implicit_vr { "Implicit VR" } else { "Explicit VR" };
                return Err(HeaderError::OtherEncoding { found });
            }
            (Sniffed::OtherVr(encoding), Some(item)) => item.encoding = encoding,
            (Sniffed::OtherByteOrder, None) => {
                return Err(HeaderError::OtherEncoding { found: "of the other byte order" });
            }
            (Sniffed::AsDeclared | Sniffed::OtherByteOrder, _) => {}
        }
        Ok(())
    }

    fn header(&mut self, header: ElementHeader) -> Result<(), HeaderError> {
        if let State::Encapsulated(encapsulated) = &mut self.state {
            match encapsulated.header(header, self.position) {
                EncapsulatedStep::Item => self.check_memory()?,
                EncapsulatedStep::End => self.end_encapsulated()?,
                EncapsulatedStep::Malformed(what) => return Err(self.malformed(what)),
            }
            return Ok(());
        }
        let in_sequence = self.containers.last().is_some_and(|container| container.is_sequence);
        match (in_sequence, header.tag) {
            (true, tag::ITEM) => self.begin_item(header.length),
            (true, tag::SEQUENCE_DELIMITATION) => {
                self.end_by_delimiter("a sequence of defined length has a delimiter")
            }
            (true, _) => self.not_an_item(),
            (false, tag::ITEM_DELIMITATION) if !self.containers.is_empty() => {
                self.end_by_delimiter("an item of defined length has a delimiter")
            }
            (false, tag::ITEM | tag::ITEM_DELIMITATION | tag::SEQUENCE_DELIMITATION) => {
                Err(self.malformed("an item or delimiter stands outside of a sequence"))
            }
            (false, _) => self.begin_element(header),
        }
    }

    fn check_bound(&self, end: u64) -> Result<(), HeaderError> {
        match self.containers.last().and_then(|container| container.bound) {
            Some(bound) if end > bound => Err(HeaderError::LengthPastEnd { offset: self.position }),
            _ => Ok(()),
        }
    }

    fn check_memory(&self) -> Result<(), HeaderError> {
        let pixel = match (&self.state, &self.pixel) {
            (State::Encapsulated(encapsulated), _) | (_, Some(PixelElement::Encapsulated(encapsulated))) => {
                encapsulated.memory_bytes()
            }
            _ => 0,
        };
        let total = self.document.memory_bytes() + self.value.capacity() + pixel;
        let max = self.limits.memory_max_bytes;
        if total > max { Err(HeaderError::TooMuchMemory { max }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
