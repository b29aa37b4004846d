//! PS3.3 C.11 and C.7.6.3.1.2: from stored values to a picture of 8 bits: modality LUT, VOI LUT, presentation LUT,
//! palette and colour space, and the fit into the size that was asked for.

mod colour;
mod gray;
mod transfer;

use model::{TransferSyntaxUid, pixel::PixelModule};

pub(crate) use colour::to_rgb;

use crate::{
    codec::decode_reduced, error::RenderError, frame::DecodedFrame, options::RenderOptions, resize::resize,
    shape::Photometric,
};

/// A picture of 8-bit samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedImage {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 1 for gray, 3 for red, green, blue.
    pub channels: u8,
    /// `width * height * channels` samples, row by row.
    pub samples: Vec<u8>,
}

/// Renders one stored frame.
///
/// # Errors
/// See [`RenderError`].
pub fn render_frame(
    module: &PixelModule,
    transfer_syntax: &TransferSyntaxUid,
    frame: &[u8],
    options: &RenderOptions,
) -> Result<RenderedImage, RenderError> {
    options.check()?;
    let cut = options.cut(module.columns, module.rows)?;
    let target = options.target(cut.columns, cut.rows);
    // A region is counted in the pixels of the whole resolution.
    let enough = options.region.is_none().then_some(target);
    let decoded = decode_reduced(module, transfer_syntax, frame, enough)?;
    render_decoded(&decoded, module, options, target)
}

/// Renders a decoded frame to exactly `target` width and height.
pub(crate) fn render_decoded(
    decoded: &DecodedFrame<'_>,
    module: &PixelModule,
    options: &RenderOptions,
    target: (u32, u32),
) -> Result<RenderedImage, RenderError> {
    if let Some(region) = options.region {
        let cut = options.cut(decoded.columns, decoded.rows)?;
        let options = RenderOptions { region: None, ..options.clone() };
        let picture = render_decoded(&decoded.part(cut)?, module, &options, target)?;
        return Ok(flip(picture, region.flips()));
    }
    let smaller = (target.0.min(decoded.columns), target.1.min(decoded.rows));
    let picture = match decoded.photometric {
        Photometric::Monochrome1 | Photometric::Monochrome2 => {
            gray::render(decoded, module, options, smaller)?
        }
        Photometric::PaletteColor => colour::render_palette(decoded, module, smaller)?,
        _ => colour::render(decoded, smaller)?,
    };
    Ok(if smaller == target { picture } else { resize(&picture, target.0, target.1) })
}

/// Left and right, top and bottom change places.
fn flip(mut picture: RenderedImage, (horizontally, vertically): (bool, bool)) -> RenderedImage {
    let pixel = usize::from(picture.channels).max(1);
    let row = (picture.width as usize * pixel).max(1);
    if vertically {
        picture.samples.reverse();
        picture.samples.chunks_exact_mut(row).for_each(<[u8]>::reverse);
    }
    if horizontally {
        for row in picture.samples.chunks_exact_mut(row) {
            row.reverse();
            row.chunks_exact_mut(pixel).for_each(<[u8]>::reverse);
        }
    }
    picture
}

fn wrong_length() -> RenderError {
    RenderError::Implausible("the number of decoded samples".into())
}

#[cfg(test)]
mod tests;
