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

    /// Takes the next bytes; gives the plain bytes that are proved by now.
    pub(crate) fn push(&mut self, mut piece: Bytes) -> Result<Bytes, ObjectAltered> {
        let mut plain = BytesMut::with_capacity(piece.len() + self.pending.len());
        while !piece.is_empty() {
            let unit = self.unit_bytes();
            if unit == 0 {
                return Err(ObjectAltered("it goes on after its end"));
            }
            if self.pending.is_empty() && piece.len() >= unit {
                self.take(&piece[..unit], &mut plain)?;
                piece.advance(unit);
                continue;
            }
            let missing = (unit - self.pending.len()).min(piece.len());
            self.pending.extend_from_slice(&piece[..missing]);
            piece.advance(missing);
            if self.pending.len() == unit {
                let whole = mem::take(&mut self.pending);
                self.take(&whole, &mut plain)?;
            }
        }
        Ok(self.trim(plain.freeze()))
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

    fn take(&mut self, unit: &[u8], plain: &mut BytesMut) -> Result<(), ObjectAltered> {
        self.next = match self.next {
            Next::Header if unit == self.header => Next::Chunk(0),
            Next::Header => return Err(ObjectAltered("its header differs")),
            Next::Chunk(index) => {
                let last = index + 1 == chunk_count(self.length_bytes);
                let start = plain.len();
                plain.resize(start + unit.len() - TAG_BYTES, 0);
                if !self.cipher.open(index as u32, last, unit, &mut plain[start..]) {
                    plain.truncate(start);
                    return Err(ObjectAltered("a chunk does not open"));
                }
                match (last, index + 1 == self.span.chunks.end) {
                    (true, _) => Next::Seal,
                    (false, true) => Next::Nothing,
                    (false, false) => Next::Chunk(index + 1),
                }
            }
            Next::Seal if unit == self.seal => Next::Nothing,
            Next::Seal => return Err(ObjectAltered("its seal differs")),
            Next::Nothing => return Err(ObjectAltered("it goes on after its end")),
        };
        Ok(())
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
