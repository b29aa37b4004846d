//! What travels to the decoder process and back. A message is a little-endian u32, that many bytes of JSON, and raw
//! bytes: the stored frame on the way there, the pictures or the samples on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::{TransferSyntaxUid, pixel::PixelModule};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::decode_frame,
    encode::{EncodedImage, render_outputs},
    error::RenderError,
    frame::SampleFormat,
    limits::WIRE_HEADER_MAX_BYTES,
    options::{ImageFormat, Output},
    transcode::{FrameDescription, Target, TranscodedFrame, transcode_frame},
};

/// What to do with a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Make pictures of it, the largest first.
    Render(Vec<Output>),
    /// Give its samples as native little-endian words.
    Decode,
    /// Give it in another form.
    Transcode(Target),
}

/// A request; the frame travels beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Pixel description of the instance.
    pub module: PixelModule,
    /// Transfer syntax of the frame.
    pub transfer_syntax_uid: TransferSyntaxUid,
    /// What to do.
    pub task: Task,
}

/// A decoded frame that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeFrame {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// 1 or 3.
    pub samples_per_pixel: u16,
    /// Width and kind of a sample.
    pub format: SampleFormat,
    /// The samples, colour by pixel.
    pub bytes: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// One picture for each wish.
    Rendered(Vec<EncodedImage>),
    /// The samples.
    Decoded(NativeFrame),
    /// The frame in the form that was asked for.
    Transcoded(TranscodedFrame),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResponseHeader {
    Rendered(Vec<PictureHeader>),
    Decoded { rows: u32, columns: u32, samples_per_pixel: u16, format: SampleFormat },
    Transcoded(FrameDescription),
    Failed(RenderError),
}

#[derive(Serialize, Deserialize)]
struct PictureHeader {
    format: ImageFormat,
    width: u32,
    height: u32,
    length_bytes: u32,
}

/// Writes a request.
///
/// # Errors
/// [`RenderError::Wire`] when it cannot be written as JSON.
pub fn encode_request(request: &Request, frame: &[u8]) -> Result<Vec<u8>, RenderError> {
    message(request, [frame])
}

/// Answers a request, whatever it holds: a panic of a decoder becomes an answer too.
pub fn handle_request(message: &[u8]) -> Vec<u8> {
    let answer = catch_unwind(AssertUnwindSafe(|| answer(message))).unwrap_or(Err(RenderError::Panicked));
    answer.or_else(|error| self::message(&ResponseHeader::Failed(error), [])).unwrap_or_default()
}

/// Reads an answer.
///
/// # Errors
/// The error of the other side, or [`RenderError::Wire`].
pub fn decode_response(message: &[u8]) -> Result<Response, RenderError> {
    let (header, mut rest) = split::<ResponseHeader>(message)?;
    match header {
        ResponseHeader::Failed(error) => Err(error),
        ResponseHeader::Decoded { rows, columns, samples_per_pixel, format } => {
            let frame = NativeFrame { rows, columns, samples_per_pixel, format, bytes: rest.to_vec() };
            Ok(Response::Decoded(frame))
        }
        ResponseHeader::Transcoded(description) => {
            Ok(Response::Transcoded(TranscodedFrame { description, bytes: rest.to_vec() }))
        }
        ResponseHeader::Rendered(pictures) => {
            let mut take = |picture: &PictureHeader| {
                let (bytes, tail) = rest
                    .split_at_checked(picture.length_bytes as usize)
                    .ok_or(RenderError::Wire("a picture is cut short".into()))?;
                rest = tail;
                Ok(EncodedImage {
                    media_type: picture.format.media_type(),
                    width: picture.width,
                    height: picture.height,
                    bytes: bytes.to_vec(),
                })
            };
            pictures.iter().map(&mut take).collect::<Result<_, _>>().map(Response::Rendered)
        }
    }
}

