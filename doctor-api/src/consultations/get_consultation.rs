//! `GET /consultations/{id}`: a meeting with the studies and X-rays that belong to it.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ConsultationBody,
    studies::{ConsultationStudy, OtherStudy, studies_of},
};
use crate::{
    audit::{self, Looked},
    errors,
    input::{etag::entity_tag, path::PathParameters},
    policy::{Permit, ReadConsultation},
    state::AppState,
};

/// A meeting with what belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationDetail {
    /// The meeting.
    #[serde(flatten)]
    consultation: ConsultationBody,
    /// The studies linked to it, the newest link first.
    studies: Vec<ConsultationStudy>,
    /// The patient's other studies, the newest first: they can be linked.
    candidate_studies: Vec<OtherStudy>,
}

/// Read a consultation
#[utoipa::path(
    get,
    path = "/consultations/{id}",
    tag = "consultations",
    security(("bearer" = ["read_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses((status = 200, description = "The consultation, its studies and their X-rays", body = ConsultationDetail,
               headers(("ETag" = String, description = "Version, for If-Match"))))
)]
pub async fn get_consultation(
    State(state): State<AppState>,
    permit: Permit<ReadConsultation>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<ConsultationDetail>), Problem> {
    let found = state.database().consultation(&permit.scope, id).await.map_err(errors::database)?;
    let consultation = found.ok_or_else(Problem::not_found)?;
    let what = Looked {
        action: "read_consultation",
        study_instance_uid: "",
        subject: id.to_string(),
        consultation_id: Some(id),
    };
    // Both end before the first byte leaves; the disk is waited for while the database is read.
    let (recorded, studies) = tokio::join!(
        audit::looked(&state, &permit.caller, what),
        studies_of(&state, (&permit.caller, &permit.scope), &consultation)
    );
    recorded?;
    let (studies, candidate_studies) = studies?;
    let tag = entity_tag(consultation.version);
    let detail = ConsultationDetail { consultation: consultation.into(), studies, candidate_studies };
    Ok(([(header::ETAG, tag)], Json(detail)))
}
