//! `GET /audit`: the audit trail, newest first. Reading it is in it.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::{AuditFilter, AuditOutcome, AuditRecord, AuditRow};
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    audit,
    input::{check::Checks, page::PageRequest, query::QueryParameters},
    policy::{Permit, ReadAudit},
    state::AppState,
};

/// Longest text to search for.
const TEXT_MAX_CHARACTERS: usize = 128;

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// At this time or later (RFC 3339).
    from: Option<DateTime<Utc>>,
    /// Before this time (RFC 3339).
    to: Option<DateTime<Utc>>,
    /// Account.
    user_id: Option<Uuid>,
    /// What was done, as `read_study`.
    action: Option<String>,
    /// `success`, `refused` or `failed`.
    outcome: Option<String>,
    /// Study Instance UID (0020,000D).
    study_instance_uid: Option<String>,
    /// Pseudonym of a patient, as it stands in records.
    patient: Option<Uuid>,
    /// Consultation.
    consultation_id: Option<Uuid>,
    /// Calling AE title.
    calling_ae: Option<String>,
    /// Network address.
    source_address: Option<String>,
    /// Only what stands before this record: `next` of the page before.
    before: Option<i64>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A record of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordBody {
    /// Place in the trail.
    sequence: i64,
    /// The node that wrote it.
    chain_id: Uuid,
    /// Place in that node's chain.
    chain_sequence: i64,
    /// Identity.
    id: Uuid,
    /// When.
    at: DateTime<Utc>,
    /// The account.
    user_id: Option<Uuid>,
    /// Its session.
    session_id: Option<Uuid>,
    /// Its role, or what acted: `modality`, `operator`, `server`.
    role: String,
    /// Calling AE title.
    calling_ae: String,
    /// SHA-256 of the public key of the client certificate.
    certificate: String,
    /// Network address.
    source_address: String,
    /// Request or association.
    request_id: String,
    /// What was done.
    action: String,
    /// `success`, `refused` or `failed`.
    outcome: String,
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
    /// Consultation.
    consultation_id: Option<Uuid>,
    /// Pseudonym of the patient.
    patient: Option<Uuid>,
    /// What exactly.
    subject: String,
    /// Rule or purpose.
    rule: String,
    /// More.
    detail: String,
    /// Hash of the record and of all before it in the chain.
    hash: String,
}

impl From<AuditRow> for RecordBody {
    fn from(row: AuditRow) -> Self {
        let AuditRow { sequence, chain_id, chain_sequence, at, record, hash } = row;
        let AuditRecord { id, actor, action, outcome, study_instance_uid, consultation_id, patient, .. } =
            record;
        Self {
            sequence,
            chain_id,
            chain_sequence,
            id,
            at,
            user_id: actor.user_id,
            session_id: actor.session_id,
            role: actor.role,
            calling_ae: actor.calling_ae,
            certificate: actor.certificate,
            source_address: actor.source_address,
            request_id: actor.request_id,
            action,
            outcome: outcome.to_string(),
            study_instance_uid,
            consultation_id,
            patient,
            subject: record.subject,
            rule: record.rule,
            detail: record.detail,
            hash: model::text::hex(&hash),
        }
    }
}

/// A part of the trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordPage {
    /// The records, newest first.
    pub items: Vec<RecordBody>,
    /// `before` of the page after this one; none at the end.
    pub next: Option<i64>,
}

/// List records of the audit trail
///
/// Newest first. Each call is itself recorded.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    security(("bearer" = ["read_audit"])),
    params(AuditQuery),
    responses((status = 200, description = "A page of records", body = RecordPage))
)]
pub async fn list_records(
    State(state): State<AppState>,
    permit: Permit<ReadAudit>,
    QueryParameters(query): QueryParameters<AuditQuery>,
) -> Result<Json<RecordPage>, Problem> {
    let mut checks = Checks::new();
    let outcome = query.outcome.as_deref().map(AuditOutcome::parse);
    checks.require(outcome != Some(None), "outcome", "is one of success, refused, failed");
    checks.period("to", query.from, query.to);
    let texts = [
        ("action", &query.action),
        ("study_instance_uid", &query.study_instance_uid),
        ("calling_ae", &query.calling_ae),
        ("source_address", &query.source_address),
    ];
    for (name, text) in texts {
        let fits = text
            .as_ref()
            .is_none_or(|text| text.chars().count() <= TEXT_MAX_CHARACTERS && !text.contains('\0'));
        checks.require(fits, name, "is too long");
    }
    let page = PageRequest::new(query.limit, None, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = AuditFilter {
        from: query.from,
        until: query.to,
        user_id: query.user_id,
        action: query.action,
        outcome: outcome.flatten(),
        study_instance_uid: query.study_instance_uid,
        patients: query.patient.into_iter().collect(),
        consultation_id: query.consultation_id,
        calling_ae: query.calling_ae,
        source_address: query.source_address,
        before: query.before,
        limit: page.limit,
    };
    page_of(&state, &permit, filter, "read_audit").await
}

/// The records of the filter, after the use of the trail is in the trail.
pub async fn page_of<P>(
    state: &AppState,
    permit: &Permit<P>,
    filter: AuditFilter,
    action: &str,
) -> Result<Json<RecordPage>, Problem> {
    let mut record = AuditRecord::success(&permit.caller.actor(), action);
    // Whose report it was; more than one row under one Patient ID is rare.
    record.patient = filter.patients.first().copied().filter(|patient| !patient.is_nil());
    record.study_instance_uid = filter.study_instance_uid.clone().unwrap_or_default();
    record.detail = format!("{} patients in the filter", filter.patients.len());
    audit::written(state, record).await?;
    let found = state.database().audit_search(&filter).await.map_err(crate::errors::database)?;
    let next = if found.len() < filter.limit as usize { None } else { found.last().map(|row| row.sequence) };
    Ok(Json(RecordPage { items: found.into_iter().map(RecordBody::from).collect(), next }))
}
