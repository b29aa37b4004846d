//! A server that answers as it is told, and notes what it is asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use service::http::json::Json;
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub enum Reply {
    Json(Value),
    Later(Duration, Value),
    Status(u16),
    Text(&'static str),
    Redirect(String),
    /// An answer without an end.
    Endless,
    Slow(Duration),
}

/// A question.
#[derive(Debug, Clone)]
pub struct Asked {
    pub target: String,
    pub headers: HeaderMap,
}

#[derive(Default)]
struct Told {
    /// By the beginning of the path; the longest counts.
    replies: Vec<(String, Reply)>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
pub struct Fake {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let fake = Self { address: listener.local_addr().expect("an address"), told: Arc::default() };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn url(&self) -> String {
        format!("{}/fhir", self.origin())
    }

    /// Answers so for paths that begin so.
    pub fn answers(&self, path: &str, reply: Reply) {
        let mut told = self.told();
        told.replies.retain(|(known, _)| known != path);
        told.replies.push((path.to_owned(), reply));
        told.replies.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.told().asked.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panics with it")
    }
}

async fn answer(State(fake): State<Fake>, uri: Uri, headers: HeaderMap) -> Response {
    let reply = {
        let mut told = fake.told();
        told.asked.push(Asked { target: uri.to_string(), headers });
        let known = told.replies.iter().find(|(path, _)| uri.path().starts_with(path.as_str()));
        known.map_or(Reply::Status(404), |(_, reply)| reply.clone())
    };
    match reply {
        Reply::Json(value) => Json(value).into_response(),
        Reply::Later(time, value) => {
            tokio::time::sleep(time).await;
            Json(value).into_response()
        }
        Reply::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Reply::Text(text) => text.into_response(),
        Reply::Redirect(location) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        Reply::Endless => {
            let chunk = Bytes::from(vec![b' '; 64 << 10]);
            let chunks = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
            Body::from_stream(chunks).into_response()
        }
        Reply::Slow(time) => {
            tokio::time::sleep(time).await;
            StatusCode::OK.into_response()
        }
    }
}

pub fn patient(id: &str, system: &str, value: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "identifier": [{ "system": system, "value": value }] })
}

pub fn bundle(patients: &[Value]) -> Value {
    let entry: Vec<Value> = patients.iter().map(|patient| json!({ "resource": patient })).collect();
    json!({ "resourceType": "Bundle", "type": "searchset", "total": entry.len(), "entry": entry })
}