fn answer(message: &[u8]) -> Result<Vec<u8>, RenderError> {
    let (request, frame) = split::<Request>(message)?;
    match &request.task {
        Task::Render(outputs) => {
            let files = render_outputs(&request.module, &request.transfer_syntax_uid, frame, outputs)?;
            let headers = files.iter().zip(outputs).map(|(file, output)| PictureHeader {
                format: output.format,
                width: file.width,
                height: file.height,
                length_bytes: file.bytes.len() as u32,
            });
            self::message(
                &ResponseHeader::Rendered(headers.collect()),
                files.iter().map(|file| file.bytes.as_slice()),
            )
        }
        Task::Decode => {
            let decoded = decode_frame(&request.module, &request.transfer_syntax_uid, frame)?;
            let header = ResponseHeader::Decoded {
                rows: decoded.rows,
                columns: decoded.columns,
                samples_per_pixel: decoded.samples_per_pixel,
                format: decoded.format,
            };
            self::message(&header, [decoded.bytes.as_ref()])
        }
        Task::Transcode(target) => {
            let made = transcode_frame(&request.module, &request.transfer_syntax_uid, frame, *target)?;
            self::message(&ResponseHeader::Transcoded(made.description), [made.bytes.as_slice()])
        }
    }
}

fn message<'a>(
    header: &impl Serialize,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, RenderError> {
    let header = serde_json::to_vec(header).map_err(|_| RenderError::Wire("the description".into()))?;
    let length = u32::try_from(header.len()).map_err(|_| RenderError::Wire("the description".into()))?;
    let mut message = length.to_le_bytes().to_vec();
    message.extend(header);
    for part in parts {
        message.extend_from_slice(part);
    }
    Ok(message)
}

fn split<T: DeserializeOwned>(message: &[u8]) -> Result<(T, &[u8]), RenderError> {
    let cut = || RenderError::Wire("it is cut short".into());
    let (length, rest) = message.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > WIRE_HEADER_MAX_BYTES {
        return Err(RenderError::Wire("the description is too long".into()));
    }
    let (header, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = serde_json::from_slice(header).map_err(|_| RenderError::Wire("the description".into()))?;
    Ok((header, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::RenderOptions;

    fn request(task: Task) -> Request {
        Request {
            module: PixelModule {
                rows: 2,
                columns: 2,
                samples_per_pixel: 1,
                photometric_interpretation: "MONOCHROME2".into(),
                bits_allocated: 8,
                bits_stored: 8,
                high_bit: 7,
                ..PixelModule::default()
            },
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("uid"),
            task,
        }
    }

    fn exchange(request: &Request, frame: &[u8]) -> Result<Response, RenderError> {
        decode_response(&handle_request(&encode_request(request, frame).expect("message")))
    }

    #[test]
    fn pictures_and_samples_come_back() {
        let jpeg = Output { options: RenderOptions::fit(2), format: ImageFormat::Jpeg { quality: 85 } };
        let png = Output { options: RenderOptions::fit(1), format: ImageFormat::Png };
        let Ok(Response::Rendered(files)) = exchange(&request(Task::Render(vec![jpeg, png])), &[1, 2, 3, 4])
        else {
            panic!("no pictures");
        };
        assert!(files[0].bytes.starts_with(&[0xff, 0xd8]) && files[1].bytes.starts_with(b"\x89PNG"));
        assert_eq!((files[0].width, files[1].width), (2, 1));
        let Ok(Response::Decoded(frame)) = exchange(&request(Task::Decode), &[1, 2, 3, 4]) else {
            panic!("no samples");
        };
        assert_eq!(frame.bytes, [1, 2, 3, 4]);
        let Ok(Response::Transcoded(made)) = exchange(&request(Task::Transcode(Target::Rle)), &[1, 2, 3, 4])
        else {
            panic!("no frame");
        };
        assert_eq!(made.bytes[64..], [1, 1, 2, 1, 3, 4]);
        assert_eq!(made.description.photometric_interpretation, "MONOCHROME2");
    }

    #[test]
    fn errors_come_back_as_they_were() {
        let error = RenderError::Truncated { found_bytes: 1, needed_bytes: 4 };
        assert_eq!(exchange(&request(Task::Decode), &[1]), Err(error));
        let quality = Output { options: RenderOptions::default(), format: ImageFormat::Jpeg { quality: 0 } };
        let answer = exchange(&request(Task::Render(vec![quality])), &[1, 2, 3, 4]);
        assert!(matches!(answer, Err(RenderError::InvalidOptions(_))));
    }

    #[test]
    fn broken_messages_are_answered() {
        for message in [&b""[..], b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x09\0\0\0{"] {
            assert!(matches!(decode_response(&handle_request(message)), Err(RenderError::Wire(_))));
        }
    }
}
