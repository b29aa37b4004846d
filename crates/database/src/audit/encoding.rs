//! The bytes that are hashed: every field in the order of the table's columns, each with its length before it.
//! `docs/audit.md` has this encoding in words; changing it breaks every trail there is.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::record::AuditRecord;

/// Stands before everything, so that the hash of a record is the hash of nothing else.
const DOMAIN: &str = "MaxRay audit 1";

/// Feeds fields to SHA-256, each as its length in four bytes (big endian) and its bytes, so that no two lists of
/// fields are the same bytes.
pub struct Encoder(Context);

impl Encoder {
    /// Begins with the name of what is hashed.
    pub fn new(domain: &str) -> Self {
        let mut encoder = Self(Context::new(&SHA256));
        encoder.bytes(domain.as_bytes());
        encoder
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        // Nothing in a record comes near four gigabytes.
        self.0.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// A text, as UTF-8.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// A number, as eight bytes.
    pub fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A UUID, as sixteen bytes; none as no byte.
    pub fn uuid(&mut self, id: Option<Uuid>) -> &mut Self {
        match id {
            Some(id) => self.bytes(id.as_bytes()),
            None => self.bytes(&[]),
        }
    }

    /// The SHA-256.
    pub fn finish(self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: i64,
    pub(super) chain_id: Uuid,
    pub(super) chain_sequence: i64,
    pub(super) at: DateTime<Utc>,
}

/// The hash of a record after the one with the hash `previous`; 32 zeros before the first.
pub(super) fn hash(previous: &[u8; 32], place: Place, record: &AuditRecord, outcome: &str) -> [u8; 32] {
    let mut encoder = Encoder::new(DOMAIN);
    encoder
        .bytes(previous)
        .number(place.sequence)
        .uuid(Some(place.chain_id))
        .number(place.chain_sequence)
        .uuid(Some(record.id))
        .number(place.at.timestamp_micros())
        .uuid(record.actor.user_id)
        .uuid(record.actor.session_id)
        .text(&record.actor.role)
        .text(&record.actor.calling_ae)
        .text(&record.actor.certificate)
        .text(&record.actor.source_address)
        .text(&record.actor.request_id)
        .text(&record.action)
        .text(outcome)
        .text(&record.study_instance_uid)
        .uuid(record.consultation_id)
        .uuid(record.patient)
        .text(&record.subject)
        .text(&record.rule)
        .text(&record.detail);
    encoder.finish()
}
