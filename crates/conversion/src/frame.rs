//! PS3.18 8.7.3.5: one frame in another transfer syntax. What is compressed is decoded in the decoder process.

use archive::ReadError;
use database::{HeaderRecord, StoredInstance};
use model::frame::FrameTable;
use rendering::{
    RenderError, Target, TranscodedFrame, is_native_and_checked, targets, transcode_frame,
    wire::{self, Request, Response, Task},
};
use service::{decoder::DecoderError, http::problem::Problem};

use crate::{Converter, frame_length, word_bytes};

/// Why a frame cannot be had in another form.
#[derive(Debug)]
pub enum TranscodeError {
    /// It could not be read: another form of it cannot be either.
    Read(ReadError),
    /// There is no such form of it.
    NotPossible(String),
    /// Too much is being done at once.
    Busy(Problem),
}

impl TranscodeError {
    /// In the middle of a body.
    pub fn broken(self) -> ReadError {
        match self {
            Self::Read(error) => error,
            Self::NotPossible(detail) => {
                tracing::warn!(detail, "a frame could not be made anew");
                ReadError::Damaged("a frame could not be made anew")
            }
            Self::Busy(_) => ReadError::Damaged("no place to decode in"),
        }
    }
}

/// How long to wait for a place to decode in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Before an answer has begun: too long a wait is a 503.
    Limited,
    /// In the middle of one.
    Unlimited,
}

/// The forms that frames of an instance can be made in; none when its frames cannot be told apart.
pub fn possible(instance: &StoredInstance, header: &HeaderRecord) -> Vec<Target> {
    let Some(module) = &header.pixel_module else { return Vec::new() };
    let frames = header.frame_table.len() as u64;
    if frames == 0 || frames != u64::from(module.number_of_frames.max(1)) {
        return Vec::new();
    }
    // Samples of 8 bits in words of 16 that are in the other byte order (PS3.5 8.1.1) are swapped, never decoded.
    if word_bytes(instance, header) > usize::from(module.bits_allocated.div_ceil(8)) {
        return Vec::new();
    }
    // Bits of frames that do not fill their bytes are kept as they came.
    let native = matches!(header.frame_table, FrameTable::Native { .. });
    let all = targets(module, &instance.transfer_syntax_uid).into_iter();
    all.filter(|target| !(native && *target == Target::Native)).collect()
}

impl Converter {
    /// Reads frame `index` and makes it anew.
    ///
    /// # Errors
    /// See [`TranscodeError`].
    pub async fn frame(
        &self,
        instance: &StoredInstance,
        header: &HeaderRecord,
        index: usize,
        target: Target,
        patience: Patience,
    ) -> Result<TranscodedFrame, TranscodeError> {
        let not_possible = |error: RenderError| TranscodeError::NotPossible(error.to_string());
        let Some(module) = header.pixel_module.clone() else {
            return Err(TranscodeError::NotPossible("the instance has no pixel data".to_owned()));
        };
        let length = frame_length(&header.frame_table, index)
            .ok_or(TranscodeError::Read(ReadError::NoSuchFrame { index }))?;
        if length > self.frame_length_max_bytes() {
            return Err(TranscodeError::NotPossible("the frame is too long".to_owned()));
        }
        let _place = self.place(patience).await.map_err(TranscodeError::Busy)?;
        let read = self.archive().read_frame(instance, header, index).await;
        let frame = read.map_err(TranscodeError::Read)?;
        let transfer_syntax_uid = instance.transfer_syntax_uid.clone();
        if is_native_and_checked(&transfer_syntax_uid) {
            let work = move || transcode_frame(&module, &transfer_syntax_uid, &frame, target);
            let made = tokio::task::spawn_blocking(work).await;
            let made = made.map_err(|error| TranscodeError::Busy(Problem::internal(&error)))?;
            return made.map_err(not_possible);
        }
        let request = Request { module, transfer_syntax_uid, task: Task::Transcode(target) };
        let message = wire::encode_request(&request, &frame).map_err(not_possible)?;
        drop(frame);
        let answer = self.decoder().run(message).await.map_err(|error: DecoderError| {
            tracing::warn!(%error, "a frame was not decoded");
            TranscodeError::NotPossible(error.to_string())
        })?;
        match wire::decode_response(&answer) {
            Ok(Response::Transcoded(made)) => Ok(made),
            Ok(Response::Rendered(_) | Response::Decoded(_)) => {
                Err(TranscodeError::NotPossible("the decoder answered another question".to_owned()))
            }
            Err(error) => Err(not_possible(error)),
        }
    }
}
