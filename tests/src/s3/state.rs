//! What the server keeps, and how it answers.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    io,
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
};
use base64::Engine as _;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;

use super::{BUCKET, Fault, Habits};
use crate::digest::sha256_hex;

/// The checksum that travels with an upload, and with the answer to it.
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// Between two bytes of [`Fault::Trickles`].
const TRICKLE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct State {
    /// Content, and when it came.
    pub(super) objects: BTreeMap<String, (Bytes, SystemTime)>,
    pub(super) uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    pub(super) fault: Option<Fault>,
    pub(super) habits: Habits,
    /// Paths whose first GET was not answered.
    pub(super) reads_lost: HashSet<String>,
    /// GETs by their path.
    pub(super) reads: HashMap<String, u64>,
    pub(super) requests: u64,
}

impl State {
    /// One request that no fault of the whole server keeps from being answered.
    pub(super) fn answer(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let query = query(uri);
        let Some(key) = uri.path().strip_prefix(&format!("/{BUCKET}")) else {
            return error(StatusCode::NOT_FOUND, "NoSuchBucket");
        };
        let key = key.trim_start_matches('/').to_owned();
        match *method {
            Method::GET if key.is_empty() => self.list(query.get("prefix").map_or("", String::as_str)),
            Method::GET => self.get(&key, headers.get(header::RANGE).and_then(|range| range.to_str().ok())),
            Method::HEAD => self.head(&key),
            Method::PUT if self.habits.checks && is_altered(headers, &body) => {
                error(StatusCode::BAD_REQUEST, "BadDigest")
            }
            Method::PUT if headers.contains_key(header::IF_NONE_MATCH) && self.objects.contains_key(&key) => {
                error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            }
            Method::PUT => {
                let kept = self.kept(body);
                let named = self.names_checksum(headers).then(|| checksum(&kept));
                let response = match query.get("uploadId") {
                    Some(upload) => self.put_part(upload, query.get("partNumber"), kept),
                    None => self.put(key, kept),
                };
                with_checksum(response, named)
            }
            Method::POST if query.contains_key("uploads") => self.begin(&key),
            Method::POST => self.complete(&key, query.get("uploadId")),
            Method::DELETE => {
                match query.get("uploadId") {
                    Some(upload) => drop(self.uploads.remove(upload)),
                    None => drop(self.objects.remove(&key)),
                }
                answer(StatusCode::NO_CONTENT, Body::empty())
            }
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    /// What is left of the bytes of an upload.
    fn kept(&self, body: Bytes) -> Bytes {
        if self.fault != Some(Fault::FlipsUploads) {
            return body;
        }
        let mut flipped = body.to_vec();
        let middle = flipped.len() / 2;
        flipped.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
        flipped.into()
    }

    /// A checksum is named to who sent one.
    fn names_checksum(&self, headers: &HeaderMap) -> bool {
        self.habits.names_checksums && headers.contains_key(CHECKSUM)
    }

    fn put(&mut self, key: String, body: Bytes) -> Response<Body> {
        let stored = match self.fault {
            Some(Fault::ForgetsUploads) => None,
            Some(Fault::CutsUploads) => Some(body.slice(..body.len().saturating_sub(1))),
            _ => Some(body),
        };
        if let Some(stored) = stored {
            self.objects.insert(key, (stored, SystemTime::now()));
        }
        answer(StatusCode::OK, Body::empty())
    }

    fn put_part(&mut self, upload: &str, number: Option<&String>, body: Bytes) -> Response<Body> {
        let number = number.and_then(|number| number.parse().ok());
        match (self.uploads.get_mut(upload), number) {
            (Some(parts), Some(number)) => {
                parts.insert(number, body);
                answer(StatusCode::OK, Body::empty())
            }
            _ => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        }
    }

    fn begin(&mut self, key: &str) -> Response<Body> {
        let upload = sha256_hex(format!("{key}{}", self.requests).as_bytes());
        self.uploads.insert(upload.clone(), BTreeMap::new());
        let text = format!(
            "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>\
             </InitiateMultipartUploadResult>"
        );
        answer(StatusCode::OK, Body::from(text))
    }

    fn complete(&mut self, key: &str, upload: Option<&String>) -> Response<Body> {
        if self.fault == Some(Fault::FailsCompletion) {
            return answer(StatusCode::OK, Body::from("<Error><Code>InternalError</Code><Message/></Error>"));
        }
        let Some(parts) = upload.and_then(|upload| self.uploads.remove(upload)) else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let whole = parts.into_values().collect::<Vec<Bytes>>().concat();
        drop(self.put(key.to_owned(), whole.into()));
        let text = format!(
            "<CompleteMultipartUploadResult><Location>/</Location><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
             <ETag>\"etag\"</ETag></CompleteMultipartUploadResult>"
        );
        answer(StatusCode::OK, Body::from(text))
    }

    fn head(&self, key: &str) -> Response<Body> {
        match self.objects.get(key) {
            Some((object, at)) => {
                dated(with_length(answer(StatusCode::OK, Body::empty()), object.len()), *at)
            }
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        }
    }

    fn get(&self, key: &str, range: Option<&str>) -> Response<Body> {
        let Some((object, at)) = self.objects.get(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let Some((from, to)) =
            range.map_or(Some((0, object.len())), |range| parse_range(range, object.len()))
        else {
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        };
        let bytes = object.slice(from..to);
        let length = bytes.len();
        let body = match self.fault {
            Some(Fault::CutsReads) => {
                let half: Result<Bytes, io::Error> = Ok(bytes.slice(..length / 2));
                Body::from_stream(stream::iter([half, Err(io::Error::other("cut"))]))
            }
            Some(Fault::Trickles) => trickling(bytes),
            _ => Body::from(bytes),
        };
        if range.is_none() {
            return dated(with_length(answer(StatusCode::OK, body), length), *at);
        }
        let mut partial = dated(with_length(answer(StatusCode::PARTIAL_CONTENT, body), length), *at);
        let place = format!("bytes {from}-{}/{}", to - 1, object.len());
        partial.headers_mut().insert(header::CONTENT_RANGE, place.parse().expect("a header"));
        partial
    }

    fn list(&self, prefix: &str) -> Response<Body> {
        let mut text = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        for (key, (object, at)) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let at = DateTime::<Utc>::from(*at).format("%Y-%m-%dT%H:%M:%S.000Z");
            let _infallible = write!(
                text,
                "<Contents><Key>{key}</Key><LastModified>{at}</LastModified><ETag>\"etag\"</ETag><Size>{}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>",
                object.len()
            );
        }
        text.push_str("</ListBucketResult>");
        answer(StatusCode::OK, Body::from(text))
    }
}

/// `bytes=FROM-TO`, as a range without its end; `None` when it begins after the object.
fn parse_range(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to = to.parse::<usize>().map_or(length, |to| (to + 1).min(length));
    (from < to).then_some((from, to))
}

/// Whether the body is other than its `x-amz-checksum-sha256`.
fn is_altered(headers: &HeaderMap, body: &[u8]) -> bool {
    headers.get(CHECKSUM).is_some_and(|named| named.as_bytes() != checksum(body).as_bytes())
}

fn checksum(body: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    base64::engine::general_purpose::STANDARD.encode(digest)
}

fn with_checksum(mut response: Response<Body>, checksum: Option<String>) -> Response<Body> {
    if let Some(checksum) = checksum {
        response.headers_mut().insert(CHECKSUM, checksum.parse().expect("a header"));
    }
    response
}

/// One byte after the other.
fn trickling(bytes: Bytes) -> Body {
    Body::from_stream(stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(TRICKLE).await;
        let byte: Result<Bytes, io::Error> = Ok(rest.split_to(1));
        Some((byte, rest))
    }))
}

fn query(uri: &Uri) -> HashMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.replace("%2F", "/").replace("%2f", "/")))
        .collect()
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let response = Response::builder().status(status).header(header::ETAG, "\"etag\"");
    response.body(body).expect("an answer")
}

fn dated(mut response: Response<Body>, at: SystemTime) -> Response<Body> {
    let at = DateTime::<Utc>::from(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::LAST_MODIFIED, at.parse().expect("a header"));
    response
}

fn with_length(mut response: Response<Body>, length: usize) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

pub(super) fn error(status: StatusCode, code: &str) -> Response<Body> {
    answer(status, Body::from(format!("<Error><Code>{code}</Code><Message/></Error>")))
}
