//! The routes over a real archive in a temporary directory.

mod access;
mod audit;
mod compressed;
mod conformance;
mod cut;
mod frame_values;
mod instances;
mod rendered;
mod rendered_frames;
mod retrieve;
mod search;
mod search_answers;
mod store;
mod store_metadata;
mod thumbnails;
mod transcode;
mod uri;
mod urls;
mod viewers;

use archive::{Archive, ArchiveConfig};
use axum::{Router, body::Body};
use bytes::Bytes;
use database::{AccessConfig, Database, DatabaseConfig};
use http::{HeaderMap, Method, Request, StatusCode, header};
use model::{
    access::{Principal, Role},
    clock::Clock,
};
use object_storage::{KeysConfig, ObjectStorage, ObjectStorageConfig};
use service::{
    decoder::DecoderPool,
    identity::{IdentityConfig, Issuer},
};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{DicomwebConfig, DicomwebState};

/// A door with an empty archive behind it.
pub struct Door {
    pub router: Router,
    pub archive: Archive,
    issuer: Issuer,
    _directory: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Door {
    pub async fn open() -> Self {
        Self::with(DicomwebConfig::default()).await
    }

    pub async fn with(config: DicomwebConfig) -> Self {
        Self::with_decoder(config, rendering::wire::handle_request).await
    }

    /// `decoder` takes what the decoder processes would.
    pub async fn with_decoder(config: DicomwebConfig, decoder: fn(&[u8]) -> Vec<u8>) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let clock = Clock::system();
        // Long answers ask again with every piece.
        let access = AccessConfig { stream_check_interval_ms: 0, ..AccessConfig::default() };
        let database = DatabaseConfig { access, ..DatabaseConfig::default() };
        let storage = ObjectStorageConfig::default();
        let database = Database::open(&database, directory.path(), clock.clone()).await.expect("database");
        let storage = ObjectStorage::open(&storage, &KeysConfig::default(), directory.path())
            .await
            .expect("object storage");
        let archive = Archive::new(database, storage, ArchiveConfig::default(), clock.clone());
        let issuer = Issuer::ephemeral(IdentityConfig::default(), clock).expect("issuer");
        let router = crate::router(DicomwebState {
            archive: archive.clone(),
            authenticator: issuer.authenticator_with(archive.database().clone()).expect("authenticator"),
            converter: conversion::Converter::new(
                archive.clone(),
                DecoderPool::in_process(decoder),
                config.converter_limits(),
            ),
            config,
            spool: crate::SpoolConfig { directory: directory.path().to_owned(), ..Default::default() },
        });
        Self { router, archive, issuer, _directory: directory }
    }

    pub fn token(&self, role: Role, doctor_id: Option<Uuid>) -> String {
        let principal = Principal::new(Uuid::from_u128(9), role, doctor_id);
        format!("Bearer {}", self.issuer.issue(&principal).expect("token").access_token)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 30).await.expect("body");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// As a service account.
    pub async fn get_with(&self, path: &str, fields: &[(header::HeaderName, &str)]) -> Answer {
        let mut request =
            Request::builder().uri(path).header(header::AUTHORIZATION, self.token(Role::Service, None));
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        self.send(request.body(Body::empty()).expect("request")).await
    }

    pub async fn get(&self, path: &str, accept: &str) -> Answer {
        self.get_with(path, &[(header::ACCEPT, accept)]).await
    }

    pub async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, self.token(Role::Service, None))
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into());
        self.send(request.expect("request")).await
    }

    /// Stores instances in one request, as the Python client does.
    pub async fn store(&self, instances: &[Vec<u8>]) -> Answer {
        let mut body = Vec::new();
        for instance in instances {
            body.extend_from_slice(b"\r\n--kit\r\nContent-Type: application/dicom\r\n\r\n");
            body.extend_from_slice(instance);
        }
        body.extend_from_slice(b"\r\n--kit--");
        let content_type = "multipart/related; type=\"application/dicom\"; boundary=\"kit\"";
        self.post("/studies", content_type, body).await
    }
}

/// Payloads of the parts of a multipart answer, with the Content-Type of each.
pub fn parts(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    use crate::multipart::{Decoder, Event};
    let content_type = answer.header(header::CONTENT_TYPE);
    assert!(content_type.starts_with("multipart/related; type=\""), "{content_type}");
    if answer.body.len() < 80 {
        assert!(answer.body.ends_with(b"--\r\n"), "{:?}", answer.body);
        return Vec::new();
    }
    let boundary = content_type.rsplit("boundary=").next().expect("boundary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut decoder = Decoder::new(boundary, 1000).expect("boundary");
    decoder.feed(&answer.body);
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        match decoder.poll().expect("multipart") {
            Event::Part(_) => {
                // Viewers look for this spelling.
                let header = text(&answer.body);
                assert!(header.contains("\r\nContent-Type: "), "{header}");
                parts.push((String::new(), Vec::new()));
            }
            Event::Data(data) => parts.last_mut().expect("part").1.extend_from_slice(&data),
            Event::PartEnd => {}
            Event::End => break,
            Event::NeedMore => panic!("truncated: {}", text(&answer.body)),
        }
    }
    let delimiter = format!("--{boundary}\r\nContent-Type: ");
    let whole = text(&answer.body);
    let types = whole.split(&delimiter).skip(1).map(|rest| rest.split("\r\n").next().unwrap_or_default());
    for (part, content_type) in parts.iter_mut().zip(types) {
        content_type.clone_into(&mut part.0);
    }
    parts
}
