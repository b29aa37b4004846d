//! From pictures to files: JPEG, PNG, WebP, GIF.

use std::{borrow::Cow, io::Cursor};

use image::{
    ExtendedColorType, ImageEncoder, ImageError,
    codecs::{
        png::{CompressionType, FilterType, PngEncoder},
        webp::WebPEncoder,
    },
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use model::{TransferSyntaxUid, pixel::PixelModule};

use crate::{
    codec::decode_reduced,
    error::RenderError,
    limits::OUTPUTS_MAX,
    options::{ImageFormat, Output},
    pipeline::{RenderedImage, render_decoded},
    resize::resize,
};

/// A finished picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedImage {
    /// Its media type.
    pub media_type: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Encodes a picture.
///
/// # Errors
/// [`RenderError::InvalidOptions`] for a quality out of range; [`RenderError::Encode`] when the format cannot hold it.
pub fn encode(image: &RenderedImage, format: ImageFormat) -> Result<Vec<u8>, RenderError> {
    let mut file = Cursor::new(Vec::new());
    let colour = if image.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let (samples, width, height) = (image.samples.as_slice(), image.width, image.height);
    match format {
        ImageFormat::Jpeg { quality } => return encode_jpeg(image, quality),
        ImageFormat::Gif { delay } => return encode_gif(image, delay),
        ImageFormat::Png => {
            PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
                .write_image(samples, width, height, colour)
        }
        ImageFormat::Webp => WebPEncoder::new_lossless(&mut file).write_image(samples, width, height, colour),
    }
    .map_err(|error: ImageError| RenderError::Encode(error.to_string().into()))?;
    Ok(file.into_inner())
}

/// Colours are reduced to 256, each tenth pixel deciding which: twice as fast as the best choice, and close to it.
const GIF_SPEED: i32 = 10;

fn encode_gif(image: &RenderedImage, delay: u16) -> Result<Vec<u8>, RenderError> {
    let refused = |error: gif::EncodingError| RenderError::Encode(error.to_string().into());
    let side = |pixels: u32| {
        u16::try_from(pixels)
            .map_err(|_| RenderError::Encode("a GIF has at most 65,535 x 65,535 pixels".into()))
    };
    let (width, height) = (side(image.width)?, side(image.height)?);
    if image.samples.len() != usize::from(width) * usize::from(height) * usize::from(image.channels) {
        return Err(RenderError::Encode("the number of samples".into()));
    }
    let mut frame = if image.channels == 3 {
        gif::Frame::from_rgb_speed(width, height, &image.samples, GIF_SPEED)
    } else {
        let palette = (0..=u8::MAX).flat_map(|level| [level; 3]).collect();
        let buffer = Cow::Borrowed(image.samples.as_slice());
        gif::Frame { width, height, palette: Some(palette), buffer, ..gif::Frame::default() }
    };
    frame.delay = delay;
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, width, height, &[]).map_err(refused)?;
    encoder.write_frame(&frame).map_err(refused)?;
    // The trailer is written when the encoder goes.
    drop(encoder);
    Ok(file)
}

/// `jpeg-encoder` takes half the time of the encoder that comes with `image`.
fn encode_jpeg(image: &RenderedImage, quality: u8) -> Result<Vec<u8>, RenderError> {
    jpeg(&image.samples, (image.width, image.height), image.channels == 3, quality, None)
}

/// JPEG Baseline as PS3.5 8.2.1 wants it of a colour frame: chrominance for every second pixel of a row.
pub(crate) fn encode_jpeg_rgb_422(
    samples: &[u8],
    columns: u32,
    rows: u32,
    samples_per_pixel: usize,
    quality: u8,
) -> Result<Vec<u8>, RenderError> {
    let factor = SamplingFactor::R_4_2_2;
    jpeg(samples, (columns, rows), samples_per_pixel == 3, quality, Some(factor))
}

fn jpeg(
    samples: &[u8],
    (width, height): (u32, u32),
    colour: bool,
    quality: u8,
    sampling: Option<SamplingFactor>,
) -> Result<Vec<u8>, RenderError> {
    if !(1..=100).contains(&quality) {
        return Err(RenderError::InvalidOptions("the quality is a number from 1 to 100".into()));
    }
    let side = |pixels: u32| {
        u16::try_from(pixels)
            .map_err(|_| RenderError::Encode("a JPEG has at most 65,535 x 65,535 pixels".into()))
    };
    let kind = if colour { ColorType::Rgb } else { ColorType::Luma };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    if let (Some(sampling), true) = (sampling, colour) {
        encoder.set_sampling_factor(sampling);
    }
    encoder
        .encode(samples, side(width)?, side(height)?, kind)
        .map_err(|error| RenderError::Encode(error.to_string().into()))?;
    Ok(file)
}

/// Makes several pictures of one frame and decodes it once. A picture that differs from the one before only by being
/// smaller is made of that one: list the largest first.
///
/// # Errors
/// See [`RenderError`]; one impossible output fails them all.
pub fn render_outputs(
    module: &PixelModule,
    transfer_syntax: &TransferSyntaxUid,
    frame: &[u8],
    outputs: &[Output],
) -> Result<Vec<EncodedImage>, RenderError> {
    if outputs.is_empty() || outputs.len() > OUTPUTS_MAX {
        return Err(RenderError::InvalidOptions("one to eight pictures can be made at a time".into()));
    }
    let targets = outputs.iter().map(|output| {
        output.options.check()?;
        let cut = output.options.cut(module.columns, module.rows)?;
        Ok(output.options.target(cut.columns, cut.rows))
    });
    let targets = targets.collect::<Result<Vec<_>, RenderError>>()?;
    let largest = targets.iter().fold((1, 1), |(w, h), target| (target.0.max(w), target.1.max(h)));
    // A region is counted in the pixels of the whole resolution.
    let enough = outputs.iter().all(|output| output.options.region.is_none()).then_some(largest);
    let decoded = decode_reduced(module, transfer_syntax, frame, enough)?;
    let mut last: Option<(&Output, RenderedImage)> = None;
    let mut files = Vec::with_capacity(outputs.len());
    for (output, (width, height)) in outputs.iter().zip(targets) {
        let smaller = last.take().filter(|(before, picture)| {
            before.options.window == output.options.window
                && before.options.region == output.options.region
                && picture.width >= width
                && picture.height >= height
        });
        let picture = match smaller {
            Some((_, picture)) => resize(&picture, width, height),
            None => render_decoded(&decoded, module, &output.options, (width, height))?,
        };
        let bytes = encode(&picture, output.format)?;
        files.push(EncodedImage { media_type: output.format.media_type(), width, height, bytes });
        last = Some((output, picture));
    }
    Ok(files)
}
