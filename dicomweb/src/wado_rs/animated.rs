//! PS3.18 10.4.1.1.3 and table 8.7.4-1, `image/gif`: the frames of an instance as one animated picture, each rendered
//! while the one before is sent.

use archive::ReadError;
use axum::{http::HeaderMap, response::Response};
use bytes::Bytes;
use database::{HeaderRecord, StoredInstance};
use futures_util::Stream;
use rendering::{ImageFormat, Output};
use serde_json::Value;
use service::http::problem::Problem;

use super::{render, stream, transcode::Patience};
use crate::{conditional, multipart::Fingerprint, state::App};

/// Shown over and over: the extension that every browser knows.
const REPEAT: &[u8] = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
/// The last byte of a file.
const TRAILER: u8 = 0x3b;
/// Signature and logical screen descriptor.
const HEAD_BYTES: usize = 13;
/// Where nothing is said, ten frames in a second.
const DELAY: u16 = 10;
/// What browsers show at least, in hundredths of a second: below it they take a tenth.
const DELAY_MIN: f64 = 2.0;

/// The answer, its first frame rendered before it begins.
pub async fn respond(
    app: App,
    headers: &HeaderMap,
    instance: StoredInstance,
    header: HeaderRecord,
    output: Output,
) -> Result<Response, Problem> {
    let output = Output { format: ImageFormat::Gif { delay: delay(&header) }, ..output };
    let mut fingerprint = Fingerprint::new("rendered/animated");
    fingerprint.add(env!("CARGO_PKG_VERSION").as_bytes()).add(&instance.data_set_sha256);
    fingerprint.add(format!("{output:?}").as_bytes());
    let entity_tag = fingerprint.finish().entity_tag();
    if conditional::is_known(headers, &entity_tag) {
        return Ok(conditional::not_modified(&entity_tag));
    }
    let first = render::render(&app, &instance, &header, 0, output.clone(), Patience::Limited).await?;
    let media_type = output.format.media_type();
    Ok(stream::respond(media_type, &entity_tag, None, frames(app, instance, header, output, first.bytes)))
}

fn frames(
    app: App,
    instance: StoredInstance,
    header: HeaderRecord,
    output: Output,
    first: Vec<u8>,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    async_stream::try_stream! {
        let (head, picture) = split(&first).ok_or(ReadError::Damaged("a picture is no GIF"))?;
        yield Bytes::from([head, REPEAT, picture].concat());
        for index in 1..header.frame_table.len() {
            let made = render::render(&app, &instance, &header, index, output.clone(), Patience::Unlimited).await;
            // A frame that cannot be shown is left out: those after it still can.
            let Ok(made) = made.inspect_err(|problem| {
                tracing::warn!(index, problem.status, "a frame of an animated picture is left out");
            }) else {
                continue;
            };
            let (_, picture) = split(&made.bytes).ok_or(ReadError::Damaged("a picture is no GIF"))?;
            yield Bytes::copy_from_slice(picture);
        }
        yield Bytes::from_static(&[TRAILER]);
    }
}

/// What stands before the pictures of a file, and its pictures.
fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let flags = *file.get(10)?;
    let table = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let (head, rest) = file.split_at_checked(HEAD_BYTES + table)?;
    let (trailer, pictures) = rest.split_last()?;
    (head.starts_with(b"GIF8") && *trailer == TRAILER).then_some((head, pictures))
}

/// How long a frame is shown, in hundredths of a second: by Frame Time (0018,1063) in milliseconds, Recommended Display
/// Frame Rate (0008,2144) or Cine Rate (0018,0040) in frames a second (PS3.3 C.7.6.5).
fn delay(header: &HeaderRecord) -> u16 {
    let json: Value = serde_json::from_str(&header.json).unwrap_or_default();
    let number = |tag: &str| match &json[tag]["Value"][0] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let time = number("00181063").map(|time: f64| time / 10.0);
    let rate = || number("00082144").or_else(|| number("00180040")).map(|rate| 100.0 / rate);
    let delay = time.or_else(rate).filter(|delay| delay.is_finite() && *delay > 0.0);
    delay.map_or(DELAY, |delay| delay.round().clamp(DELAY_MIN, f64::from(u16::MAX)) as u16)
}

#[cfg(test)]
mod tests {
    use model::{frame::FrameTable, functional_groups::FrameItems};

    use super::*;

    fn header(json: &str) -> HeaderRecord {
        HeaderRecord {
            instance_id: uuid::Uuid::nil(),
            json: json.to_owned(),
            bulk_data: Vec::new(),
            pixel_module: None,
            frame_table: FrameTable::None,
            frame_items: FrameItems::default(),
        }
    }

    #[test]
    fn frames_are_shown_as_long_as_the_instance_says() {
        for (json, expected) in [
            ("{}", DELAY),
            (r#"{"00181063": {"Value": ["33.3"]}}"#, 3),
            (r#"{"00181063": {"Value": [0]}, "00180040": {"Value": [25]}}"#, DELAY),
            (r#"{"00180040": {"Value": ["25"]}}"#, 4),
            (r#"{"00082144": {"Value": [1000]}}"#, 2),
            (r#"{"00181063": {"Value": ["1e300"]}}"#, u16::MAX),
            (r#"{"00181063": {"Value": ["NaN"]}}"#, DELAY),
        ] {
            assert_eq!(delay(&header(json)), expected, "{json}");
        }
    }
}
