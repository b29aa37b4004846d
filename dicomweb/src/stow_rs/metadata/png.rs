//! ISO/IEC 15948, a PNG picture as native Pixel Data (PS3.18 10.5.2: no transfer syntax has PNG), row by row.
//!
//! The decoder has no unsafe code and takes no memory but its window, so it runs here, on a thread that may block.

use std::collections::BTreeMap;

use bytes::Bytes;
use dicom_header::GivenElement;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, Limits, Reader, Transformations};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    super::spool::{SpoolReader, Spooled},
    assemble::AssembleError,
    codestream::Picture,
};

/// Most bytes of a picture after decoding: a small file may tell of a very large one.
const DECODED_LENGTH_MAX_BYTES: u64 = 512 << 20;
/// Memory that the decoder may take for what is no picture: profiles and texts.
const DECODER_MEMORY_MAX_BYTES: usize = 4 << 20;
/// Bytes of rows that leave at once, and how many such pieces wait.
const PIECE_LENGTH_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 4;

/// A picture that is decoded when its rows are asked for.
#[derive(Debug)]
pub(super) struct PngPicture {
    content: Spooled,
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) samples_per_pixel: u16,
    /// 1 or 2.
    bytes_per_sample: u16,
    decoding: Option<mpsc::Receiver<Result<Bytes, &'static str>>>,
}

type PngReader = Reader<SpoolReader>;

fn open(content: &Spooled) -> Result<PngReader, &'static str> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(content.reader(0..content.length()), options);
    decoder.set_limits(Limits { bytes: DECODER_MEMORY_MAX_BYTES });
    // Palettes become colours, 1, 2 and 4 bits become 8.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(|_| "the part is no PNG that can be read")
}

impl PngPicture {
    /// Reads the head.
    pub(super) async fn open(content: &Spooled) -> Result<Self, AssembleError> {
        let content = content.clone();
        let read = spawn_blocking(move || {
            let reader = open(&content)?;
            let info = reader.info();
            if info.interlaced {
                return Err("an interlaced PNG would have to be held whole; send it without interlacing");
            }
            let wrong = "the PNG has no size that a picture can have";
            let (rows, columns) = (u16::try_from(info.height), u16::try_from(info.width));
            let (color, depth) = reader.output_color_type();
            let picture = Self {
                rows: rows.map_err(|_| wrong)?,
                columns: columns.map_err(|_| wrong)?,
                samples_per_pixel: if is_grey(color) { 1 } else { 3 },
                bytes_per_sample: if depth == BitDepth::Sixteen { 2 } else { 1 },
                decoding: None,
                content,
            };
            if picture.length() > DECODED_LENGTH_MAX_BYTES {
                return Err("the PNG is larger than pictures that are decoded");
            }
            Ok(picture)
        });
        read.await
            .map_err(|_| AssembleError::Picture("the PNG cannot be read"))?
            .map_err(AssembleError::Picture)
    }

    /// Bytes of the picture, decoded.
    pub(super) fn length(&self) -> u64 {
        u64::from(self.rows)
            * u64::from(self.columns)
            * u64::from(self.samples_per_pixel)
            * u64::from(self.bytes_per_sample)
    }

    /// Its attributes. They stand instead of the metadata's own: the bytes are made here.
    pub(super) fn description(&self, frames: usize) -> BTreeMap<u32, GivenElement> {
        let picture = Picture {
            transfer_syntaxes: &[],
            rows: self.rows,
            columns: self.columns,
            samples_per_pixel: self.samples_per_pixel,
            bits_stored: 8 * self.bytes_per_sample,
            signed: false,
            photometric_interpretation: if self.samples_per_pixel == 1 { "MONOCHROME2" } else { "RGB" },
            lossy: None,
            start: 0,
            end: None,
        };
        let mut given = picture.description(frames, 0);
        for element in given.values_mut() {
            element.replaces = true;
        }
        given
    }

    /// The next rows in Little Endian; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, AssembleError> {
        let decoding = self.decoding.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(PIECES_MAX);
            let content = self.content.clone();
            spawn_blocking(move || {
                if let Err(error) = decode(&content, &sender) {
                    // Nobody listens when the instance was refused meanwhile.
                    let _ = sender.blocking_send(Err(error));
                }
            });
            receiver
        });
        decoding.recv().await.transpose().map_err(AssembleError::Picture)
    }
}

fn is_grey(color: ColorType) -> bool {
    matches!(color, ColorType::Grayscale | ColorType::GrayscaleAlpha)
}

fn decode(content: &Spooled, sender: &mpsc::Sender<Result<Bytes, &'static str>>) -> Result<(), &'static str> {
    let mut reader = open(content)?;
    let (color, depth) = reader.output_color_type();
    let alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let samples = if is_grey(color) { 1 } else { 3 };
    let sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let pixel = (samples + usize::from(alpha)) * sample;
    let mut piece = Vec::with_capacity(PIECE_LENGTH_BYTES);
    while let Some(row) = reader.next_row().map_err(|_| "the PNG is damaged")? {
        for pixel in row.data().chunks_exact(pixel) {
            // DICOM has no transparency: the colours stay as they are.
            for sample in pixel[..samples * sample].chunks_exact(sample) {
                piece.extend(sample.iter().rev());
            }
        }
        if piece.len() >= PIECE_LENGTH_BYTES {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_LENGTH_BYTES));
            if sender.blocking_send(Ok(Bytes::from(full))).is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.blocking_send(Ok(Bytes::from(piece)));
    Ok(())
}
