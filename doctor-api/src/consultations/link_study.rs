//! `POST /consultations/{id}/studies`: links a study to a consultation of the same patient.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use database::LinkOutcome;
use model::StudyInstanceUid;
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{LinkStudy, Permit},
    state::AppState,
};

/// Which study.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyToLink {
    /// Study Instance UID (0020,000D).
    #[schema(example = "1.2.826.0.1.3680043.8.498.1", max_length = 64)]
    study_instance_uid: String,
}

/// A study of a consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct StudyLink {
    /// The consultation.
    consultation_id: Uuid,
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
}

/// Link a study
#[utoipa::path(
    post,
    path = "/consultations/{id}/studies",
    tag = "consultations",
    security(("bearer" = ["link_study"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    request_body = StudyToLink,
    responses(
        (status = 201, description = "Linked", body = StudyLink),
        (status = 200, description = "It was linked already", body = StudyLink),
        (status = 404, description = "No such consultation or study, or not yours", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The study is of another patient", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn link_study(
    State(state): State<AppState>,
    permit: Permit<LinkStudy>,
    PathParameters(consultation_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<StudyToLink>,
) -> Result<Response, Problem> {
    let study = match StudyInstanceUid::parse(&request.study_instance_uid) {
        Ok(study) => study,
        Err(error) => {
            let mut checks = Checks::new();
            checks.refuse("study_instance_uid", error.to_string());
            return Err(checks.finish().err().unwrap_or_else(Problem::unprocessable));
        }
    };
    let actor = permit.caller.actor();
    let linked = state.database().link_study(&permit.scope, consultation_id, &study, &actor).await;
    let status = match linked.map_err(errors::database)? {
        LinkOutcome::Linked => StatusCode::CREATED,
        LinkOutcome::AlreadyLinked => StatusCode::OK,
        LinkOutcome::ConsultationNotFound | LinkOutcome::StudyNotFound => return Err(Problem::not_found()),
        LinkOutcome::PatientDiffers => {
            return Err(Problem::conflict("the study is of another patient than the consultation")
                .kind("patient-differs"));
        }
    };
    Ok((status, Json(StudyLink { consultation_id, study_instance_uid: study.into() })).into_response())
}
