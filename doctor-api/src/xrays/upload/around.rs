//! What of a form is not the content of its file, bounded: the reader of multipart keeps it in memory until it finds the
//! next part, and takes whatever is ready.

use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, ready},
};

use axum::body::{BodyDataStream, Bytes};
use futures_util::{Stream, stream};

use super::form::METADATA_LENGTH_MAX_BYTES;

/// Most bytes of a form beside the content of the file: metadata, part headers, what stands before and after the parts.
pub const AROUND_FILE_MAX_BYTES: u64 = (64 << 10) + METADATA_LENGTH_MAX_BYTES;
/// Bytes handed on at once.
const PIECE_MAX_BYTES: usize = 16 << 10;

/// Where in the form its reader is.
#[derive(Debug, Clone, Default)]
pub struct Around {
    in_file: Arc<AtomicBool>,
}

impl Around {
    /// What comes now is the file's, and bounded by others.
    pub fn file_begins(&self) {
        self.in_file.store(true, Ordering::Relaxed);
    }

    /// What comes now is not the file's.
    pub fn file_ends(&self) {
        self.in_file.store(false, Ordering::Relaxed);
    }
}

/// There is too much beside the file.
#[derive(Debug)]
pub struct TooMuchAround;

impl fmt::Display for TooMuchAround {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the form has more than {AROUND_FILE_MAX_BYTES} bytes beside the file")
    }
}

impl Error for TooMuchAround {}

/// The body in pieces, which ends with [`TooMuchAround`] where there is too much.
pub fn bounded(
    mut body: BodyDataStream,
    around: Around,
) -> impl Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> {
    let (mut rest, mut count, mut handed_on) = (Bytes::new(), 0u64, false);
    stream::poll_fn(move |context| {
        // After each piece the reader has to look at what it has, or it would take in all that is ready.
        if mem::take(&mut handed_on) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while rest.is_empty() {
            match ready!(Pin::new(&mut body).poll_next(context)) {
                Some(Ok(bytes)) => rest = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE_MAX_BYTES));
        if !around.in_file.load(Ordering::Relaxed) {
            count += piece.len() as u64;
            if count > AROUND_FILE_MAX_BYTES {
                return Poll::Ready(Some(Err(TooMuchAround.into())));
            }
        }
        handed_on = true;
        Poll::Ready(Some(Ok(piece)))
    })
}
