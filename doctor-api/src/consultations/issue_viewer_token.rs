//! `POST /consultations/{id}/viewer-token`: an access token for an image viewer, good for this consultation's studies.

use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use database::{NewSession, SessionKind};
use model::{
    access::{Grant, Principal},
    clinical::ConsultationStatus,
};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{IssueViewerToken, Permit},
    state::AppState,
};

/// A token for an image viewer.
#[derive(Serialize, ToSchema)]
pub struct ViewerToken {
    /// Give it to the viewer: it sends it as `Authorization: Bearer ...` to `/dicomweb`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which it is good at most: it ends with the consultation.
    #[schema(example = 3600)]
    expires_in: u32,
    /// The consultation whose studies it opens.
    consultation_id: Uuid,
}

/// Make a token for an image viewer
///
/// It reads the studies linked to the consultation and the patient's other studies that the consultation opens, over
/// DICOMweb and `/xrays`, and does nothing else.
#[utoipa::path(
    post,
    path = "/consultations/{id}/viewer-token",
    tag = "consultations",
    security(("bearer" = ["issue_viewer_token"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    responses(
        (status = 201, description = "A token", body = ViewerToken),
        (status = 409, description = "The consultation has ended, or is only proposed", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn issue_viewer_token(
    State(state): State<AppState>,
    permit: Permit<IssueViewerToken>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<(StatusCode, Json<ViewerToken>), Problem> {
    let found = state.database().consultation(&permit.scope, id).await.map_err(errors::database)?;
    let consultation = found.ok_or_else(Problem::not_found)?;
    if consultation.status == ConsultationStatus::Proposed {
        return Err(Problem::conflict("the consultation is not agreed yet").kind("consultation-proposed"));
    }
    if consultation.status.is_over() {
        return Err(Problem::conflict("the consultation has ended").kind("consultation-ended"));
    }
    let lifetime_seconds = state.database().access().viewer_token_lifetime_seconds;
    let caller = &permit.caller.principal;
    let expires_at = state.clock.now() + TimeDelta::seconds(i64::from(lifetime_seconds));
    let mut session = NewSession::new(caller.user_id, SessionKind::Consultation, expires_at);
    session.grant_id = Some(id);
    let opened = state.database().create_session(session, &permit.caller.actor()).await;
    let opened = opened.map_err(errors::database)?;
    let principal = Principal {
        session_id: Some(opened.session.id),
        grant: Some(Grant::Consultation(id)),
        ..Principal::new(caller.user_id, opened.role, opened.doctor_id)
    };
    let token = state.issuer.issue_for(&principal, lifetime_seconds);
    let token = token.map_err(|error| Problem::internal(&error))?;
    let body = ViewerToken {
        access_token: token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        consultation_id: id,
    };
    Ok((StatusCode::CREATED, Json(body)))
}
