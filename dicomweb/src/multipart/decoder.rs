//! RFC 2046 5.1, reading `multipart` bytes as they come, without input or output of its own.
//!
//! The work is linear in the number of bytes, however they are cut into chunks: the search for a delimiter
//! never looks at a byte again except at the few that could begin one at the end of a chunk.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::{
    BOUNDARY_LENGTH_MAX_BYTES, MultipartError, PART_HEADER_LENGTH_MAX_BYTES, PREAMBLE_LENGTH_MAX_BYTES,
    PartHeader,
};

/// What the decoder found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Part(PartHeader),
    /// Some of the part's payload.
    Data(Bytes),
    /// The part is complete.
    PartEnd,
    /// The closing delimiter was read; what follows means nothing.
    End,
    /// Nothing more without [`Decoder::feed`].
    NeedMore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// The delimiter is at the start of the buffer; `first` when no part came before it.
    Delimiter {
        first: bool,
    },
    Header,
    Body,
    End,
}

/// A push parser for one payload.
#[derive(Debug)]
pub struct Decoder {
    /// CR LF `--` boundary.
    delimiter: Vec<u8>,
    finder: memmem::Finder<'static>,
    buffer: BytesMut,
    /// Bytes at the start of the buffer that were searched already.
    searched: usize,
    state: State,
    parts: usize,
    parts_max: usize,
}

impl Decoder {
    /// Starts at the first byte of the payload.
    pub fn new(boundary: &str, parts_max: usize) -> Result<Self, MultipartError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        let fits = (1..=BOUNDARY_LENGTH_MAX_BYTES).contains(&boundary.len())
            && boundary.bytes().all(allowed)
            && !boundary.ends_with(' ');
        if !fits {
            return Err(MultipartError::BoundaryInvalid);
        }
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        let finder = memmem::Finder::new(&delimiter).into_owned();
        // A delimiter belongs to the line break before it; the first one may stand at the very start.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Ok(Self { delimiter, finder, buffer, searched: 0, state: State::Preamble, parts: 0, parts_max })
    }

    /// Adds the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.state != State::End {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// True after the closing delimiter.
    pub fn is_at_end(&self) -> bool {
        self.state == State::End
    }

    /// How many parts have begun.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// The next thing in the bytes fed so far.
    pub fn poll(&mut self) -> Result<Event, MultipartError> {
        loop {
            let event = match self.state {
                State::Preamble => self.poll_preamble()?,
                State::Delimiter { first } => self.poll_delimiter(first)?,
                State::Header => return self.poll_header(),
                State::Body => Some(self.poll_body()),
                State::End => return Ok(Event::End),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    /// Finds the delimiter, or drops nothing and remembers what was searched.
    fn find_delimiter(&mut self) -> Option<usize> {
        let found = self.finder.find(&self.buffer[self.searched..]).map(|at| at + self.searched);
        if found.is_none() {
            self.searched = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
        }
        found
    }

    fn poll_preamble(&mut self) -> Result<Option<Event>, MultipartError> {
        let found = self.find_delimiter();
        if found.unwrap_or(self.buffer.len()) > PREAMBLE_LENGTH_MAX_BYTES + self.delimiter.len() {
            return Err(MultipartError::DelimiterMissing);
        }
        let Some(at) = found else { return Ok(Some(Event::NeedMore)) };
        self.buffer.advance(at);
        self.state = State::Delimiter { first: true };
        Ok(None)
    }

    /// Looks at what follows the boundary: `--` closes, a line break begins a part, anything else means that the
    /// bytes only began like a delimiter.
    fn poll_delimiter(&mut self, first: bool) -> Result<Option<Event>, MultipartError> {
        let rest = &self.buffer[self.delimiter.len()..];
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if padding > BOUNDARY_LENGTH_MAX_BYTES {
            return Err(MultipartError::PartHeaderMalformed);
        }
        let Some(after) = rest.get(padding..padding + 2) else { return Ok(Some(Event::NeedMore)) };
        if padding == 0 && after == b"--" {
            self.state = State::End;
            self.buffer = BytesMut::new();
            return Ok((!first).then_some(Event::PartEnd));
        }
        if after == b"\r\n" {
            // The line break stays: an empty header is then a line break like any other header's end.
            self.buffer.advance(self.delimiter.len() + padding);
            self.searched = 0;
            self.state = State::Header;
            return Ok((!first).then_some(Event::PartEnd));
        }
        if first {
            self.searched = self.delimiter.len();
            self.state = State::Preamble;
            return Ok(None);
        }
        self.searched = 0;
        self.state = State::Body;
        Ok(Some(Event::Data(self.buffer.split_to(self.delimiter.len()).freeze())))
    }

    fn poll_header(&mut self) -> Result<Event, MultipartError> {
        let found = memmem::find(&self.buffer[self.searched..], b"\r\n\r\n").map(|at| at + self.searched);
        if found.unwrap_or(self.buffer.len()) > PART_HEADER_LENGTH_MAX_BYTES {
            return Err(MultipartError::PartHeaderTooLong);
        }
        let Some(end) = found else {
            self.searched = self.buffer.len().saturating_sub(3);
            return Ok(Event::NeedMore);
        };
        if self.parts == self.parts_max {
            return Err(MultipartError::TooManyParts(self.parts_max));
        }
        self.parts += 1;
        let header = PartHeader::parse(&self.buffer[..end])?;
        self.buffer.advance(end + 4);
        self.searched = 0;
        self.state = State::Body;
        Ok(Event::Part(header))
    }

    fn poll_body(&mut self) -> Event {
        let Some(at) = self.find_delimiter() else {
            let safe = std::mem::take(&mut self.searched);
            return if safe == 0 {
                Event::NeedMore
            } else {
                Event::Data(self.buffer.split_to(safe).freeze())
            };
        };
        self.state = State::Delimiter { first: false };
        self.searched = 0;
        // An empty run is told as such rather than by going round again: `poll` stays one step a call.
        Event::Data(self.buffer.split_to(at).freeze())
    }
}

#[cfg(test)]
mod tests;
