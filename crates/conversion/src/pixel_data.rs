//! The Pixel Data element of an instance that is made anew, frame after frame.

use archive::ReadError;
use bytes::Bytes;
use dicom_header::{VR, element_header};
use rendering::{Target, TranscodedFrame};

use crate::TranscodeError;

const PIXEL_DATA: u32 = 0x7FE0_0010;

/// The Pixel Data element in its new form (PS3.5 8 and A.4).
pub(crate) struct PixelData {
    like: rendering::FrameDescription,
    implicit_vr: bool,
    /// Of all native frames; `None` when encapsulated.
    length: Option<u32>,
}

impl PixelData {
    pub(crate) fn new(
        first: &TranscodedFrame,
        target: Target,
        frames: usize,
        implicit_vr: bool,
    ) -> Result<Self, TranscodeError> {
        let like = first.description.clone();
        if target != Target::Native {
            return Ok(Self { like, implicit_vr, length: None });
        }
        let bytes = like.native_bits().checked_mul(frames as u64).map(|bits| bits.div_ceil(8));
        let even = bytes.and_then(|bytes| bytes.checked_next_multiple_of(2));
        let length = even.and_then(|bytes| u32::try_from(bytes).ok()).filter(|length| *length != u32::MAX);
        let Some(length) = length else {
            return Err(TranscodeError::NotPossible("uncompressed, the pixel data would be too long".into()));
        };
        Ok(Self { like, implicit_vr, length: Some(length) })
    }

    pub(crate) fn header(&self) -> Bytes {
        let wide = self.length.is_some() && self.like.bits_allocated > 8;
        let vr = if wide { VR::OW } else { VR::OB };
        let mut header = element_header(self.implicit_vr, PIXEL_DATA, vr, self.length);
        if self.length.is_none() {
            // An empty offset table: where the fragments will begin is not known yet (PS3.5 A.4).
            header.extend_from_slice(b"\xfe\xff\x00\xe0\0\0\0\0");
        }
        Bytes::from(header)
    }

    pub(crate) fn frame(&self, frame: TranscodedFrame, packed: &mut Packer) -> Result<Bytes, ReadError> {
        if frame.description != self.like {
            return Err(ReadError::Damaged("frames of one instance are encoded in different ways"));
        }
        let mut bytes = frame.bytes;
        if self.length.is_some() {
            let whole = self.like.bits_allocated > 1;
            let bits = self.like.native_bits();
            return Ok(Bytes::from(if whole { packed.bytes(bytes) } else { packed.bits(&bytes, bits) }));
        }
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length != u32::MAX);
        let length = length.ok_or(ReadError::Damaged("a frame is too long for a fragment"))?;
        bytes.splice(0..0, [&b"\xfe\xff\x00\xe0"[..], &length.to_le_bytes()].concat());
        Ok(Bytes::from(bytes))
    }

    pub(crate) fn end(&self, packed: &mut Packer) -> Bytes {
        let Some(length) = self.length else { return Bytes::from_static(b"\xfe\xff\xdd\xe0\0\0\0\0") };
        let mut rest = packed.finish();
        let missing = u64::from(length).saturating_sub(packed.written + rest.len() as u64);
        // At most the byte that makes the length even.
        rest.resize(rest.len() + missing.min(1) as usize, 0);
        Bytes::from(rest)
    }
}

/// Frames one after the other: those of single bits do not begin at a byte (PS3.5 8.1.1).
#[derive(Default)]
pub(crate) struct Packer {
    written: u64,
    byte: u8,
    bits: u64,
}

impl Packer {
    fn bytes(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        self.written += bytes.len() as u64;
        bytes
    }

    fn bits(&mut self, frame: &[u8], count: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(frame.len() + 1);
        for index in 0..count {
            let bit = frame.get((index / 8) as usize).map_or(0, |byte| byte >> (index % 8) & 1);
            self.byte |= bit << self.bits;
            self.bits += 1;
            if self.bits == 8 {
                out.push(std::mem::take(&mut self.byte));
                self.bits = 0;
            }
        }
        self.bytes(out)
    }

    fn finish(&mut self) -> Vec<u8> {
        if self.bits == 0 { Vec::new() } else { vec![std::mem::take(&mut self.byte)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_bits_run_on_from_frame_to_frame() {
        let mut packer = Packer::default();
        let mut all = packer.bits(&[0xBC, 0x0A], 12);
        all.extend(packer.bits(&[0x23, 0x01], 12));
        all.extend(packer.bits(&[0b101], 3));
        all.extend(packer.finish());
        assert_eq!(all, [0xBC, 0x3A, 0x12, 0b101]);
        assert_eq!(packer.written, 3);
    }
}
