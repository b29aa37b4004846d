//! `PUT /users/{id}`: what an account may do, and whether it may sign in.

use axum::extract::State;
use database::{DatabaseError, UserChanges, UserKind};
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{UserBody, check_client_role, check_doctor, refused, role};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody, path::PathParameters},
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// What an account may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// `admin`, `doctor`, `paramedic`, `viewer` or `service`; `viewer` or `service` for a service account.
    #[schema(example = "viewer")]
    role: String,
    /// The doctor it belongs to; with the role doctor.
    doctor_id: Option<Uuid>,
    /// May sign in.
    active: bool,
}

/// Change an account
///
/// Every session of the account ends at once, so that no token tells of the old rights.
#[utoipa::path(
    put,
    path = "/users/{id}",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(("id" = Uuid, Path, description = "Account")),
    request_body = UpdateUser,
    responses(
        (status = 200, description = "The account as it is now", body = UserBody),
        (status = 409, description = "No administrator would be left", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_user(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    PathParameters(id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<UpdateUser>,
) -> Result<Json<UserBody>, Problem> {
    let mut checks = Checks::new();
    let role = role(&mut checks, &request.role);
    check_doctor(&mut checks, role, request.doctor_id);
    let found = state.database().user(id).await.map_err(errors::database)?;
    if found.is_some_and(|user| user.kind == UserKind::Client) {
        check_client_role(&mut checks, role);
    }
    checks.finish()?;
    let changes = UserChanges {
        active: Some(request.active),
        role,
        doctor_id: Some(request.doctor_id),
        password_hash: None,
    };
    let changed = state.database().change_user(id, changes, &permit.caller.actor()).await;
    let user = changed.map_err(|error| match error {
        DatabaseError::NotFound => Problem::not_found(),
        other => refused(other),
    })?;
    Ok(Json(user.into()))
}
