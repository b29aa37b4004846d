//! A file made into what a data set says of its pixels.

use model::{TransferSyntaxUid, pixel::PixelModule, transfer_syntax as ts};
use rendering::{
    Target,
    wire::{Request, Response, Task, decode_response, encode_request},
};
use service::decoder::DecoderPool;

use super::{
    jpeg::{self, Jpeg},
    orientation::Raster,
    png, tiff,
};

/// A picture that a data set can hold.
#[derive(Debug)]
pub enum Picture {
    /// Native, little endian.
    Native(Raster),
    /// A baseline JPEG.
    Jpeg(Jpeg),
}

/// Reads a picture.
///
/// # Errors
/// What is wrong with it, for people.
pub async fn read_picture(decoder: &DecoderPool, file: Vec<u8>) -> Result<Picture, String> {
    if file.starts_with(b"\x89PNG") {
        let read = tokio::task::spawn_blocking(move || png::read(&file)).await;
        return read.map_err(|_| "the PNG cannot be read")?.map(Picture::Native).map_err(str::to_owned);
    }
    if tiff::is_tiff(&file) {
        let read = tokio::task::spawn_blocking(move || tiff::read(&file)).await;
        return read.map_err(|_| "the TIFF cannot be read")?.map(Picture::Native).map_err(str::to_owned);
    }
    let jpeg = jpeg::read(&file)?;
    if jpeg.baseline && jpeg.orientation == 1 {
        return Ok(Picture::Jpeg(jpeg));
    }
    let orientation = jpeg.orientation;
    let samples = decode(decoder, &jpeg).await?;
    let upright = tokio::task::spawn_blocking(move || samples.upright(orientation)).await;
    Ok(Picture::Native(upright.map_err(|_| "the picture cannot be turned")?))
}

/// In the decoder's own process, as every JPEG of strangers.
async fn decode(decoder: &DecoderPool, jpeg: &Jpeg) -> Result<Raster, String> {
    let unreadable = "the JPEG cannot be decoded";
    let length = Raster::length(jpeg.rows, jpeg.columns, jpeg.components, 1);
    if length > png::DECODED_LENGTH_MAX_BYTES {
        return Err("the JPEG is larger than pictures that are decoded".to_owned());
    }
    let module = PixelModule {
        rows: jpeg.rows.into(),
        columns: jpeg.columns.into(),
        samples_per_pixel: jpeg.components,
        photometric_interpretation: jpeg.photometric_interpretation().to_owned(),
        bits_allocated: 8,
        bits_stored: 8,
        high_bit: 7,
        ..PixelModule::default()
    };
    let transfer_syntax_uid = TransferSyntaxUid::parse(ts::JPEG_BASELINE).map_err(|_| unreadable)?;
    let request = Request { module, transfer_syntax_uid, task: Task::Transcode(Target::Native) };
    let message = encode_request(&request, &jpeg.stripped).map_err(|_| unreadable)?;
    let answer = decoder.run(message).await.map_err(|error| error.to_string())?;
    let Ok(Response::Transcoded(frame)) = decode_response(&answer) else { return Err(unreadable.to_owned()) };
    let samples_per_pixel = frame.description.samples_per_pixel;
    let fits = frame.description.bits_allocated == 8
        && frame.bytes.len() == Raster::length(jpeg.rows, jpeg.columns, samples_per_pixel, 1)
        && matches!(frame.description.photometric_interpretation.as_str(), "RGB" | "MONOCHROME2");
    if !fits {
        return Err(unreadable.to_owned());
    }
    let (rows, columns) = (jpeg.rows, jpeg.columns);
    Ok(Raster { rows, columns, samples_per_pixel, bytes_per_sample: 1, bytes: frame.bytes })
}

/// What must hold for any file whatever, in each of its readers.
///
/// # Panics
/// When it does not.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_picture(file: &[u8]) {
    for raster in [png::read(file), tiff::read(file)].into_iter().flatten() {
        let Raster { rows, columns, samples_per_pixel, bytes_per_sample, bytes } = raster;
        assert!(rows > 0 && columns > 0, "a picture of nothing");
        assert_eq!(bytes.len(), Raster::length(rows, columns, samples_per_pixel, bytes_per_sample));
    }
    if let Ok(jpeg) = jpeg::read(file) {
        assert!(jpeg.rows > 0 && jpeg.columns > 0, "a picture of nothing");
        assert!(jpeg.stripped.len() <= file.len(), "more than there was");
    }
}

impl Jpeg {
    /// Photometric Interpretation (0028,0004).
    pub fn photometric_interpretation(&self) -> &'static str {
        match (self.components, self.is_rgb, self.subsampled) {
            (1, ..) => "MONOCHROME2",
            (_, true, _) => "RGB",
            (_, false, true) => "YBR_FULL_422",
            (_, false, false) => "YBR_FULL",
        }
    }
}
