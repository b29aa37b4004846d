//! `GET /xrays/{id}/download`: the DICOM file (PS3.10 7), its data set bit for bit as it came; or a picture of it.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use conversion::{Patience, PictureError};
use database::StoredInstance;
use rendering::{ImageFormat, Output, RenderOptions};
use serde::Deserialize;
use service::http::{guard::StreamGuard, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    audit::{self, Looked},
    errors,
    input::{path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// Quality of JPEG, from 1 to 100.
const JPEG_QUALITY: u8 = 90;

/// As what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DownloadQuery {
    /// `dicom`, or a picture of it: `jpeg` or `png`.
    #[param(inline)]
    format: Option<DownloadFormat>,
    /// Frame of a picture, from 1.
    #[param(minimum = 1)]
    frame: Option<u32>,
}

/// A form of an X-ray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadFormat {
    /// The DICOM file.
    #[default]
    Dicom,
    /// A picture with the window that the X-ray names, in full size, with some loss.
    Jpeg,
    /// The same without loss.
    Png,
}

impl DownloadFormat {
    /// None for the DICOM file.
    fn picture(self) -> Option<(ImageFormat, &'static str)> {
        match self {
            Self::Dicom => None,
            Self::Jpeg => Some((ImageFormat::Jpeg { quality: JPEG_QUALITY }, "jpg")),
            Self::Png => Some((ImageFormat::Png, "png")),
        }
    }
}

/// Download an X-ray
///
/// As a DICOM file; or with `format` as a picture of one frame, which has no name on it and no measure in it.
#[utoipa::path(
    get,
    path = "/xrays/{id}/download",
    tag = "xrays",
    security(("bearer" = ["read_study"])),
    params(("id" = Uuid, Path, description = "X-ray"), DownloadQuery),
    responses(
        (status = 200, description = "The DICOM file, or the picture",
         content((Vec<u8> = "application/dicom"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png")),
         headers(("Content-Disposition" = String, description = "The SOP Instance UID as file name"),
                 ("Content-Length" = u64, description = "Length in bytes"))),
        (status = 406, description = "There is no picture of it", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn download_xray(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<DownloadQuery>,
) -> Result<Response, Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let study_instance_uid = stored.study_instance_uid.as_str();
    let what = Looked {
        action: "download_xray",
        study_instance_uid,
        subject: id.to_string(),
        consultation_id: None,
    };
    audit::exported(&state, &permit.caller, what).await?;
    if let Some((format, extension)) = query.format.unwrap_or_default().picture() {
        let frame = query.frame.unwrap_or(1);
        return picture(&state, &stored, (format, extension), frame).await;
    }
    let bytes = state.archive.read_instance(&stored).await.map_err(|error| errors::read(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/dicom")),
        (header::CONTENT_LENGTH, HeaderValue::from(stored.object_length_bytes)),
        (header::CONTENT_DISPOSITION, disposition(&stored, "dcm")),
    ];
    let (principal, study) = (&permit.caller.principal, &stored.study_instance_uid);
    let guard = StreamGuard::of(state.database(), principal, &permit.scope, study);
    Ok(guard.cover((headers, Body::from_stream(bytes)).into_response()))
}

/// A UID is digits and dots, so it cannot break out of the header or name a path.
fn disposition(stored: &StoredInstance, extension: &str) -> HeaderValue {
    let disposition = format!("attachment; filename=\"{}.{extension}\"", stored.sop_instance_uid);
    HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"))
}

async fn picture(
    state: &AppState,
    stored: &StoredInstance,
    (format, extension): (ImageFormat, &str),
    frame: u32,
) -> Result<Response, Problem> {
    let found = state.database().header(stored.id).await.map_err(errors::database)?;
    let header = found.ok_or_else(|| not_renderable("the header of the X-ray is not there"))?;
    let Some(index) = (frame as usize).checked_sub(1) else {
        let wrong = "a query parameter cannot be understood; see errors";
        return Err(Problem::bad_request(wrong).field("frame", "counts from 1"));
    };
    let output = Output { options: RenderOptions::default(), format };
    let made = state.converter.picture(stored, &header, index, output, Patience::Limited).await;
    let picture = made.map_err(|error| match error {
        PictureError::NoSuchFrame => Problem::not_found(),
        PictureError::InvalidOptions(detail) | PictureError::NotRenderable(detail) => not_renderable(detail),
        PictureError::Read(error) => errors::read(&error),
        PictureError::Problem(problem) => problem,
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(picture.media_type)),
        (header::CONTENT_DISPOSITION, disposition(stored, extension)),
    ];
    Ok((headers, picture.bytes).into_response())
}

fn not_renderable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE).kind("not-renderable").detail(detail)
}
