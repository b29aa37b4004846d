//! `GET /consultations/{id}/studies`: what there is to look at in a meeting.

use axum::extract::State;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::studies::{ConsultationStudy, OtherStudy, studies_of};
use crate::{
    audit::{self, Looked},
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadConsultation},
    state::AppState,
};

/// The studies of a meeting.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationStudies {
    /// Those linked to it with their X-rays, each with its preview; the newest link first.
    studies: Vec<ConsultationStudy>,
    /// The patient's others that the consultation opens, the newest first: what came before.
    prior_studies: Vec<OtherStudy>,
}

/// List the studies of a consultation
#[utoipa::path(
    get,
    path = "/consultations/{id}/studies",
    tag = "consultations",
    security(("bearer" = ["read_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses((status = 200, description = "Its studies, and the patient's others", body = ConsultationStudies))
)]
pub async fn list_consultation_studies(
    State(state): State<AppState>,
    permit: Permit<ReadConsultation>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<ConsultationStudies>, Problem> {
    let found = state.database().consultation(&permit.scope, id).await.map_err(errors::database)?;
    let consultation = found.ok_or_else(Problem::not_found)?;
    let what = Looked {
        action: "list_consultation_studies",
        study_instance_uid: "",
        subject: id.to_string(),
        consultation_id: Some(id),
    };
    audit::looked(&state, &permit.caller, what).await?;
    let (studies, prior_studies) = studies_of(&state, (&permit.caller, &permit.scope), &consultation).await?;
    Ok(Json(ConsultationStudies { studies, prior_studies }))
}
