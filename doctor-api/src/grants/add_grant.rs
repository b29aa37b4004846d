//! `POST /grants`: lets an account read a study, a patient's studies, or everything.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use database::{GrantKind, NewGrant};
use model::StudyInstanceUid;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::GrantBody;
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    policy::{ManageGrants, Permit},
    state::AppState,
};

/// Who may read what: exactly one of `study_instance_uid`, `patient_id` and `everything`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantToAdd {
    /// The account: a viewer's, or a doctor's for a study or a patient.
    user_id: Uuid,
    /// Study Instance UID (0020,000D); it may come later.
    #[schema(max_length = 64)]
    study_instance_uid: Option<String>,
    /// Patient ID (0010,0020).
    #[schema(max_length = 64)]
    patient_id: Option<String>,
    /// Issuer of Patient ID (0010,0021), with `patient_id`; leave it out to take any.
    #[schema(max_length = 64)]
    issuer_of_patient_id: Option<String>,
    /// Every study, also those to come; for viewers.
    #[serde(default)]
    everything: bool,
    /// When it ends by itself (RFC 3339); never, when left out.
    expires_at: Option<DateTime<Utc>>,
}

/// Let an account read studies
#[utoipa::path(
    post,
    path = "/grants",
    tag = "grants",
    security(("bearer" = ["manage_grants"])),
    request_body = GrantToAdd,
    responses(
        (status = 201, description = "Granted", body = GrantBody),
        (status = 404, description = "No such account", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The account's role takes no such grant", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn add_grant(
    State(state): State<AppState>,
    permit: Permit<ManageGrants>,
    JsonBody(request): JsonBody<GrantToAdd>,
) -> Result<(StatusCode, Json<GrantBody>), Problem> {
    let (user_id, expires_at) = (request.user_id, request.expires_at);
    let mut checks = Checks::new();
    let future = expires_at.is_none_or(|at| at > state.clock.now());
    checks.require(future, "expires_at", "lies in the past");
    checks.time("expires_at", expires_at);
    let kind = kind(request, &mut checks);
    checks.finish()?;
    let kind = kind.ok_or_else(Problem::unprocessable)?;
    let new = NewGrant { user_id, kind, expires_at };
    let added = state.database().add_grant(new, &permit.caller.actor()).await;
    let grant = added.map_err(|error| match error {
        database::DatabaseError::Conflict(why) => Problem::conflict(why),
        other => errors::database(other),
    })?;
    Ok((StatusCode::CREATED, Json(grant.into())))
}

fn kind(request: GrantToAdd, checks: &mut Checks) -> Option<GrantKind> {
    let issuer = request.issuer_of_patient_id.unwrap_or_default();
    match (request.study_instance_uid, request.patient_id, request.everything) {
        (Some(study), None, false) => match StudyInstanceUid::parse(&study) {
            Ok(study) => Some(GrantKind::Study(study)),
            Err(error) => {
                checks.refuse("study_instance_uid", error.to_string());
                None
            }
        },
        (None, Some(patient_id), false) => {
            checks.require(!patient_id.trim().is_empty(), "patient_id", "is empty");
            checks.patient_id("patient_id", &patient_id);
            checks.patient_id("issuer_of_patient_id", &issuer);
            Some(GrantKind::Patient { patient_id, issuer_of_patient_id: issuer })
        }
        (None, None, true) => Some(GrantKind::Everything),
        _ => {
            checks.refuse("everything", "say one of study_instance_uid, patient_id and everything");
            None
        }
    }
}
