//! A record as it is handed to the database.

use serde_json::Value;
use uuid::Uuid;

use super::{encoding::Place, record::AuditRecord};
use crate::{
    statement::{bytes_value, time_value, uuid_value},
    text::index_text,
};

/// As the database will give it back: texts come from hostile requests, too.
pub(super) fn storable(mut record: AuditRecord) -> AuditRecord {
    let actor = &mut record.actor;
    let texts = [
        &mut actor.role,
        &mut actor.calling_ae,
        &mut actor.certificate,
        &mut actor.source_address,
        &mut actor.request_id,
        &mut record.action,
        &mut record.study_instance_uid,
        &mut record.subject,
        &mut record.rule,
        &mut record.detail,
    ];
    for text in texts {
        *text = index_text(text);
    }
    record
}

/// In the order of the columns of `INSERT` in `write.rs`.
pub(super) fn values(place: Place, record: AuditRecord, hash: &[u8; 32]) -> Vec<Value> {
    let uuid = |id: Option<Uuid>| id.map_or(Value::Null, uuid_value);
    let actor = record.actor;
    vec![
        place.sequence.into(),
        place.chain_sequence.into(),
        uuid_value(record.id),
        time_value(place.at),
        uuid(actor.user_id),
        uuid(actor.session_id),
        actor.role.into(),
        actor.calling_ae.into(),
        actor.certificate.into(),
        actor.source_address.into(),
        actor.request_id.into(),
        record.action.into(),
        record.outcome.as_str().into(),
        record.study_instance_uid.into(),
        uuid(record.consultation_id),
        uuid(record.patient),
        record.subject.into(),
        record.rule.into(),
        record.detail.into(),
        bytes_value(hash),
    ]
}
