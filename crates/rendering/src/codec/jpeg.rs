//! PS3.5 8.2.1, JPEG: baseline, extended and lossless, through dicom-rs' pixel data adapters; what those leave out is
//! in `jpeg_12_bit`.

use std::borrow::Cow;

use dicom_encoding::{
    Codec, TransferSyntaxIndex,
    adapters::{PixelDataObject, RawPixelData},
};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use model::{TransferSyntaxUid, transfer_syntax::JPEG_BASELINE};

use super::{interleaved, jpeg_12_bit, jpeg_header::JpegHeader};
use crate::{
    error::RenderError,
    frame::DecodedFrame,
    limits::JPEG_RATIO_MAX,
    shape::{FrameShape, Photometric},
};

const CODEC: &str = "JPEG";

/// Decodes a frame; the components come as they are in the stream, with their colour space said.
pub(super) fn decode(
    shape: &FrameShape,
    transfer_syntax: &TransferSyntaxUid,
    frame: &[u8],
) -> Result<DecodedFrame<'static>, RenderError> {
    let header = JpegHeader::read(frame)?;
    check_header(shape, &header)?;
    shape.check_ratio(frame.len(), JPEG_RATIO_MAX)?;
    let colour = shape.samples_per_pixel == 3;
    let stream = if colour && !header.is_lossless() {
        Cow::Owned(header.without_colour_transform(frame))
    } else {
        Cow::Borrowed(frame)
    };
    let bits = if header.precision > 8 { 16 } else { 8 };
    let one = OneFrame { shape, transfer_syntax, bits, stream: &stream };
    let samples =
        if jpeg_12_bit::takes(&header) { jpeg_12_bit::decode(shape, &stream)? } else { one.decode()? };
    let widened = if bits == shape.bits_allocated { samples } else { widen(&samples) };
    if widened.len() as u64 != shape.decoded_bytes() {
        return Err(RenderError::mismatch(CODEC, "the size of the picture"));
    }
    let mut decoded = interleaved(shape, widened);
    decoded.photometric = photometric(shape, &header);
    if u16::from(header.precision) <= decoded.high_bit {
        decoded.high_bit = decoded.bits_stored - 1;
    }
    Ok(decoded)
}

fn check_header(shape: &FrameShape, header: &JpegHeader) -> Result<(), RenderError> {
    if u32::from(header.rows) != shape.rows || u32::from(header.columns) != shape.columns {
        return Err(RenderError::mismatch(CODEC, "Rows and Columns"));
    }
    if header.components.len() != usize::from(shape.samples_per_pixel) {
        return Err(RenderError::mismatch(CODEC, "the number of components"));
    }
    if !matches!(header.process, 0xc0..=0xc3) {
        return Err(RenderError::UnsupportedCodec("hierarchical or arithmetic JPEG".into()));
    }
    if !header.is_lossless() && header.precision != 8 && !jpeg_12_bit::takes(header) {
        return Err(RenderError::UnsupportedCodec("progressive or colour JPEG of 12 bits".into()));
    }
    if !matches!(shape.bits_allocated, 8 | 16) || u16::from(header.precision) > shape.bits_allocated {
        return Err(RenderError::mismatch(CODEC, "the bits of a sample"));
    }
    Ok(())
}

/// What the components are. Lossless streams hold what the data set says. In the others an encoder's own marker
/// is believed before the data set, since files whose Photometric Interpretation is wrong are common.
fn photometric(shape: &FrameShape, header: &JpegHeader) -> Photometric {
    if shape.samples_per_pixel == 1 {
        return shape.photometric;
    }
    let said = if shape.photometric == Photometric::Rgb { Photometric::Rgb } else { Photometric::YbrFull };
    if header.is_lossless() {
        return said;
    }
    match header.adobe_transform {
        _ if header.components == b"RGB" => Photometric::Rgb,
        Some(0) => Photometric::Rgb,
        Some(_) => Photometric::YbrFull,
        None if header.jfif => Photometric::YbrFull,
        None => said,
    }
}

fn widen(samples: &[u8]) -> Vec<u8> {
    samples.iter().flat_map(|sample| [*sample, 0]).collect()
}

/// One frame as the pixel data adapters of dicom-rs want it.
struct OneFrame<'a> {
    shape: &'a FrameShape,
    transfer_syntax: &'a TransferSyntaxUid,
    bits: u16,
    stream: &'a [u8],
}

impl OneFrame<'_> {
    fn decode(&self) -> Result<Vec<u8>, RenderError> {
        // All JPEG syntaxes have the same adapter; the retired ones have none of their own.
        let syntax = TransferSyntaxRegistry.get(JPEG_BASELINE);
        let Some(Codec::EncapsulatedPixelData(Some(reader), _)) =
            syntax.map(dicom_encoding::TransferSyntax::codec)
        else {
            return Err(RenderError::UnsupportedCodec("JPEG is not built in".into()));
        };
        let mut samples = Vec::new();
        reader
            .decode_frame(self, 0, &mut samples)
            .map_err(|error| RenderError::malformed(CODEC, error.to_string()))?;
        Ok(samples)
    }
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.transfer_syntax.as_str()
    }

    fn rows(&self) -> Option<u16> {
        u16::try_from(self.shape.rows).ok()
    }

    fn cols(&self) -> Option<u16> {
        u16::try_from(self.shape.columns).ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(self.shape.samples_per_pixel)
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(self.bits)
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(self.shape.bits_stored.min(self.bits))
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        None
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.stream))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        None
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        Some(RawPixelData { fragments: vec![self.stream.to_vec()].into(), offset_table: vec![0].into() })
    }

    fn frame_pixel_data(&self, frame: u32) -> Option<Cow<'_, [u8]>> {
        (frame == 0).then_some(Cow::Borrowed(self.stream))
    }
}
