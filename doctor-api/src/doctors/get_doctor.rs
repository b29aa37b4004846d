//! `GET /doctors/{id}`: one profile.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{DoctorBody, answer};
use crate::{
    errors,
    input::{
        etag::{entity_tag, is_known, version_tag},
        path::PathParameters,
    },
    policy::{Permit, ReadDoctor},
    state::AppState,
};

/// Read a doctor
#[utoipa::path(
    get,
    path = "/doctors/{id}",
    tag = "doctors",
    security(("bearer" = ["read_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-None-Match" = Option<String>, Header, description = "An ETag that you have")
    ),
    responses(
        (status = 200, description = "The profile", body = DoctorBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 304, description = "It is what you have"),
    )
)]
pub async fn get_doctor(
    State(state): State<AppState>,
    _permit: Permit<ReadDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let doctor = state.database().doctor(id).await.map_err(errors::database)?;
    let doctor = doctor.ok_or_else(Problem::not_found)?;
    if is_known(&headers, &version_tag(doctor.version)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, entity_tag(doctor.version))]).into_response());
    }
    Ok(answer(StatusCode::OK, doctor))
}
