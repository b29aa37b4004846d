//! A frame as a picture for eyes: in this process where the samples are native, else in the decoder's.

use archive::ReadError;
use database::{HeaderRecord, StoredInstance};
use rendering::{
    EncodedImage, Output, RenderError, is_native_and_checked, render_outputs,
    wire::{self, Request, Response, Task},
};
use service::http::problem::Problem;

use crate::{Converter, Patience, frame_length};

/// Why there is no picture.
#[derive(Debug)]
pub enum PictureError {
    /// There are not so many frames.
    NoSuchFrame,
    /// What is asked for makes no sense.
    InvalidOptions(String),
    /// It has no picture, or none that can be made here.
    NotRenderable(String),
    /// It cannot be read.
    Read(ReadError),
    /// There was no place to make it, or something went wrong inside.
    Problem(Problem),
}

impl PictureError {
    fn not_renderable(detail: impl Into<String>) -> Self {
        Self::NotRenderable(detail.into())
    }
}

impl From<RenderError> for PictureError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::InvalidOptions(_) => Self::InvalidOptions(error.to_string()),
            RenderError::Implausible(_)
            | RenderError::TooLarge { .. }
            | RenderError::Truncated { .. }
            | RenderError::UnsupportedCodec(_)
            | RenderError::Unsupported(_)
            | RenderError::Malformed { .. }
            | RenderError::Mismatch { .. }
            | RenderError::Panicked => Self::NotRenderable(error.to_string()),
            RenderError::Encode(_) | RenderError::Wire(_) => Self::Problem(Problem::internal(&error)),
        }
    }
}

impl Converter {
    /// Renders frame `index`, which counts from 0, with the rescale and the window of that frame.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub async fn picture(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        index: usize,
        output: Output,
        patience: Patience,
    ) -> Result<EncodedImage, PictureError> {
        let Some(module) = header.frame_module(index) else {
            return Err(PictureError::not_renderable("the instance has no pixel data"));
        };
        let length = frame_length(&header.frame_table, index).ok_or(PictureError::NoSuchFrame)?;
        if length > self.frame_length_max_bytes() {
            return Err(PictureError::not_renderable("the frame is too long"));
        }
        let _place = self.place(patience).await.map_err(PictureError::Problem)?;
        let frame = self.archive().read_frame(instance, header, index).await.map_err(PictureError::Read)?;
        let transfer_syntax_uid = instance.transfer_syntax_uid.clone();
        if is_native_and_checked(&transfer_syntax_uid) {
            let work =
                move || render_outputs(&module, &transfer_syntax_uid, &frame, std::slice::from_ref(&output));
            let rendered = tokio::task::spawn_blocking(work).await;
            return only(rendered.map_err(|error| PictureError::Problem(Problem::internal(&error)))?);
        }
        let request = Request { module, transfer_syntax_uid, task: Task::Render(vec![output]) };
        let message = wire::encode_request(&request, &frame)?;
        drop(frame);
        let answer = self.decoder().run(message).await.map_err(|error| {
            tracing::warn!(%error, "a frame was not rendered");
            PictureError::not_renderable(error.to_string())
        })?;
        only(match wire::decode_response(&answer) {
            Ok(Response::Rendered(pictures)) => Ok(pictures),
            Ok(Response::Decoded(_) | Response::Transcoded(_)) => {
                Err(RenderError::Wire("samples instead of pictures".into()))
            }
            Err(error) => Err(error),
        })
    }
}

fn only(rendered: Result<Vec<EncodedImage>, RenderError>) -> Result<EncodedImage, PictureError> {
    rendered?.pop().ok_or_else(|| PictureError::not_renderable("the decoder made no picture"))
}
