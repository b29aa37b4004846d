//! A house with this one door, and people who call at it.

use std::{net::SocketAddr, time::Duration};

use archive::{Archive, ArchiveConfig, Form, Origin, StoreOutcome};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use conversion::{Converter, ConverterLimits};
use database::{AuditActor, Database, DatabaseConfig, NewDoctor, NewUser, PreviewObjects};
use model::{
    access::{Principal, Role, Scope},
    clinical::Doctor,
    clock::Clock,
};
use object_storage::{KeysConfig, ObjectStorage, ObjectStorageConfig};
use serde_json::{Value, json};
use service::{
    decoder::DecoderPool,
    events::EventBus,
    http::limits::harden,
    identity::{Authenticator, DoctorKeys, IdentityConfig, Issuer, SignIn, TokenRefused, hash_password},
    notifications::WebhooksConfig,
    patient_service::{PatientService, PatientServiceConfig},
    shutdown::Shutdown,
};
use tower::ServiceExt;
use uuid::Uuid;

use super::part10;
use crate::{DoctorApiConfig, DoctorApiState, router_until};

pub struct House {
    _directory: tempfile::TempDir,
    pub router: Router,
    pub archive: Archive,
    pub events: EventBus,
    pub shutdown: Shutdown,
    issuer: Issuer,
    authenticator: Authenticator,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The names of the refused fields.
    pub fn refused(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().expect("field").to_owned()).collect()
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }
}

impl House {
    pub async fn open() -> Self {
        Self::with(DoctorApiConfig::default()).await
    }

    /// Time stands still: what comes back with time does not come back, however slow the machine is.
    pub async fn frozen() -> Self {
        let now = Clock::system().now();
        Self::at(Clock::from_fn(move || now)).await
    }

    /// At the time that this clock shows.
    pub async fn at(clock: Clock) -> Self {
        Self::build(DoctorApiConfig::default(), clock, PatientService::off()).await
    }

    /// With a Patient Service to ask.
    pub async fn asking(config: &PatientServiceConfig) -> Self {
        let service = PatientService::new(config, Clock::system()).expect("a service");
        Self::build(DoctorApiConfig::default(), Clock::system(), service).await
    }

    pub async fn with(config: DoctorApiConfig) -> Self {
        Self::build(config, Clock::system(), PatientService::off()).await
    }

