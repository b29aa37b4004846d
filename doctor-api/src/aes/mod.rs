//! Application entities: the X-ray machines and other programs that may send over DICOM.

pub mod create_ae;
pub mod delete_ae;
pub mod get_ae;
pub mod list_aes;
pub mod update_ae;

use std::str::FromStr;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use model::ae::{Ae, AeOperation, AeProfile};
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::{check::Checks, etag::entity_tag};

/// Most entries of any list in a registration.
const LIST_LENGTH_MAX: usize = 256;
/// Longest description and host in characters.
const LINE_LENGTH_MAX: usize = 200;
/// More associations than a door could ever give.
const ASSOCIATIONS_MAX: u32 = 10_000;

/// A registered application entity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ae)]
pub struct AeBody {
    /// Identity.
    id: Uuid,
    /// AE title; there is one registration for each.
    title: String,
    #[serde(flatten)]
    profile: AeRegistration,
    /// Grows with every change; the ETag is made of it.
    version: i64,
    /// When it was registered.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// What can be written about an application entity.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AeRegistration {
    /// Where it stands, for people. No patient data.
    #[serde(default)]
    #[schema(example = "Room 1, first floor", max_length = 200)]
    description: String,
    /// May associate.
    #[serde(default = "yes")]
    enabled: bool,
    /// Addresses and networks it calls from.
    #[schema(example = json!(["192.0.2.17", "2001:db8::/64"]), min_items = 1, max_items = 256)]
    addresses: Vec<String>,
    /// The certificate that it has to show: `sha256:` and the digest of its public key, `dns:NAME` or `ip:ADDRESS`.
    #[schema(example = "dns:cr1.example.org")]
    certificate: Option<String>,
    /// AE titles it may call us by; none: whatever the door takes.
    #[serde(default)]
    #[schema(max_items = 256)]
    called_titles: Vec<String>,
    /// What it may do: `echo`, `store`, `find`, `move`, `get`, `commit`, `worklist`, `mpps`. `echo` it always may.
    #[serde(default = "echo_and_store")]
    #[schema(example = json!(["echo", "store"]), max_items = 256)]
    operations: Vec<String>,
    /// SOP Class UIDs it may send; none: every storage class.
    #[serde(default)]
    #[schema(max_items = 256)]
    sop_classes: Vec<String>,
    /// Transfer Syntax UIDs it may send in; none: every one.
    #[serde(default)]
    #[schema(max_items = 256)]
    transfer_syntaxes: Vec<String>,
    /// Associations at once; 0: as many as the door gives to any.
    #[serde(default)]
    #[schema(maximum = 10_000)]
    associations_max: u32,
    /// Host it is called at; empty when it is never called.
    #[serde(default)]
    #[schema(max_length = 200)]
    host: String,
    /// Port it is called at; 0 when it is never called.
    #[serde(default)]
    port: u16,
    /// It is called by TLS: it shows `certificate` then, or without one a certificate for `host`.
    #[serde(default)]
    call_tls: bool,
    /// The account as which it queries and retrieves: it sees what that account may read. None: every study.
    reads_as: Option<Uuid>,
    /// Of the worklist it sees what is scheduled for its own AE title alone.
    #[serde(default)]
    own_worklist: bool,
    /// It is told when the instances of a study are available (Instance Availability Notification), at its host and port.
    #[serde(default)]
    notify_availability: bool,
}

fn yes() -> bool {
    true
}

fn echo_and_store() -> Vec<String> {
    AeProfile::default().operations.iter().map(|operation| operation.as_str().to_owned()).collect()
}

impl From<Ae> for AeBody {
    fn from(ae: Ae) -> Self {
        let Ae { id, title, profile, version, created_at, updated_at } = ae;
        Self { id, title: title.into(), profile: profile.into(), version, created_at, updated_at }
    }
}

impl From<AeProfile> for AeRegistration {
    fn from(profile: AeProfile) -> Self {
        fn texts<T: Into<String>>(items: Vec<T>) -> Vec<String> {
            items.into_iter().map(Into::into).collect()
        }
        Self {
            description: profile.description,
            enabled: profile.enabled,
            addresses: texts(profile.addresses),
            certificate: profile.certificate.map(Into::into),
            called_titles: texts(profile.called_titles),
            operations: profile.operations.into_iter().map(|one| one.as_str().to_owned()).collect(),
            sop_classes: texts(profile.sop_classes),
            transfer_syntaxes: texts(profile.transfer_syntaxes),
            associations_max: profile.associations_max,
            host: profile.host,
            port: profile.port,
            call_tls: profile.call_tls,
            reads_as: profile.reads_as,
            own_worklist: profile.own_worklist,
            notify_availability: profile.notify_availability,
        }
    }
}

impl AeRegistration {
    /// The registration, each field checked; what is wrong is noted in `checks`.
    fn parse(self, checks: &mut Checks) -> AeProfile {
        checks.line("description", &self.description, LINE_LENGTH_MAX);
        checks.line("host", &self.host, LINE_LENGTH_MAX);
        checks.require(!self.addresses.is_empty(), "addresses", "is empty; 0.0.0.0/0 is everywhere");
        checks.require(self.associations_max <= ASSOCIATIONS_MAX, "associations_max", "is more than 10000");
        let somewhere = !self.host.is_empty() && self.port != 0;
        checks.require(
            somewhere || !self.notify_availability,
            "notify_availability",
            "needs a host and a port to tell it at",
        );
        let certificate = self.certificate.map(|text| vec![text]).unwrap_or_default();
        let mut operations: Vec<AeOperation> = list(checks, "operations", &self.operations);
        operations.sort_unstable();
        operations.dedup();
        AeProfile {
            enabled: self.enabled,
            addresses: list(checks, "addresses", &self.addresses),
            certificate: list(checks, "certificate", &certificate).pop(),
            called_titles: list(checks, "called_titles", &self.called_titles),
            operations,
            sop_classes: list(checks, "sop_classes", &self.sop_classes),
            transfer_syntaxes: list(checks, "transfer_syntaxes", &self.transfer_syntaxes),
            associations_max: self.associations_max,
            description: self.description,
            host: self.host,
            port: self.port,
            call_tls: self.call_tls,
            reads_as: self.reads_as,
            own_worklist: self.own_worklist,
            notify_availability: self.notify_availability,
        }
    }
}

fn list<T: FromStr<Err: ToString>>(checks: &mut Checks, field: &str, texts: &[String]) -> Vec<T> {
    checks.require(texts.len() <= LIST_LENGTH_MAX, field, "has too many entries");
    let mut parsed = Vec::new();
    for (index, text) in texts.iter().take(LIST_LENGTH_MAX).enumerate() {
        match text.parse() {
            Ok(item) => parsed.push(item),
            Err(error) => {
                let error: T::Err = error;
                checks.refuse(&format!("{field}[{index}]"), error.to_string());
            }
        }
    }
    parsed
}

/// The registration with its ETag.
fn answer(status: StatusCode, ae: Ae) -> Response {
    let tag = entity_tag(ae.version);
    (status, [(header::ETAG, tag)], Json(AeBody::from(ae))).into_response()
}
