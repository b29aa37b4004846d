//! Bodies that are made while they are sent: what is not read by the client is not read from the archive.

use archive::{ByteStream, ReadError};
use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::Stream;

use crate::conditional;

/// Starts an answer whose body is a stream. With `length` known the client can tell a cut from an end.
pub fn respond<S>(content_type: &str, entity_tag: &str, length: Option<u64>, body: S) -> Response
where
    S: Stream<Item = Result<Bytes, ReadError>> + Send + 'static,
{
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    conditional::tag(&mut response, entity_tag);
    response
}

/// A failure in the middle of a body: the connection is cut, so that nobody takes half for the whole.
pub fn broken(error: ReadError) -> ReadError {
    tracing::error!(%error, "a body was cut: its rest could not be read");
    error
}

/// The next bytes of a stream that may fail.
pub async fn next(stream: &mut ByteStream) -> Option<Result<Bytes, ReadError>> {
    use futures_util::StreamExt as _;
    stream.next().await.map(|bytes| bytes.map_err(broken))
}
