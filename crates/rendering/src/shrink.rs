//! Pictures that were made before, made smaller: without the frame that they were made of.

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageReader, Limits};

use crate::{
    encode::encode, error::RenderError, limits::SHRUNK_SIDE_MAX_PIXELS, options::ImageFormat,
    pipeline::RenderedImage, resize::resize,
};

/// Width and height of a picture file of ours; `None` when it is none, or larger than what is made smaller here.
pub fn picture_size(file: &[u8]) -> Option<(u32, u32)> {
    reader(file)?.into_dimensions().ok()
}

/// Makes a picture file of ours smaller, to exactly `size`, which is no larger than it is.
///
/// # Errors
/// [`RenderError::Malformed`] when it is no picture, or too large; [`RenderError::InvalidOptions`] when it is smaller
/// than `size`; those of [`encode`].
pub fn shrink_picture(file: &[u8], size: (u32, u32), format: ImageFormat) -> Result<Vec<u8>, RenderError> {
    let reader = reader(file).ok_or_else(|| RenderError::malformed("picture", "it is none"))?;
    let decoded =
        reader.decode().map_err(|error: ImageError| RenderError::malformed("picture", error.to_string()))?;
    let (width, height) = (decoded.width(), decoded.height());
    if size.0 == 0 || size.1 == 0 || size.0 > width || size.1 > height {
        return Err(RenderError::InvalidOptions("a picture is made smaller here, not larger".into()));
    }
    let (channels, samples) = match decoded {
        DynamicImage::ImageLuma8(grey) => (1, grey.into_raw()),
        colour => (3, colour.into_rgb8().into_raw()),
    };
    let picture = RenderedImage { width, height, channels, samples };
    encode(&resize(&picture, size.0, size.1), format)
}

fn reader(file: &[u8]) -> Option<ImageReader<Cursor<&[u8]>>> {
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SHRUNK_SIDE_MAX_PIXELS);
    limits.max_image_height = Some(SHRUNK_SIDE_MAX_PIXELS);
    reader.limits(limits);
    Some(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_become_smaller() {
        for channels in [1_u8, 3] {
            let samples = vec![77; 8 * 4 * usize::from(channels)];
            let picture = RenderedImage { width: 8, height: 4, channels, samples };
            for format in [ImageFormat::Jpeg { quality: 85 }, ImageFormat::Png, ImageFormat::Webp] {
                let file = encode(&picture, format).expect("a file");
                assert_eq!(picture_size(&file), Some((8, 4)));
                let small = shrink_picture(&file, (4, 2), format).expect("smaller");
                assert_eq!(picture_size(&small), Some((4, 2)), "{format:?}");
                assert!(shrink_picture(&file, (9, 2), format).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        assert_eq!(picture_size(b"\xff\xd8 no picture"), None);
        assert!(shrink_picture(b"preview", (1, 1), ImageFormat::Png).is_err());
        let width = SHRUNK_SIDE_MAX_PIXELS + 1;
        let long = RenderedImage { width, height: 1, channels: 1, samples: vec![0; width as usize] };
        let file = encode(&long, ImageFormat::Png).expect("a file");
        assert_eq!(picture_size(&file), None);
        assert!(shrink_picture(&file, (1, 1), ImageFormat::Png).is_err());
    }
}
