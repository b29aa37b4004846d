//! `PUT /prescriptions/{id}`: what a draft says instead.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use model::clinical::PrescriptionContent;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{PrescriptionBody, answer, check::check, items::PrescriptionContentBody};
use crate::{
    documents::commands::update,
    input::{json::JsonBody, path::PathParameters},
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// Change a draft
#[utoipa::path(
    put,
    path = "/prescriptions/{id}",
    tag = "prescriptions",
    security(("bearer" = ["write_prescription"])),
    params(
        ("id" = Uuid, Path, description = "Prescription"),
        ("If-Match" = String, Header, description = "ETag of the draft that the change is made on")
    ),
    request_body = PrescriptionContentBody,
    responses(
        (status = 200, description = "The draft", body = PrescriptionBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "It is no draft any more", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_prescription(
    State(state): State<AppState>,
    permit: Permit<WritePrescription>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PrescriptionContentBody>,
) -> Result<Response, Problem> {
    let content = PrescriptionContent::from(body);
    check(&content, state.clock.now())?;
    let updated = update(&state, &permit, (id, &headers), content).await?;
    answer(&state, &permit.scope, StatusCode::OK, updated).await
}
