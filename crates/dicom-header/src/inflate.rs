//! PS3.5 A.5, Deflated Explicit VR Little Endian: raw deflate, piece by piece into one small buffer.

use flate2::{Decompress, FlushDecompress, Status};

use crate::error::HeaderError;

/// Inflated bytes are handed on in runs of at most this size.
const INFLATE_BUFFER_BYTES: usize = 32 << 10;

pub(crate) struct Inflate {
    decompress: Decompress,
    buffer: Box<[u8]>,
    max_bytes: u64,
    ended: bool,
}

impl Inflate {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let buffer = vec![0; INFLATE_BUFFER_BYTES].into_boxed_slice();
        Self { decompress: Decompress::new(false), buffer, max_bytes, ended: false }
    }

    /// Inflates `bytes` and gives each run to `take`. Bytes after the end of the stream are padding.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), HeaderError>,
    ) -> Result<(), HeaderError> {
        while !self.ended {
            let (before_in, before_out) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self
                .decompress
                .decompress(bytes, &mut self.buffer, FlushDecompress::None)
                .map_err(|_| HeaderError::DeflateDamaged)?;
            let used = (self.decompress.total_in() - before_in) as usize;
            let made = (self.decompress.total_out() - before_out) as usize;
            bytes = &bytes[used..];
            if self.decompress.total_out() > self.max_bytes {
                return Err(HeaderError::DeflateTooLarge { max: self.max_bytes });
            }
            take(&self.buffer[..made])?;
            self.ended = status == Status::StreamEnd;
            let waits_for_input = bytes.is_empty() && made < self.buffer.len();
            if waits_for_input || (used == 0 && made == 0) {
                break;
            }
        }
        Ok(())
    }

    /// True when the stream has come to its own end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Compressed bytes taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.decompress.total_in()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::DeflateEncoder};

    use super::*;

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gives_the_same_in_any_pieces() {
        let plain: Vec<u8> = (0..200_000_u32).map(|number| (number / 3) as u8).collect();
        let deflated = deflate(&plain);
        for size in [1, 7, deflated.len()] {
            let mut inflate = Inflate::new(u64::MAX);
            let mut out = Vec::new();
            for piece in deflated.chunks(size) {
                inflate
                    .push(piece, |run| {
                        out.extend_from_slice(run);
                        Ok(())
                    })
                    .unwrap();
            }
            assert!(inflate.has_ended());
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn stops_a_bomb() {
        let bomb = deflate(&vec![0; 10 << 20]);
        let mut inflate = Inflate::new(1 << 20);
        let result = inflate.push(&bomb, |_| Ok(()));
        assert_eq!(result, Err(HeaderError::DeflateTooLarge { max: 1 << 20 }));
    }
}
