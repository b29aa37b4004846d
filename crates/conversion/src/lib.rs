//! PS3.5 Annex A and PS3.10 7: stored instances and their frames in another transfer syntax, made while they are sent.
//! DICOMweb and the DICOM door give out the same.
//!
//! No more of an instance is in memory than a frame and a piece of the data set. What is compressed is decoded in the
//! decoder process; which syntax can become which is in `rendering::transcode`.
#![deny(missing_docs)]

mod edits;
mod frame;
mod instance;
mod payload;
mod picture;
mod pixel_data;
mod ways;

use std::{sync::Arc, time::Duration};

use archive::{Archive, ReadError};
use service::{decoder::DecoderPool, http::problem::Problem};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use edits::{derived_uid, name_based_uid};
pub use frame::{Patience, TranscodeError, possible};
pub use instance::{Form, Outgoing, open, syntax};
pub use payload::{frame_length, word_bytes};
pub use picture::PictureError;
pub use ways::{Offer, Way, conceivable, of};

/// How much may be made at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConverterLimits {
    /// Frames decoded at once, for all doors together.
    pub frames_at_once_max: usize,
    /// How long the first frame of an answer waits for its turn.
    pub wait: Duration,
    /// Longest frame that is decoded.
    pub frame_length_max_bytes: u64,
}

/// Makes frames anew; cheap to clone.
#[derive(Clone)]
pub struct Converter(Arc<Shared>);

struct Shared {
    archive: Archive,
    decoder: DecoderPool,
    limits: ConverterLimits,
    places: Semaphore,
}

impl Converter {
    /// Of what is in an archive.
    pub fn new(archive: Archive, decoder: DecoderPool, limits: ConverterLimits) -> Self {
        let places = Semaphore::new(limits.frames_at_once_max);
        Self(Arc::new(Shared { archive, decoder, limits, places }))
    }

    /// The archive.
    pub fn archive(&self) -> &Archive {
        &self.0.archive
    }

    /// Where frames of strangers are decoded.
    pub fn decoder(&self) -> &DecoderPool {
        &self.0.decoder
    }

    /// Longest frame that is decoded.
    pub fn frame_length_max_bytes(&self) -> u64 {
        self.0.limits.frame_length_max_bytes
    }

    /// Waits for a place to decode and render. Before an answer begins too long a wait is overload; in the middle of
    /// one there is no status left to say so.
    ///
    /// # Errors
    /// When the wait was too long, or the server is stopping.
    pub async fn place(&self, patience: Patience) -> Result<SemaphorePermit<'_>, Problem> {
        let stopping = || Problem::unavailable("the server is stopping");
        let place = self.0.places.acquire();
        if patience == Patience::Unlimited {
            return place.await.map_err(|_| stopping());
        }
        match tokio::time::timeout(self.0.limits.wait, place).await {
            Ok(place) => place.map_err(|_| stopping()),
            Err(_) => Err(Problem::unavailable("too many pictures are being rendered")),
        }
    }
}

/// A failure in the middle of a body: it is cut, so that nobody takes half for the whole.
fn broken(error: ReadError) -> ReadError {
    tracing::error!(%error, "a body was cut: its rest could not be read");
    error
}
