//! `PATCH /xrays/{id}`: what people say of an X-ray. Its data set stays as it came.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use chrono::{DateTime, Utc};
use database::{DatabaseError, XrayMetadata};
use serde::{Deserialize, Deserializer, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::create_xray::check_said;
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, entity_tag, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{Permit, UploadXray},
    state::AppState,
};

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct XrayPatch {
    /// When it was made; `null` takes a wrong time back.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    captured_at: CapturedAt,
    /// Who made it.
    #[schema(max_length = 64)]
    paramedic: Option<String>,
    /// Body part.
    #[schema(example = "CHEST", max_length = 16)]
    body_part: Option<String>,
    /// View.
    #[schema(example = "PA", max_length = 16)]
    view: Option<String>,
    /// `L`, `R`, `B` or `U`.
    laterality: Option<String>,
    /// In their words.
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

/// A time that may be taken back.
#[derive(Debug, Default)]
enum CapturedAt {
    /// It was left out.
    #[default]
    AsItIs,
    /// This, or none.
    Now(Option<DateTime<Utc>>),
}

impl<'de> Deserialize<'de> for CapturedAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Now)
    }
}

/// What people say of an X-ray.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaidOfXray {
    /// The consultation that it was made for.
    pub consultation_id: Option<Uuid>,
    /// When it was made.
    pub captured_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub paramedic: String,
    /// Body part.
    pub body_part: String,
    /// View.
    pub view: String,
    /// `L`, `R`, `B`, `U` or empty.
    pub laterality: String,
    /// In their words.
    pub notes: String,
    /// Grows with every change; the ETag for `PATCH` is made of it, 0 when nobody said anything.
    pub version: i64,
}

impl From<XrayMetadata> for SaidOfXray {
    fn from(said: XrayMetadata) -> Self {
        Self {
            consultation_id: said.consultation_id,
            captured_at: said.captured_at,
            paramedic: said.paramedic,
            body_part: said.body_part,
            view: said.view_position,
            laterality: said.laterality,
            notes: said.notes,
            version: said.version,
        }
    }
}

/// Change what is said of an X-ray
#[utoipa::path(
    patch,
    path = "/xrays/{id}",
    tag = "xrays",
    security(("bearer" = ["upload_xray"])),
    params(
        ("id" = Uuid, Path, description = "X-ray"),
        ("If-Match" = String, Header, description = "`said.version` of the X-ray, as an ETag: \"1\"")
    ),
    request_body = XrayPatch,
    responses(
        (status = 200, description = "As it is now", body = SaidOfXray,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_xray(
    State(state): State<AppState>,
    permit: Permit<UploadXray>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(patch): JsonBody<XrayPatch>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<SaidOfXray>), Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let mut said = state.database().xray_metadata(id).await.map_err(errors::database)?;
    if expected_version(&headers)? != said.version {
        return Err(changed_meanwhile());
    }
    if let CapturedAt::Now(captured_at) = patch.captured_at {
        said.captured_at = captured_at;
    }
    for (field, new) in [
        (&mut said.paramedic, patch.paramedic),
        (&mut said.body_part, patch.body_part),
        (&mut said.view_position, patch.view),
        (&mut said.laterality, patch.laterality),
        (&mut said.notes, patch.notes),
    ] {
        if let Some(new) = new {
            *field = new;
        }
    }
    let mut checks = Checks::new();
    check_said(&mut checks, &said);
    checks.finish()?;
    let written = state.database().write_xray_metadata(&stored, &said, &permit.caller.actor()).await;
    said.version = written.map_err(|error| match error {
        DatabaseError::Conflict(_) => changed_meanwhile(),
        other => errors::database(other),
    })?;
    Ok(([(header::ETAG, entity_tag(said.version))], Json(said.into())))
}
