//! `GET /xrays/{id}`: what is known about one X-ray.

use axum::extract::State;
use chrono::{DateTime, Utc};
use database::{Attribute, Condition, Level, Matching, PreviewState, SearchQuery, SearchRow, StoredInstance};
use model::access::Scope;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    update_xray::SaidOfXray,
    view::{SeriesBody, StudySummary, XraySummary},
};
use crate::{
    audit::{self, Looked},
    errors,
    input::path::PathParameters,
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// An X-ray.
#[derive(Debug, Serialize, ToSchema)]
pub struct Xray {
    /// In short.
    #[serde(flatten)]
    summary: XraySummary,
    /// Bits Allocated (0028,0100).
    bits_allocated: Option<i32>,
    /// View Position (0018,5101).
    view_position: String,
    /// Image Type (0008,0008), values separated by backslashes.
    image_type: String,
    /// Acquisition Date (0008,0022).
    acquisition_date: String,
    /// Acquisition Time (0008,0032).
    acquisition_time: String,
    /// Content Date (0008,0023).
    content_date: String,
    /// Content Time (0008,0033).
    content_time: String,
    /// Length of the DICOM file.
    length_bytes: u64,
    /// When it was stored.
    stored_at: DateTime<Utc>,
    /// How far its preview is.
    preview: PreviewBody,
    /// What people say of it.
    said: SaidOfXray,
    /// Its series.
    series: SeriesBody,
    /// Its study.
    study: StudySummary,
}

/// How far a preview is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
pub struct PreviewBody {
    /// `pending`, `made` or `failed`.
    #[schema(example = "made")]
    state: &'static str,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

impl From<PreviewState> for PreviewBody {
    fn from(state: PreviewState) -> Self {
        let mut body = Self { state: "pending", reason: None, media_type: None, width: None, height: None };
        match state {
            PreviewState::Pending => {}
            PreviewState::Failed { reason } => {
                body.state = "failed";
                body.reason = Some(reason);
            }
            PreviewState::Made(preview) => {
                body.state = "made";
                body.media_type = Some(preview.media_type);
                body.width = Some(preview.width);
                body.height = Some(preview.height);
            }
        }
        body
    }
}

/// Read an X-ray's metadata
#[utoipa::path(
    get,
    path = "/xrays/{id}",
    tag = "xrays",
    security(("bearer" = ["read_study"])),
    params(("id" = Uuid, Path, description = "X-ray")),
    responses((status = 200, description = "The X-ray", body = Xray))
)]
pub async fn get_xray(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<Json<Xray>, Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let study_instance_uid = stored.study_instance_uid.to_string();
    let what = Looked {
        action: "read_xray",
        study_instance_uid: &study_instance_uid,
        subject: id.to_string(),
        consultation_id: None,
    };
    audit::looked(&state, &permit.caller, what).await?;
    let row = attributes(&state, &permit.scope, &stored).await?;
    let preview = state.database().preview(id).await.map_err(errors::database)?;
    let said = state.database().xray_metadata(id).await.map_err(errors::database)?;
    show(row, &stored, preview, said.into()).map(Json).ok_or_else(Problem::not_found)
}

async fn attributes(state: &AppState, scope: &Scope, stored: &StoredInstance) -> Result<SearchRow, Problem> {
    let equals =
        |attribute, value: &str| Condition { attribute, matching: Matching::Equals(value.to_owned()) };
    let search = SearchQuery {
        level: Level::Instance,
        conditions: vec![
            equals(Attribute::StudyInstanceUID, stored.study_instance_uid.as_str()),
            equals(Attribute::SOPInstanceUID, stored.sop_instance_uid.as_str()),
        ],
        limit: 1,
        ..SearchQuery::default()
    };
    let found = state.database().search(scope, &search).await.map_err(errors::database)?;
    found.rows.into_iter().next().ok_or_else(Problem::not_found)
}

fn show(
    mut row: SearchRow,
    stored: &StoredInstance,
    preview: PreviewState,
    said: SaidOfXray,
) -> Option<Xray> {
    let instance = row.instance.take()?;
    let series = row.series.take()?;
    let attributes = instance.attributes.clone();
    Some(Xray {
        summary: instance.into(),
        bits_allocated: attributes.bits_allocated,
        view_position: attributes.view_position,
        image_type: attributes.image_type,
        acquisition_date: attributes.acquisition_date,
        acquisition_time: attributes.acquisition_time,
        content_date: attributes.content_date,
        content_time: attributes.content_time,
        length_bytes: stored.object_length_bytes,
        stored_at: stored.stored_at,
        preview: preview.into(),
        said,
        series: series.attributes.into(),
        study: row.into(),
    })
}
