//! An S3 server in the test's own process that can misbehave on request. It keeps objects in memory, checks the
//! SHA-256 that travels with an upload, and knows what MaxRay asks for: PUT, GET with a range, HEAD, DELETE, lists and
//! multipart uploads.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State as Shared},
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
};
use base64::Engine as _;
use bytes::Bytes;

use crate::digest::sha256_hex;

/// Name of the one bucket.
pub const BUCKET: &str = "maxray-test";

/// What goes wrong, until [`S3Server::heal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every request: 500.
    InternalError,
    /// Every request: 503 SlowDown.
    SlowDown,
    /// Every request: 403, as with credentials that have expired.
    Forbidden,
    /// Every request: no answer at all.
    Silent,
    /// An upload is answered with success and forgotten: HEAD and GET say 404.
    ForgetsUploads,
    /// An upload is answered with success and stored one byte short.
    CutsUploads,
    /// An upload is stored with one bit changed; its length is right.
    FlipsUploads,
    /// The end of a multipart upload is answered with 200 and an `<Error>` in the body.
    FailsCompletion,
    /// GET promises the whole range, sends half of it and closes the connection.
    CutsReads,
}

/// The server. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct S3Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    fault: Option<Fault>,
    requests: u64,
}

impl S3Server {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<Mutex<State>>::default();
        let router =
            Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// Settings that make MaxRay use it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        let settings = [
            ("BACKEND", "s3"),
            ("S3__ENDPOINT", &endpoint),
            ("S3__BUCKET", BUCKET),
            ("S3__ACCESS_KEY_ID", "test"),
            ("S3__SECRET_ACCESS_KEY", "not a secret"),
            ("S3__ALLOW_HTTP", "true"),
        ];
        settings.map(|(name, value)| (format!("MAXRAY_OBJECT_STORAGE__{name}"), value.to_owned())).to_vec()
    }

    /// From now on this goes wrong.
    pub fn fail(&self, fault: Fault) {
        lock(&self.state).fault = Some(fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        lock(&self.state).fault = None;
    }

    /// Every object by its key, as it is stored.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        lock(&self.state).objects.clone()
    }

    /// Puts an object there, past MaxRay.
    pub fn put(&self, key: &str, bytes: Bytes) {
        lock(&self.state).objects.insert(key.to_owned(), bytes);
    }

    /// Multipart uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        lock(&self.state).uploads.len()
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    Shared(state): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let fault = {
        let mut state = lock(&state);
        state.requests += 1;
        state.fault
    };
    match fault {
        Some(Fault::Silent) => return std::future::pending().await,
        Some(Fault::InternalError) => return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Some(Fault::SlowDown) => return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Some(Fault::Forbidden) => return error(StatusCode::FORBIDDEN, "ExpiredToken"),
        _ => {}
    }
    let query = query(&uri);
    let Some(key) = uri.path().strip_prefix(&format!("/{BUCKET}")) else {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    let key = key.trim_start_matches('/').to_owned();
    let mut state = lock(&state);
    match method {
        Method::GET if key.is_empty() => state.list(query.get("prefix").map_or("", String::as_str)),
        Method::GET => state.get(&key, headers.get(header::RANGE).and_then(|range| range.to_str().ok())),
        Method::HEAD => state.head(&key),
        Method::PUT if is_altered(&headers, &body) => error(StatusCode::BAD_REQUEST, "BadDigest"),
        Method::PUT => match query.get("uploadId") {
            Some(upload) => state.put_part(upload, query.get("partNumber"), body),
            None => state.put(key, body),
        },
        Method::POST if query.contains_key("uploads") => state.begin(&key),
        Method::POST => state.complete(&key, query.get("uploadId")),
        Method::DELETE => {
            match query.get("uploadId") {
                Some(upload) => drop(state.uploads.remove(upload)),
                None => drop(state.objects.remove(&key)),
            }
            answer(StatusCode::NO_CONTENT, Body::empty())
        }
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

impl State {
    fn put(&mut self, key: String, body: Bytes) -> Response<Body> {
        let stored = match self.fault {
            Some(Fault::ForgetsUploads) => None,
            Some(Fault::CutsUploads) => Some(body.slice(..body.len().saturating_sub(1))),
            Some(Fault::FlipsUploads) => {
                let mut flipped = body.to_vec();
                let middle = flipped.len() / 2;
                flipped.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
                Some(flipped.into())
            }
            _ => Some(body),
        };
        if let Some(stored) = stored {
            self.objects.insert(key, stored);
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
            Some(object) => with_length(answer(StatusCode::OK, Body::empty()), object.len()),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        }
    }

    fn get(&self, key: &str, range: Option<&str>) -> Response<Body> {
        let Some(object) = self.objects.get(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let Some((from, to)) =
            range.map_or(Some((0, object.len())), |range| parse_range(range, object.len()))
        else {
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        };
        let bytes = object.slice(from..to);
        let length = bytes.len();
        let body = if self.fault == Some(Fault::CutsReads) {
            let half: Result<Bytes, io::Error> = Ok(bytes.slice(..length / 2));
            Body::from_stream(futures_util::stream::iter([half, Err(io::Error::other("cut"))]))
        } else {
            Body::from(bytes)
        };
        if range.is_none() {
            return with_length(answer(StatusCode::OK, body), length);
        }
        let mut partial = with_length(answer(StatusCode::PARTIAL_CONTENT, body), length);
        let place = format!("bytes {from}-{}/{}", to - 1, object.len());
        partial.headers_mut().insert(header::CONTENT_RANGE, place.parse().expect("a header"));
        partial
    }

    fn list(&self, prefix: &str) -> Response<Body> {
        let mut text = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
        for (key, object) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let _infallible = write!(
                text,
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>\"etag\"</ETag><Size>{}</Size></Contents>",
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
    let Some(checksum) = headers.get("x-amz-checksum-sha256") else { return false };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    checksum.as_bytes() != base64::engine::general_purpose::STANDARD.encode(digest).as_bytes()
}

fn query(uri: &Uri) -> HashMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.replace("%2F", "/").replace("%2f", "/")))
        .collect()
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let response = Response::builder()
        .status(status)
        .header(header::ETAG, "\"etag\"")
        .header(header::LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT");
    response.body(body).expect("an answer")
}

fn with_length(mut response: Response<Body>, length: usize) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    answer(status, Body::from(format!("<Error><Code>{code}</Code><Message/></Error>")))
}
