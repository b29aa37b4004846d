//! Opening what was read, piece by piece: every chunk is proved before a byte of it goes on.

use std::{mem, ops::Range};

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    CHUNK_BYTES, ContentCipher, HEADER_BYTES, Header, ObjectAltered, SEAL_BYTES, SEALED_CHUNK_BYTES, Seal,
    Secret, Span, TAG_BYTES, chunk_count,
};

/// What comes next in the bytes that the store gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    Chunk(u64),
    Seal,
    Nothing,
}

/// Takes the stored bytes of a [`Span`] and gives the plain bytes of the range it was made for.
pub(crate) struct Opener {
    cipher: ContentCipher,
    header: [u8; HEADER_BYTES],
    seal: [u8; SEAL_BYTES],
    length_bytes: u64,
    span: Span,
    next: Next,
    /// The beginning of what comes next.
    pending: BytesMut,
    /// Plain bytes before the range that are still to be dropped.
    skip: u64,
    /// Plain bytes of the range that are still to come.
    remaining: u64,
}

impl Opener {
    pub(crate) fn new(header: &Header, seal: &Seal, data_key: &Secret, range: &Range<u64>) -> Self {
        let span = Span::covering(range, seal.length_bytes());
        Self {
            cipher: ContentCipher::new(data_key, header),
            header: header.bytes(),
            seal: seal.to_bytes(),
            length_bytes: seal.length_bytes(),
            next: if span.stored.start == 0 { Next::Header } else { Next::Chunk(span.chunks.start) },
            pending: BytesMut::new(),
            skip: range.start - span.plain.start,
            remaining: range.end - range.start,
            span,
        }
    }

    /// What to read.
    pub(crate) fn stored_range(&self) -> Range<u64> {
        self.span.stored.clone()
    }

    /// Takes the next bytes; gives the plain bytes that are proved by now. They are opened where they lie when nobody else
    /// holds them, which costs neither memory nor a second way through it.
    pub(crate) fn push(&mut self, mut piece: Bytes) -> Result<Bytes, ObjectAltered> {
        let mut begun = BytesMut::new();
        if !self.pending.is_empty() {
            let missing = (self.unit_bytes() - self.pending.len()).min(piece.len());
            self.pending.extend_from_slice(&piece.split_to(missing));
            if self.pending.len() < self.unit_bytes() {
                return Ok(Bytes::new());
            }
            begun = mem::take(&mut self.pending);
            self.open_units(&mut begun)?;
        }
        let mut plain = piece.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        self.open_units(&mut plain)?;
        if !begun.is_empty() {
            begun.extend_from_slice(&plain);
            plain = begun;
        }
        Ok(self.trim(plain.freeze()))
    }

    /// Opens whole units from the beginning of `bytes`, which holds nothing but their plain bytes afterwards; what is left
    /// over is pending.
    fn open_units(&mut self, bytes: &mut BytesMut) -> Result<(), ObjectAltered> {
        let (mut at, mut end) = (0, 0);
        while at < bytes.len() {
            let unit = self.unit_bytes();
            if unit == 0 {
                return Err(ObjectAltered("it goes on after its end"));
            }
            let Some(sealed) = bytes.get_mut(at..at + unit) else {
                self.pending.extend_from_slice(&bytes[at..]);
                break;
            };
            let length = self.take(sealed)?;
            bytes.copy_within(at..at + length, end);
            (at, end) = (at + unit, end + length);
        }
        bytes.truncate(end);
        Ok(())
    }

    /// True when everything has come.
    pub(crate) fn is_done(&self) -> bool {
        self.next == Next::Nothing && self.remaining == 0
    }

    /// Stored length of what comes next.
    fn unit_bytes(&self) -> usize {
        match self.next {
            Next::Header => HEADER_BYTES,
            Next::Chunk(index) if index + 1 == chunk_count(self.length_bytes) => {
                (self.length_bytes - index * CHUNK_BYTES as u64) as usize + TAG_BYTES
            }
            Next::Chunk(_) => SEALED_CHUNK_BYTES,
            Next::Seal => SEAL_BYTES,
            Next::Nothing => 0,
        }
    }

    /// Proves one unit; gives how many plain bytes it begins with now.
    fn take(&mut self, unit: &mut [u8]) -> Result<usize, ObjectAltered> {
        let mut length = 0;
        self.next = match self.next {
            Next::Header if *unit == self.header => Next::Chunk(0),
            Next::Header => return Err(ObjectAltered("its header differs")),
            Next::Chunk(index) => {
                let last = index + 1 == chunk_count(self.length_bytes);
                let plain = self.cipher.open(index as u32, last, unit);
                length = plain.ok_or(ObjectAltered("a chunk does not open"))?.len();
                match (last, index + 1 == self.span.chunks.end) {
                    (true, _) => Next::Seal,
                    (false, true) => Next::Nothing,
                    (false, false) => Next::Chunk(index + 1),
                }
            }
            Next::Seal if *unit == self.seal => Next::Nothing,
            Next::Seal => return Err(ObjectAltered("its seal differs")),
            Next::Nothing => return Err(ObjectAltered("it goes on after its end")),
        };
        Ok(length)
    }

    fn trim(&mut self, mut plain: Bytes) -> Bytes {
        let dropped = self.skip.min(plain.len() as u64);
        self.skip -= dropped;
        plain.advance(dropped as usize);
        let kept = self.remaining.min(plain.len() as u64);
        self.remaining -= kept;
        plain.truncate(kept as usize);
        plain
    }
}
