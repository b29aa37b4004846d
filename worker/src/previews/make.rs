//! One preview: read one frame, render it twice, keep the pictures, note it.
//!
//! Pictures become objects before the row names them: a crash in between leaves objects that nothing names, and the
//! preview is made again.

use archive::{ReadError, StorageError};
use bytes::Bytes;
use database::{DatabaseError, HeaderRecord, PreviewObjects, StoredInstance};
use fail_point::Point;
use model::pixel::PixelModule;
use rendering::{
    EncodedImage, ImageFormat, Output, RenderError, RenderOptions, is_native_and_checked, render_outputs,
    wire::{self, Request, Response, Task},
};
use service::decoder::DecoderError;

use super::{Memory, after_others::after_others};
use crate::WorkerState;

/// Why a preview could not be made now: it stays in the queue and is tried again after a wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PreviewError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the pictures could not be kept: {0}")]
    Keep(String),
    #[error("the frame could not be read: {0}")]
    Read(ReadError),
    #[error("this attempt failed and was counted")]
    Counted,
    #[error("no further thread can be had: {0}")]
    NoThread(#[from] std::io::Error),
    #[error("stopping")]
    Stopping,
}

/// Why there will be no picture of this instance, or not by this attempt.
struct Refusal {
    reason: String,
    /// Trying again gives the same.
    is_final: bool,
}

impl Refusal {
    fn last(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_final: true }
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Self {
        Self::last(error.to_string())
    }
}

/// Makes the preview and thumbnail of an instance, or notes why there is none.
pub(crate) async fn make_preview(
    state: &WorkerState,
    memory: &Memory,
    instance: StoredInstance,
) -> Result<(), PreviewError> {
    let id = instance.id;
    fail_point::pass(Point::K33PreviewBegun);
    let started = tokio::time::Instant::now();
    match render(state, memory, &instance).await? {
        Ok([preview, thumbnail]) => {
            let objects = keep(state, &instance, preview, thumbnail).await?;
            fail_point::pass(Point::K33PreviewWritten);
            state.archive.database().record_preview(id, objects).await?;
            fail_point::pass(Point::K33PreviewNoted);
            metrics::counter!("maxray_previews_made_total").increment(1);
            metrics::histogram!("maxray_preview_seconds").record(started.elapsed().as_secs_f64());
            Ok(())
        }
        Err(Refusal { reason, is_final }) => {
            let reason = format!("no preview, because {reason}");
            tracing::info!(xray_id = %id, %reason, is_final, "preview refused");
            metrics::counter!("maxray_previews_failed_total").increment(1);
            state.archive.database().record_preview_failure(id, &reason, is_final).await?;
            if is_final { Ok(()) } else { Err(PreviewError::Counted) }
        }
    }
}

async fn render(
    state: &WorkerState,
    memory: &Memory,
    instance: &StoredInstance,
) -> Result<Result<[EncodedImage; 2], Refusal>, PreviewError> {
    let Some(header) = state.archive.database().header(instance.id).await? else {
        return Ok(Err(Refusal::last("the header of the instance is not there")));
    };
    let (module, index, length_bytes) = match choose_frame(state, &header) {
        Ok(chosen) => chosen,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // The frame, and the copy of it that decoding or sending takes.
    let _room = memory.take(length_bytes.saturating_mul(2)).await.ok_or(PreviewError::Stopping)?;
    let frame = match state.archive.read_frame(instance, &header, index).await {
        Ok(frame) => frame,
        // An object store that does not answer is no fault of the instance.
        Err(ReadError::Storage(error)) if !matches!(error, StorageError::NotFound(_)) => {
            return Err(PreviewError::Read(error.into()));
        }
        Err(error) => {
            let is_final = !matches!(error, ReadError::Storage(_));
            return Ok(Err(Refusal { reason: error.to_string(), is_final }));
        }
    };
    drop(header);
    let outputs = outputs(state);
    let rendered = if is_native_and_checked(&instance.transfer_syntax_uid) {
        render_here(instance, module, frame, outputs).await?
    } else {
        match render_in_child(state, instance, module, frame, outputs).await {
            Ok(rendered) => rendered,
            // The limits were met, or the codec fell over: this counts, and a third time is the last.
            Err(error) => {
                let is_final = matches!(error, DecoderError::TooLarge);
                return Ok(Err(Refusal { reason: error.to_string(), is_final }));
            }
        }
    };
    Ok(rendered.map_err(Refusal::from))
}

/// The frame to show: the representative one, else the middle one (PS3.3 C.7.6.6).
fn choose_frame(state: &WorkerState, header: &HeaderRecord) -> Result<(PixelModule, usize, u64), Refusal> {
    let no_pixels = || Refusal::last("the instance has no pixel data");
    let module = header.pixel_module.as_ref().ok_or_else(no_pixels)?;
    let frames = header.frame_table.len();
    let representative =
        module.representative_frame_number.and_then(|number| (number as usize).checked_sub(1));
    let index = representative.filter(|index| *index < frames).unwrap_or(frames / 2);
    let Some(location) = header.frame_table.locate(index) else {
        return Err(Refusal::last("no whole frame is there"));
    };
    let length_bytes = location.ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.length));
    if length_bytes > state.config.frame_length_max_bytes {
        return Err(Refusal::last(format!(
            "the frame has {length_bytes} bytes; the limit is {}",
            state.config.frame_length_max_bytes
        )));
    }
    let module = header.frame_module(index).ok_or_else(no_pixels)?;
    Ok((module, index, length_bytes))
}

