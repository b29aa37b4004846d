//! What a webhook is pointed at: keeps what comes and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::{wait, web};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path that was asked for.
    pub path: String,
    /// Header.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

#[derive(Debug)]
struct Kept {
    received: Vec<Received>,
    status: StatusCode,
}

/// The server. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Receiver {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Receiver {
    /// Starts it; it answers 204.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let kept = Kept { received: Vec::new(), status: StatusCode::NO_CONTENT };
        let kept = Arc::new(Mutex::new(kept));
        let router = Router::new().fallback(take).with_state(Arc::clone(&kept));
        Self { address: web::serve(router).await, kept }
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Answers with this status from now on; a redirect leads to another path of this server.
    pub fn answer(&self, status: StatusCode) {
        self.kept().status = status;
    }

    /// Everything that came.
    pub fn received(&self) -> Vec<Received> {
        self.kept().received.clone()
    }

    /// What came of one type of event.
    pub fn of_type(&self, name: &str) -> Vec<Received> {
        self.received().into_iter().filter(|one| one.json()["type"] == name).collect()
    }

    /// Waits until `count` requests with events of that type have come.
    ///
    /// # Panics
    /// When they do not.
    pub async fn wait_for(&self, name: &str, count: usize) -> Vec<Received> {
        let what = format!("{count} requests of {name}");
        wait::until(&what, async || Some(self.of_type(name)).filter(|found| found.len() >= count)).await
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut kept = lock(&kept);
    kept.received.push(Received { path: uri.path().to_owned(), headers, body });
    let status = kept.status;
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    status.into_response()
}

impl Received {
    /// The body.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// A header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the signature is that of the secret (Standard Webhooks), told by code that the server does not share.
    ///
    /// # Panics
    /// When `secret` is none.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &self.body].concat();
        let Some(signature) = self.header("webhook-signature").strip_prefix("v1,") else { return false };
        let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed, &signature).is_ok()
    }
}
