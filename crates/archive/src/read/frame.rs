//! One frame, through the frame table that was made when the instance was stored.

use bytes::{Bytes, BytesMut};
use database::{HeaderRecord, StoredInstance};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use model::frame::{FrameLocation, FrameTable};

use super::{
    ByteStream, ReadError,
    instance::{data_set_limit, is_deflated, stored_range},
    runs::{Run, kept_length, plan},
};
use crate::Archive;

/// A frame that is known to lie in the data set.
struct Frame {
    runs: Vec<Run>,
    length: u64,
    /// Where the frame's bits lie in its bytes, when they are not whole bytes.
    bits: Option<Bits>,
}

#[derive(Clone, Copy)]
struct Bits {
    skip: u8,
    count: u64,
}

impl Archive {
    /// Frame `index` (from 0) at once: native samples, or the compressed frame without its item headers. A 1-bit
    /// frame starts at the first bit of the first byte, wherever it lies in the data set.
    ///
    /// # Errors
    /// [`ReadError::NoSuchFrame`], [`ReadError::TooLong`], and failures of the object store.
    pub async fn read_frame(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        index: usize,
    ) -> Result<Bytes, ReadError> {
        let frame = locate(instance, header, index)?;
        let length_max_bytes = self.config().frame_length_max_bytes;
        if frame.length > length_max_bytes {
            return Err(ReadError::TooLong { length_bytes: frame.length, length_max_bytes });
        }
        let mut pieces = if is_deflated(instance) {
            self.stream_runs(instance, frame.runs).await?.try_collect().await?
        } else {
            self.read_runs(instance, &frame.runs).await?
        };
        let bytes = if pieces.len() == 1 { pieces.swap_remove(0) } else { join(&pieces, frame.length) };
        if bytes.len() as u64 != frame.length {
            return Err(ReadError::Damaged("a frame is shorter than its table says"));
        }
        Ok(match frame.bits {
            None => bytes,
            Some(bits) => align(&bytes, bits),
        })
    }

    /// The same as a stream, for frames of any length.
    ///
    /// # Errors
    /// As [`Self::read_frame`]; later failures come in the stream.
    pub async fn stream_frame(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        index: usize,
    ) -> Result<ByteStream, ReadError> {
        let frame = locate(instance, header, index)?;
        if frame.bits.is_some() {
            let bytes = self.read_frame(instance, header, index).await?;
            return Ok(stream::once(async { Ok(bytes) }).boxed());
        }
        self.stream_runs(instance, frame.runs).await
    }

    /// One read for each run; the caller has bounded their length.
    async fn read_runs(&self, instance: &StoredInstance, runs: &[Run]) -> Result<Vec<Bytes>, ReadError> {
        let mut pieces = Vec::with_capacity(runs.len());
        for run in runs {
            let range = stored_range(instance, run.span.clone())?;
            let bytes = self.read_object_at_once(instance, range).await?;
            pieces.extend(run.keep(run.span.start, &bytes));
        }
        Ok(pieces)
    }

    async fn stream_runs(&self, instance: &StoredInstance, runs: Vec<Run>) -> Result<ByteStream, ReadError> {
        let mut runs = runs.into_iter();
        let Some(first) = runs.next() else { return Ok(stream::empty().boxed()) };
        let beginning = self.stream_run(instance, first).await?;
        let (archive, instance) = (self.clone(), instance.clone());
        let rest = stream::iter(runs).then(move |run| {
            let (archive, instance) = (archive.clone(), instance.clone());
            async move { archive.stream_run(&instance, run).await }
        });
        Ok(beginning.chain(rest.try_flatten()).boxed())
    }

    async fn stream_run(&self, instance: &StoredInstance, run: Run) -> Result<ByteStream, ReadError> {
        let chunks = self.stream_data_set_range(instance, run.span.clone()).await?;
        let mut position = run.span.start;
        let kept = chunks.map_ok(move |chunk| {
            let pieces = run.keep(position, &chunk);
            position += chunk.len() as u64;
            stream::iter(pieces.into_iter().map(Ok))
        });
        Ok(kept.try_flatten().boxed())
    }
}

fn locate(instance: &StoredInstance, header: &HeaderRecord, index: usize) -> Result<Frame, ReadError> {
    let FrameLocation { ranges, skip_bits } =
        header.frame_table.locate(index).ok_or(ReadError::NoSuchFrame { index })?;
    let runs = plan(&ranges, data_set_limit(instance))?;
    let bits = match &header.frame_table {
        FrameTable::Native { bits_per_frame, .. } if bits_per_frame % 8 != 0 || skip_bits != 0 => {
            Some(Bits { skip: skip_bits, count: *bits_per_frame })
        }
        FrameTable::Native { .. } | FrameTable::Encapsulated { .. } | FrameTable::None => None,
    };
    Ok(Frame { length: kept_length(&runs), runs, bits })
}

fn join(pieces: &[Bytes], length: u64) -> Bytes {
    let mut joined = BytesMut::with_capacity(length as usize);
    for piece in pieces {
        joined.extend_from_slice(piece);
    }
    joined.freeze()
}

/// Moves a frame that starts inside a byte to the start of one, and clears the bits after it. The first pixel is
/// the lowest bit (PS3.5 8.1.1).
fn align(bytes: &[u8], bits: Bits) -> Bytes {
    let length = usize::try_from(bits.count.div_ceil(8)).unwrap_or(usize::MAX).min(bytes.len());
    let mut aligned = BytesMut::with_capacity(length);
    for index in 0..length {
        let low = u16::from(bytes[index]);
        let high = bytes.get(index + 1).map_or(0, |next| u16::from(*next) << 8);
        aligned.extend_from_slice(&[((low | high) >> bits.skip) as u8]);
    }
    let used = (bits.count % 8) as u32;
    if used != 0
        && let Some(last) = aligned.last_mut()
    {
        *last &= !(u8::MAX << used);
    }
    aligned.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_move_to_the_start_of_a_byte() {
        // Frames of 12 bits: 0xABC, 0x123.
        let bytes = [0xBC, 0x3A, 0x12];
        assert_eq!(align(&bytes[..2], Bits { skip: 0, count: 12 }), &[0xBC, 0x0A][..]);
        assert_eq!(align(&bytes[1..], Bits { skip: 4, count: 12 }), &[0x23, 0x01][..]);
        assert_eq!(align(&[0b1000_0000], Bits { skip: 7, count: 1 }), &[1][..]);
    }
}
