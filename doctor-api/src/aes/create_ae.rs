//! `POST /aes`: lets a machine associate.

use axum::{extract::State, http::StatusCode, response::Response};
use database::DatabaseError;
use model::AeTitle;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use super::{AeBody, AeRegistration, answer};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    location::at,
    policy::{ManageAes, Permit},
    state::AppState,
};

/// An application entity to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAe {
    /// AE title: 1 to 16 printable ASCII characters without backslash.
    #[schema(example = "CR_ROOM_1", max_length = 16)]
    title: String,
    /// What it is registered with.
    registration: AeRegistration,
}

/// Register an application entity
///
/// The DICOM door hears of it within five seconds.
#[utoipa::path(
    post,
    path = "/aes",
    tag = "aes",
    security(("bearer" = ["manage_aes"])),
    request_body = CreateAe,
    responses(
        (status = 201, description = "Registered", body = AeBody,
         headers(("Location" = String, description = "Where the registration is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The title is registered", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_ae(
    State(state): State<AppState>,
    permit: Permit<ManageAes>,
    JsonBody(request): JsonBody<CreateAe>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    let title = AeTitle::parse(&request.title);
    if let Err(error) = &title {
        checks.refuse("title", error.to_string());
    }
    let profile = request.registration.parse(&mut checks);
    checks.finish()?;
    let title = title.map_err(|error| Problem::bad_request(error.to_string()))?;
    let created = state.database().create_ae(title, profile, &permit.caller.actor()).await;
    let ae = created.map_err(|error| match error {
        DatabaseError::Conflict(_) => Problem::conflict("the title is registered").field("title", "is taken"),
        other => errors::database(other),
    })?;
    let location = format!("/aes/{}", ae.id);
    Ok(at(&location, answer(StatusCode::CREATED, ae)))
}
