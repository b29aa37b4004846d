//! A bucket behind the S3 API, in the process of the test: enough of it for MaxRay, durable as long as the test lives.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::platform::Options;

/// Name of the bucket.
const NAME: &str = "xrays";

/// What the server keeps.
#[derive(Debug, Default)]
struct Kept {
    objects: BTreeMap<String, (Bytes, SystemTime)>,
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    made: u64,
}

/// A running server with one bucket. It ends with the runtime of the test.
#[derive(Debug, Clone)]
pub struct Bucket {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Bucket {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let bucket = Self { address: listener.local_addr().expect("an address"), kept: Arc::default() };
        let router = Router::new()
            .route(&format!("/{NAME}"), axum::routing::any(list))
            .route(&format!("/{NAME}/{{*key}}"), axum::routing::any(serve))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(bucket.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        bucket
    }

    /// The settings of a server that keeps its objects here.
    pub fn options(&self, options: Options) -> Options {
        options
            .with("MAXRAY_OBJECT_STORAGE__BACKEND", "s3")
            .with("MAXRAY_OBJECT_STORAGE__S3__ENDPOINT", &format!("http://{}", self.address))
            .with("MAXRAY_OBJECT_STORAGE__S3__ALLOW_HTTP", "true")
            .with("MAXRAY_OBJECT_STORAGE__S3__BUCKET", NAME)
            .with("MAXRAY_OBJECT_STORAGE__S3__ACCESS_KEY_ID", "test")
            .with("MAXRAY_OBJECT_STORAGE__S3__SECRET_ACCESS_KEY", "test")
    }

    /// Another bucket with a copy of these objects, made in the order in which a backup has to: keys last.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn copied(&self) -> Self {
        let copy = Self::start().await;
        for keys in [false, true] {
            let is_wanted = |name: &str| name.starts_with("keys/") == keys;
            let objects = self.kept().objects.clone();
            let objects = objects.into_iter().filter(|(name, _)| is_wanted(name.trim_start_matches('/')));
            copy.kept().objects.extend(objects);
        }
        copy
    }

    /// Names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.kept().objects.keys().cloned().collect()
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.kept().uploads.len()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("a bucket")
    }
}

type Words = HashMap<String, String>;

async fn serve(
    State(bucket): State<Bucket>,
    method: Method,
    Path(key): Path<String>,
    Query(words): Query<Words>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut kept = bucket.kept();
    let upload = words.get("uploadId");
    match (method, upload) {
        (Method::PUT, None) => {
            kept.objects.insert(key, (body, SystemTime::now()));
            tagged(StatusCode::OK)
        }
        (Method::PUT, Some(id)) => match (kept.uploads.get_mut(id), words.get("partNumber")) {
            (Some(parts), Some(number)) => {
                parts.insert(number.parse().unwrap_or(0), body);
                tagged(StatusCode::OK)
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        },
        (Method::POST, None) => {
            kept.made += 1;
            let id = format!("upload{}", kept.made);
            kept.uploads.insert(id.clone(), BTreeMap::new());
            xml(format!(
                "<InitiateMultipartUploadResult><Bucket>{NAME}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
                 </InitiateMultipartUploadResult>"
            ))
        }
        (Method::POST, Some(id)) => match kept.uploads.remove(id) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some(parts) => {
                let whole: Vec<u8> = parts.into_values().flatten().collect();
                kept.objects.insert(key.clone(), (whole.into(), SystemTime::now()));
                xml(format!(
                    "<CompleteMultipartUploadResult><Bucket>{NAME}</Bucket><Key>{key}</Key><ETag>\"e\"</ETag>\
                     </CompleteMultipartUploadResult>"
                ))
            }
        },
        (Method::DELETE, Some(id)) => {
            kept.uploads.remove(id);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::DELETE, None) => {
            kept.objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        (method, _) => match kept.objects.get(&key) {
            Some((bytes, at)) => read(&method, bytes, *at, &headers),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

/// RFC 9110 14: one range of bytes.
fn read(method: &Method, bytes: &Bytes, at: SystemTime, headers: &HeaderMap) -> Response {
    let whole = bytes.len();
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("bytes="));
    let range = range.and_then(|range| {
        let (first, last) = range.split_once('-')?;
        let first: usize = first.parse().ok()?;
        Some((first, last.parse::<usize>().map_or(whole, |last| (last + 1).min(whole))))
    });
    let mut answer = match range {
        Some((first, _)) if first >= whole => return StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        Some((first, end)) => {
            let content_range = format!("bytes {first}-{}/{whole}", end - 1);
            let mut answer = (StatusCode::PARTIAL_CONTENT, bytes.slice(first..end)).into_response();
            answer.headers_mut().insert(header::CONTENT_RANGE, content_range.parse().expect("a header"));
            answer
        }
        None if *method == Method::HEAD => {
            let mut answer = StatusCode::OK.into_response();
            answer.headers_mut().insert(header::CONTENT_LENGTH, whole.into());
            answer
        }
        None => bytes.clone().into_response(),
    };
    let headers = answer.headers_mut();
    headers.insert(header::ETAG, "\"e\"".parse().expect("a header"));
    let at = chrono::DateTime::<chrono::Utc>::from(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.insert(header::LAST_MODIFIED, at.parse().expect("a header"));
    answer
}

async fn list(State(bucket): State<Bucket>, Query(words): Query<Words>) -> Response {
    let prefix = words.get("prefix").map_or("", String::as_str);
    let kept = bucket.kept();
    let mut answer = format!(
        "<ListBucketResult><Name>{NAME}</Name><Prefix>{prefix}</Prefix><IsTruncated>false</IsTruncated>"
    );
    for (key, (bytes, at)) in kept.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        let at = chrono::DateTime::<chrono::Utc>::from(*at).format("%Y-%m-%dT%H:%M:%S.000Z");
        let _ = write!(
            answer,
            "<Contents><Key>{key}</Key><LastModified>{at}</LastModified><ETag>\"e\"</ETag><Size>{}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            bytes.len()
        );
    }
    answer.push_str("</ListBucketResult>");
    xml(answer)
}

fn tagged(status: StatusCode) -> Response {
    let mut answer = status.into_response();
    answer.headers_mut().insert(header::ETAG, "\"e\"".parse().expect("a header"));
    answer
}

fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], text).into_response()
}
