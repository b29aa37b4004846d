//! RFC 9110 8.4, Content-Encoding: DICOM JSON, XML and tables leave compressed for those who take it, piece by piece as they
//! are made. Pixel data, documents and pictures do not: they are compressed in their own way, and asked for in ranges.

mod coding;

use std::io::{self, Write as _};

use axum::{
    BoxError,
    body::{Body, HttpBody as _},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use zstd::stream::write::Encoder as ZstdEncoder;

use self::coding::{Accepted, Coding};
use crate::media_type::{CSV, DICOM_JSON, DICOM_XML, MediaType};

/// The capabilities.
const JSON: &str = "application/json";
/// The quickest: headers of one series are alike, and any level finds that.
const ZSTD_LEVEL: i32 = 1;
/// So much is compressed before others may run.
const SLICE_BYTES: usize = 64 << 10;
/// What came out waits until there is so much of it, or until more of the body has to be waited for.
const PIECE_BYTES: usize = 16 << 10;

/// Middleware around every route.
pub(crate) async fn compress(mut request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    // A range is one of the bytes without a coding.
    let is_ranged = request.headers().contains_key(header::RANGE);
    let accepted = if is_ranged { Accepted::default() } else { Accepted::of(request.headers()) };
    let came = accepted.plain_tags(request.headers_mut());
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_MODIFIED {
        let known_as = entity_tag(response.headers()).and_then(|plain| accepted.known_as(plain, &came));
        set_entity_tag(response.headers_mut(), known_as);
        add_to_vary(response.headers_mut());
        return response;
    }
    if response.status() != StatusCode::OK || !is_text(response.headers()) {
        return response;
    }
    add_to_vary(response.headers_mut());
    match accepted.choose(length(&response)) {
        Some(coding) => in_coding(response, coding),
        None => response,
    }
}

/// Whether it is of the kind that is compressed.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.and_then(|text| MediaType::parse(text).ok()).is_some_and(|media_type| {
        match media_type.essence.as_str() {
            DICOM_JSON | DICOM_XML | CSV | JSON => true,
            "multipart/related" => media_type.parameter("type") == Some(DICOM_XML),
            _ => false,
        }
    })
}

fn length(response: &Response) -> Option<u64> {
    let said = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    response.body().size_hint().exact().or_else(|| said.and_then(|text| text.parse().ok()))
}

fn entity_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ETAG)?.to_str().ok()
}

fn set_entity_tag(headers: &mut HeaderMap, tag: Option<String>) {
    if let Some(value) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        headers.insert(header::ETAG, value);
    }
}

fn add_to_vary(headers: &mut HeaderMap) {
    let known = headers.get(header::VARY).and_then(|value| value.to_str().ok());
    let all = known.map_or_else(|| "Accept-Encoding".to_owned(), |known| format!("{known}, Accept-Encoding"));
    if let Ok(value) = HeaderValue::try_from(all) {
        headers.insert(header::VARY, value);
    }
}

/// The same answer in a coding.
fn in_coding(mut response: Response, coding: Coding) -> Response {
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    let tag = entity_tag(headers).and_then(|plain| coding.tagged(plain));
    set_entity_tag(headers, tag);
    response.map(|body| Body::from_stream(pieces(body, coding)))
}

/// A body in a coding, as it is made. When more of it has to be waited for, what is there goes out first. A body that
/// breaks off has no end here either.
fn pieces(body: Body, coding: Coding) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    let length = body.size_hint().exact();
    let mut body = body.into_data_stream();
    async_stream::try_stream! {
        let mut compressor = Compressor::new(coding, length)?;
        let (mut is_flushed, mut in_one_go) = (true, 0);
        loop {
            let ready = body.next().now_or_never();
            let next = if let Some(next) = ready {
                next
            } else {
                if !is_flushed {
                    is_flushed = true;
                    yield compressor.flush()?;
                }
                body.next().await
            };
            let Some(bytes) = next else { break };
            let mut bytes: Bytes = bytes?;
            while !bytes.is_empty() {
                let slice = bytes.split_to(bytes.len().min(SLICE_BYTES));
                compressor.write(&slice)?;
                is_flushed = false;
                if compressor.output().len() >= PIECE_BYTES {
                    yield compressor.take();
                }
                in_one_go += slice.len();
                if in_one_go >= SLICE_BYTES {
                    in_one_go = 0;
                    tokio::task::yield_now().await;
                }
            }
        }
        yield compressor.finish()?;
    }
}

/// Compresses into memory, from where it is taken.
enum Compressor {
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Compressor {
    /// With the length known no more memory is taken than it needs.
    fn new(coding: Coding, length: Option<u64>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_pledged_src_size(length)?;
                Self::Zstd(encoder)
            }
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }

    /// What has come out so far.
    fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(self.output()))
    }

    /// Brings out all that was written.
    fn flush(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Zstd(encoder) => encoder.flush()?,
            Self::Gzip(encoder) => encoder.flush()?,
        }
        Ok(self.take())
    }

    fn finish(self) -> io::Result<Bytes> {
        let rest = match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        };
        rest.map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures_util::stream;

    use super::*;

    const CODINGS: [Coding; 2] = [Coding::Zstd, Coding::Gzip];

    /// What can be read, whether there is an end or not.
    fn read(coding: Coding, sent: &[u8]) -> Vec<u8> {
        let mut reader: Box<dyn Read + '_> = match coding {
            Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(sent).expect("a decoder")),
            Coding::Gzip => Box::new(flate2::read::GzDecoder::new(sent)),
        };
        let mut plain = Vec::new();
        let _cut = reader.read_to_end(&mut plain);
        plain
    }

    #[tokio::test]
    async fn what_is_there_is_not_held_back() {
        for coding in CODINGS {
            let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"the first header"))]);
            let slow = Body::from_stream(first.chain(stream::pending()));
            let mut sent = std::pin::pin!(pieces(slow, coding));
            let piece = sent.next().await.expect("a piece").expect("compressed");
            assert_eq!(read(coding, &piece), b"the first header", "{coding:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_has_no_end() {
        for coding in CODINGS {
            let half = [Ok(Bytes::from_static(b"half")), Err(io::Error::other("the rest is not there"))];
            let sent: Vec<_> = pieces(Body::from_stream(stream::iter(half)), coding).collect().await;
            assert!(sent.last().is_some_and(Result::is_err), "{coding:?}");
        }
    }

    #[tokio::test]
    async fn a_long_body_goes_out_in_short_pieces() {
        // Nothing of it can be left out: each byte is a new one.
        let mut state = 1_u64;
        let whole: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(1 << 20)
        .collect();
        for coding in CODINGS {
            let sent: Vec<_> = pieces(Body::from(whole.clone()), coding).collect().await;
            let sent: Vec<Bytes> = sent.into_iter().map(|piece| piece.expect("compressed")).collect();
            assert!(sent.iter().all(|piece| piece.len() <= 4 * SLICE_BYTES), "{coding:?}");
            assert!(read(coding, &sent.concat()) == whole, "{coding:?}");
        }
    }
}