    async fn build(config: DoctorApiConfig, clock: Clock, patient_service: PatientService) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let (database, storage) = (DatabaseConfig::default(), ObjectStorageConfig::default());
        let database = Database::open(&database, directory.path(), clock.clone()).await.expect("database");
        let storage =
            ObjectStorage::open(&storage, &KeysConfig::default(), directory.path()).await.expect("storage");
        let archive = Archive::new(database, storage, ArchiveConfig::default(), clock.clone());
        let issuer = Issuer::ephemeral(IdentityConfig::default(), clock.clone()).expect("issuer");
        let authenticator = issuer.authenticator_with(archive.database().clone()).expect("authenticator");
        let (events, shutdown) = (EventBus::new(), Shutdown::new());
        let sign_in = SignIn::new(archive.database().clone(), config.sign_in_limits());
        let state = DoctorApiState {
            sign_in,
            archive: archive.clone(),
            authenticator: authenticator.clone(),
            issuer: issuer.clone(),
            doctor_keys: DoctorKeys::ephemeral().expect("keys"),
            events: events.clone(),
            converter: Converter::new(
                archive.clone(),
                DecoderPool::in_process(rendering::wire::handle_request),
                ConverterLimits {
                    frames_at_once_max: 2,
                    wait: Duration::from_secs(10),
                    frame_length_max_bytes: 64 << 20,
                },
            ),
            config,
            webhooks: WebhooksConfig::default(),
            patient_service,
            redis: None,
            clock,
        };
        let router = harden(router_until(state, shutdown.clone()));
        Self { _directory: directory, router, archive, events, shutdown, issuer, authenticator }
    }

    /// Whom a token proves.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, TokenRefused> {
        self.authenticator.authenticate(token).await
    }

    pub fn database(&self) -> &Database {
        self.archive.database()
    }

    /// Action and outcome of every audit record, in order.
    pub async fn trail(&self) -> Vec<String> {
        let rows = self.database().audit_page(0, 1_000).await.expect("audit");
        rows.iter().map(|row| format!("{} {}", row.record.action, row.record.outcome)).collect()
    }

    pub fn token(&self, role: Role, doctor_id: Option<Uuid>) -> String {
        let principal = Principal::new(Uuid::now_v7(), role, doctor_id);
        self.issuer.issue(&principal).expect("token").access_token
    }

    /// A token that proves this.
    pub fn token_of(&self, principal: &Principal) -> String {
        self.issuer.issue(principal).expect("token").access_token
    }

    /// A token of an account that there is, whose sessions can be opened.
    pub async fn account(&self, role: Role, doctor_id: Option<Uuid>) -> (Principal, String) {
        let username = Uuid::now_v7().to_string();
        let user = NewUser { username, password_hash: "-".into(), role, doctor_id };
        let user = self.database().create_user(user, &AuditActor::default()).await.expect("user");
        let principal = Principal::new(user.id, role, doctor_id);
        let token = self.issuer.issue(&principal).expect("token").access_token;
        (principal, token)
    }

    pub async fn doctor(&self, name: &str) -> Doctor {
        let new = NewDoctor { name: name.into(), time_zone: "UTC".into(), ..NewDoctor::default() };
        self.database().create_doctor(new, None, &AuditActor::default()).await.expect("doctor")
    }

    pub async fn user(&self, username: &str, password: &str, role: Role, doctor_id: Option<Uuid>) {
        let password_hash = hash_password(password).expect("hash");
        let user = NewUser { username: username.into(), password_hash, role, doctor_id };
        self.database().create_user(user, &AuditActor::default()).await.expect("user");
    }

    /// Books `patient_id` with the doctor and gives the consultation's id.
    pub async fn book(&self, token: &str, doctor: &Doctor, patient_id: &str) -> String {
        let path = format!("/doctors/{}/consultation", doctor.id);
        let answer = self.post(&path, token, json!({ "patient_id": patient_id })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.json()["id"].as_str().expect("id").to_owned()
    }

    /// Stores a small X-ray; UIDs end in `number`.
    pub async fn store(&self, patient_id: &str, number: u32) -> (Uuid, String) {
        let study = format!("1.2.3.{number}");
        let file = part10::file(patient_id, &study, &format!("{study}.1"), &format!("{study}.1.1"));
        (self.store_file(file).await, study)
    }

    /// Stores a Part 10 file that is new.
    pub async fn store_file(&self, file: Vec<u8>) -> Uuid {
        let origin = Origin {
            door: "import",
            calling_ae: None,
            called_ae: None,
            user_id: None,
            own_studies_only: false,
            source_address: String::new(),
            request_id: String::new(),
        };
        let mut writer = self.archive.store_instance(origin, Form::Part10 { expected_study: None });
        writer.write(Bytes::from(file)).await.expect("written");
        match writer.commit().await.expect("stored").outcome {
            StoreOutcome::Stored { id } => id,
            other => panic!("{other:?}"),
        }
    }

    pub async fn make_preview(&self, id: Uuid) {
        let instance =
            self.database().instance_by_id(&Scope::internal(), id).await.expect("read").expect("there");
        let put = |picture| self.archive.put_preview(&instance, Bytes::from_static(picture));
        let (preview, thumbnail) = (put(b"preview").await.expect("kept"), put(b"small").await.expect("kept"));
        let objects = PreviewObjects {
            preview_key: preview.key.into(),
            preview_seal: preview.seal.to_bytes().to_vec(),
            preview_length_bytes: 7,
            thumbnail_key: thumbnail.key.into(),
            thumbnail_seal: thumbnail.seal.to_bytes().to_vec(),
            thumbnail_length_bytes: 5,
            media_type: "image/jpeg".into(),
            width: 2,
            height: 2,
        };
        self.database().record_preview(id, objects).await.expect("recorded");
    }

    pub async fn send(&self, request: Request<Body>) -> Response {
        let mut request = request;
        let address = SocketAddr::from(([192, 0, 2, 1], 4242));
        request.extensions_mut().insert(ConnectInfo(address));
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.send(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 24).await.expect("body");
        Answer { status, headers, body }
    }

    /// A form as programs send it; no Authorization header when `authorization` is empty.
    pub async fn form(&self, path: &str, form: &str, authorization: &str) -> Answer {
        let builder = Request::builder().method("POST").uri(path);
        let mut builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !authorization.is_empty() {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        self.call(builder.body(Body::from(form.to_owned())).expect("request")).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(request("GET", path, token, None)).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(request("DELETE", path, token, None)).await
    }

    /// With one more header.
    pub async fn with_header(
        &self,
        (method, path): (&str, &str),
        token: &str,
        (name, value): (&'static str, &str),
        body: Value,
    ) -> Answer {
        let mut request = request(method, path, token, Some(body));
        request.headers_mut().insert(name, value.parse().expect("a header"));
        self.call(request).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(request("POST", path, token, Some(body))).await
    }
}

/// A request; no token when `token` is empty.
pub fn request(method: &str, path: &str, token: &str, body: Option<Value>) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Some(body) => {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    builder.body(body).expect("request")
}