fn outputs(state: &WorkerState) -> Vec<Output> {
    let format = ImageFormat::Jpeg { quality: state.config.preview_quality };
    [state.config.preview_side_pixels, state.config.thumbnail_side_pixels]
        .map(|side| Output { options: RenderOptions::fit(side), format })
        .to_vec()
}

async fn render_here(
    instance: &StoredInstance,
    module: PixelModule,
    frame: Bytes,
    outputs: Vec<Output>,
) -> Result<Result<[EncodedImage; 2], RenderError>, std::io::Error> {
    let transfer_syntax = instance.transfer_syntax_uid.clone();
    let work = move || render_outputs(&module, &transfer_syntax, &frame, &outputs);
    // A panic of the thread is an error of ours.
    Ok(match after_others(work).await? {
        Some(files) => files.and_then(two),
        None => Err(RenderError::Panicked),
    })
}

async fn render_in_child(
    state: &WorkerState,
    instance: &StoredInstance,
    module: PixelModule,
    frame: Bytes,
    outputs: Vec<Output>,
) -> Result<Result<[EncodedImage; 2], RenderError>, DecoderError> {
    let transfer_syntax_uid = instance.transfer_syntax_uid.clone();
    let request = Request { module, transfer_syntax_uid, task: Task::Render(outputs) };
    let message = match wire::encode_request(&request, &frame) {
        Ok(message) => message,
        Err(error) => return Ok(Err(error)),
    };
    drop((request, frame));
    let answer = state.decoder.run(message).await?;
    Ok(match wire::decode_response(&answer) {
        Ok(Response::Rendered(files)) => two(files),
        Ok(Response::Decoded(_) | Response::Transcoded(_)) => {
            Err(RenderError::Wire("an answer to another question".into()))
        }
        Err(error) => Err(error),
    })
}

fn two(files: Vec<EncodedImage>) -> Result<[EncodedImage; 2], RenderError> {
    files.try_into().map_err(|_| RenderError::Wire("not two pictures".into()))
}

async fn keep(
    state: &WorkerState,
    instance: &StoredInstance,
    preview: EncodedImage,
    thumbnail: EncodedImage,
) -> Result<PreviewObjects, PreviewError> {
    let (width, height, media_type) = (preview.width, preview.height, preview.media_type.to_owned());
    let put = async |file: Vec<u8>| {
        let kept = state.archive.put_preview(instance, Bytes::from(file)).await;
        fail_point::pass(Point::K33PreviewHalfWritten);
        kept
    };
    let (preview, thumbnail) = match tokio::join!(put(preview.bytes), put(thumbnail.bytes)) {
        (Ok(preview), Ok(thumbnail)) => (preview, thumbnail),
        // The patient may have been erased meanwhile: no row names the one that was kept.
        (Ok(alone), Err(error)) | (Err(error), Ok(alone)) => {
            let removed = state.archive.storage().delete(alone.key).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "one of two pictures is left without a row");
            }
            return Err(PreviewError::Keep(error.to_string()));
        }
        (Err(error), Err(_)) => return Err(PreviewError::Keep(error.to_string())),
    };
    Ok(PreviewObjects {
        preview_key: preview.key.into(),
        preview_length_bytes: preview.seal.length_bytes(),
        preview_seal: preview.seal.to_bytes().to_vec(),
        thumbnail_key: thumbnail.key.into(),
        thumbnail_length_bytes: thumbnail.seal.length_bytes(),
        thumbnail_seal: thumbnail.seal.to_bytes().to_vec(),
        media_type,
        width,
        height,
    })
}
