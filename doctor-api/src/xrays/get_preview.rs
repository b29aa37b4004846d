//! `GET /xrays/{id}/preview`: a small picture for eyes in a hurry, not for a diagnosis.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use database::PreviewState;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    audit::{self, Looked},
    errors,
    input::{path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// A preview never changes, but who may see it does.
const CACHE_FOR: &str = "private, max-age=300";

/// Which picture.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    /// `preview` (at most 512 pixels) or `thumbnail` (at most 128 pixels).
    #[param(inline)]
    size: Option<PreviewSize>,
}

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviewSize {
    /// At most 512 pixels on the longest side.
    #[default]
    Preview,
    /// At most 128 pixels on the longest side.
    Thumbnail,
}

/// Read an X-ray's preview
///
/// It is made right after the X-ray was stored. Until then the answer is 404 of type
/// `urn:maxray:problem:preview-pending` with Retry-After; when none can be made, `urn:maxray:problem:no-preview` with
/// the reason.
#[utoipa::path(
    get,
    path = "/xrays/{id}/preview",
    tag = "xrays",
    security(("bearer" = ["read_study"])),
    params(("id" = Uuid, Path, description = "X-ray"), PreviewQuery),
    responses((status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"))
)]
pub async fn get_preview(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<PreviewQuery>,
) -> Result<Response, Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let preview = match state.database().preview(id).await.map_err(errors::database)? {
        PreviewState::Made(preview) => preview,
        PreviewState::Pending => return Err(pending()),
        PreviewState::Failed { reason } => return Err(none(reason)),
    };
    let study_instance_uid = stored.study_instance_uid.as_str();
    let what =
        Looked { action: "read_preview", study_instance_uid, subject: id.to_string(), consultation_id: None };
    audit::looked(&state, &permit.caller, what).await?;
    let (key, seal) = match query.size.unwrap_or_default() {
        PreviewSize::Preview => (preview.preview_key, &preview.preview_seal),
        PreviewSize::Thumbnail => (preview.thumbnail_key, &preview.thumbnail_seal),
    };
    let picture = state.archive.preview_picture(id, key, seal).await;
    let picture = picture.map_err(|error| errors::object(error.is_out_of_resources(), &error))?;
    let picture = picture.ok_or_else(pending)?;
    let media_type = HeaderValue::from_str(&preview.media_type);
    let headers = [
        (header::CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("image/jpeg"))),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE_FOR)),
        (header::VARY, HeaderValue::from_static("Authorization")),
    ];
    Ok((headers, picture).into_response())
}

fn pending() -> Problem {
    Problem::new(StatusCode::NOT_FOUND)
        .kind("preview-pending")
        .detail("the preview is not made yet; ask again in a moment, or wait for the event preview.made")
        .retry_after(1)
}

fn none(reason: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND).kind("no-preview").detail(reason)
}
