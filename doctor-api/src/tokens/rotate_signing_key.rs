//! `POST /keys/signing`: a new key signs access tokens from now on.

use axum::{extract::State, http::StatusCode};
use database::AuditRecord;
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{http::problem::Problem, identity::KeyError};
use utoipa::ToSchema;

use crate::{
    errors,
    input::json::JsonBody,
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSigningKey {
    /// True when the old key may have leaked: every access token of before is refused at once.
    #[serde(default)]
    drop_old: bool,
}

/// The key that signs now.
#[derive(Serialize, ToSchema)]
pub struct SigningKey {
    /// `kid` of the tokens to come.
    key_id: String,
}

/// Rotate the signing key
#[utoipa::path(
    post,
    path = "/keys/signing",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    request_body = RotateSigningKey,
    responses(
        (status = 201, description = "A new key signs", body = SigningKey),
        (status = 409, description = "The key is made of identity.token_secret: it is rotated in the settings",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn rotate_signing_key(
    State(state): State<AppState>,
    permit: Permit<ManageUsers>,
    JsonBody(request): JsonBody<RotateSigningKey>,
) -> Result<(StatusCode, Json<SigningKey>), Problem> {
    let issuer = state.issuer.clone();
    let rotated = tokio::task::spawn_blocking(move || issuer.rotate(request.drop_old)).await;
    let key_id = rotated.map_err(|error| Problem::internal(&error))?.map_err(|error| match error {
        KeyError::InSettings => Problem::new(StatusCode::CONFLICT).detail(error.to_string()),
        KeyError::File(_) | KeyError::Malformed | KeyError::Open | KeyError::NotMade => {
            Problem::internal(&error)
        }
    })?;
    let mut record = AuditRecord::success(&permit.caller.actor(), "rotate_signing_key").about(&key_id);
    if request.drop_old {
        "the keys before it were dropped".clone_into(&mut record.detail);
    }
    state.database().audit(record).await.map_err(errors::database)?;
    Ok((StatusCode::CREATED, Json(SigningKey { key_id })))
}
