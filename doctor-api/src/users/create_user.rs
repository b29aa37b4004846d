//! `POST /users`: an account that signs in with a password.

use axum::{extract::State, http::StatusCode};
use database::{DatabaseError, NewUser};
use model::access::Role;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{UserBody, check_doctor, check_password, check_username, hash, role};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Letters, digits and `.`, `_`, `-`, `@`.
    #[schema(example = "para.medic", max_length = 64)]
    username: String,
    /// At least 12 characters.
    #[schema(example = "correct horse battery staple", min_length = 12, format = Password)]
    password: String,
    /// `admin`, `doctor`, `paramedic`, `viewer` or `service`.
    #[schema(example = "paramedic")]
    role: String,
    /// The doctor it belongs to; with the role doctor.
    doctor_id: Option<Uuid>,
}

/// Create an account
#[utoipa::path(
    post,
    path = "/users",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    request_body = CreateUser,
    responses(
        (status = 201, description = "Created", body = UserBody),
        (status = 409, description = "The user name is taken", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_user(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    JsonBody(request): JsonBody<CreateUser>,
) -> Result<(StatusCode, Json<UserBody>), Problem> {
    let mut checks = Checks::new();
    check_username(&mut checks, "username", &request.username);
    check_password(&mut checks, "password", &request.password);
    let role = role(&mut checks, &request.role);
    check_doctor(&mut checks, role, request.doctor_id);
    checks.finish()?;
    let password_hash = hash(&state, "password", request.password).await?;
    let user = NewUser {
        username: request.username,
        password_hash,
        role: role.unwrap_or(Role::Viewer),
        doctor_id: request.doctor_id,
    };
    let created = state.database().create_user(user, &permit.caller.actor()).await;
    let user = created.map_err(|error| match error {
        DatabaseError::Conflict(_) => {
            Problem::conflict("the user name is taken").field("username", "is taken")
        }
        DatabaseError::NotFound => Problem::unprocessable().field("doctor_id", "there is no such doctor"),
        other => errors::database(other),
    })?;
    Ok((StatusCode::CREATED, Json(user.into())))
}
