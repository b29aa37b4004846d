//! An S3 server in the test's own process that can misbehave on request. It keeps objects in memory, checks the
//! SHA-256 that travels with an upload and names that of what it kept, and knows what MaxRay asks for: PUT, also under the
//! condition that there is nothing, GET with a range, HEAD, DELETE, lists and multipart uploads.

mod state;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State as Shared},
    http::{HeaderMap, Method, Response, StatusCode, Uri},
};
use bytes::Bytes;

use self::state::{State, error};
use crate::{platform::Options, web};

/// Name of the one bucket.
pub const BUCKET: &str = "maxray";

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
    /// GET promises the whole range, and sends it byte by byte.
    Trickles,
    /// The first GET of each object is never answered; those after it are.
    LosesFirstReads,
}

/// What the server does and says of uploads, as servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// An upload that is other than its SHA-256 is refused.
    pub checks: bool,
    /// The answer to an upload names the SHA-256 of what was kept.
    pub names_checksums: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { checks: true, names_checksums: true }
    }
}

/// The server. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct S3Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl S3Server {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        Self::start_with(Habits::default()).await
    }

    /// Starts one that is of another kind.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_with(habits: Habits) -> Self {
        let state = Arc::new(Mutex::new(State { habits, ..State::default() }));
        let router =
            Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        Self { address: web::serve(router).await, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The settings of a server that keeps its objects here.
    #[must_use]
    pub fn options(&self, mut options: Options) -> Options {
        options.environment.extend(self.settings());
        options
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
            // Tests change what is in the bucket and look at what is read of it. Those of the cache give it a size.
            ("S3__CACHE_MAX_BYTES", "0"),
        ];
        settings.map(|(name, value)| (format!("MAXRAY_OBJECT_STORAGE__{name}"), value.to_owned())).to_vec()
    }

    /// From now on this goes wrong.
    pub fn fail(&self, fault: Fault) {
        let mut state = lock(&self.state);
        state.fault = Some(fault);
        state.reads_lost.clear();
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        lock(&self.state).fault = None;
    }

    /// Every object by its key, as it is stored.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        let state = lock(&self.state);
        state.objects.iter().map(|(key, (bytes, _))| (key.clone(), bytes.clone())).collect()
    }

    /// One object, as it is stored.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        lock(&self.state).objects.get(key).map(|(bytes, _)| bytes.clone())
    }

    /// Names of all objects.
    pub fn names(&self) -> Vec<String> {
        lock(&self.state).objects.keys().cloned().collect()
    }

    /// Another one with a copy of these objects, made in the order in which a backup has to: keys last.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn copied(&self) -> Self {
        let copy = Self::start().await;
        for keys in [false, true] {
            let objects = lock(&self.state).objects.clone();
            let wanted = objects.into_iter().filter(|(name, _)| name.starts_with("keys/") == keys);
            lock(&copy.state).objects.extend(wanted);
        }
        copy
    }

    /// Puts an object there, past MaxRay.
    pub fn put(&self, key: &str, bytes: Bytes) {
        lock(&self.state).objects.insert(key.to_owned(), (bytes, SystemTime::now()));
    }

    /// Takes an object away, past MaxRay.
    pub fn remove(&self, key: &str) {
        lock(&self.state).objects.remove(key);
    }

    /// Says that an object came at another time.
    ///
    /// # Panics
    /// When it is not there.
    pub fn date(&self, key: &str, at: SystemTime) {
        lock(&self.state).objects.get_mut(key).expect("an object of the bucket").1 = at;
    }

    /// Multipart uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        lock(&self.state).uploads.len()
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }

    /// GETs so far of objects whose names end so.
    pub fn reads(&self, name: &str) -> u64 {
        lock(&self.state).reads.iter().filter(|(path, _)| path.ends_with(name)).map(|(_, count)| count).sum()
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
        if method == Method::GET {
            *state.reads.entry(uri.path().to_owned()).or_default() += 1;
        }
        state.fault
    };
    match fault {
        Some(Fault::Silent) => return std::future::pending().await,
        Some(Fault::InternalError) => return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Some(Fault::SlowDown) => return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Some(Fault::Forbidden) => return error(StatusCode::FORBIDDEN, "ExpiredToken"),
        Some(Fault::LosesFirstReads) if method == Method::GET => {
            let is_first = lock(&state).reads_lost.insert(uri.path().to_owned());
            if is_first {
                return std::future::pending().await;
            }
        }
        _ => {}
    }
    lock(&state).answer(&method, &uri, &headers, body)
}
