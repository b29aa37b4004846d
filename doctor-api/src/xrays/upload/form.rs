//! RFC 7578, the form in which an X-ray comes: `metadata` (JSON) first, then `file`.

use aws_lc_rs::digest;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use chrono::{DateTime, Utc};
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    around::{Around, TooMuchAround, bounded},
    tiff,
};
use crate::{
    idempotency::ClaimOfRequest,
    input::{check::Checks, json},
    state::AppState,
};

/// Longest metadata.
pub const METADATA_LENGTH_MAX_BYTES: u64 = 64 << 10;
/// Longest time for which a file that is refused already is read on.
const PASS_OVER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Where `DICM` stands in a file (PS3.10 7.1).
const DICM_AT: usize = 128;

/// What people say of an X-ray.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct XrayMetadata {
    /// The consultation that it is for; patient and link follow from it. A doctor has to name one.
    pub consultation_id: Option<Uuid>,
    /// Patient ID (0010,0020), for a picture without a consultation; a DICOM file has its own.
    #[serde(default)]
    #[schema(example = "P-1001", max_length = 64)]
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    #[serde(default)]
    #[schema(max_length = 64)]
    pub issuer_of_patient_id: String,
    /// Name of the patient.
    #[serde(default)]
    #[schema(example = "Mensah^Kofi", max_length = 194)]
    pub patient_name: String,
    /// When it was made; now when left out.
    pub captured_at: Option<DateTime<Utc>>,
    /// Who made it.
    #[serde(default)]
    #[schema(example = "Owusu^Efua", max_length = 64)]
    pub paramedic: String,
    /// Body part, as a term of PS3.16 annex L.
    #[serde(default)]
    #[schema(example = "CHEST", max_length = 16)]
    pub body_part: String,
    /// View.
    #[serde(default)]
    #[schema(example = "PA", max_length = 16)]
    pub view: String,
    /// `L`, `R`, `B` (both) or `U` (unpaired).
    #[serde(default)]
    #[schema(example = "L")]
    pub laterality: String,
    /// In their words.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub notes: String,
}

/// The form, for the description of the operation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read field by field")]
pub struct Upload {
    /// What people say of it. It has to come before the file.
    metadata: XrayMetadata,
    /// A DICOM file, a JPEG, a PNG or a TIFF of one page.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// What came, with the file begun.
pub struct Received {
    pub metadata: XrayMetadata,
    /// The first bytes of the file, enough to know what it is.
    head: Vec<u8>,
    around: Around,
    multipart: Multipart<'static>,
    field: Field<'static>,
    /// Of what came so far; none without an Idempotency-Key, for which alone it is.
    hash: Option<digest::Context>,
}

/// Reads up to the file.
pub struct XrayForm(pub Received);

impl FromRequest<AppState> for XrayForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let is_claimed = request.extensions().get::<ClaimOfRequest>().is_some();
        receive(request, state, is_claimed).await.map(Self)
    }
}

/// What makes a form the same: its fields and the content of its file. Reads it to its end and keeps nothing.
///
/// # Errors
/// As for a form that is taken.
pub async fn hash_form(request: Request, state: &AppState) -> Result<Option<[u8; 32]>, Problem> {
    let mut received = receive(request, state, true).await?;
    while received.next().await?.is_some() {}
    received.end().await
}

/// # Errors
/// 400, 413, 415 or 422, as for JSON.
async fn receive(request: Request, state: &AppState, is_hashed: bool) -> Result<Received, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or_default())
        .map_err(|_| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).detail("send multipart/form-data"))?;
    let limit = SizeLimit::new()
        .whole_stream(state.archive.config().object_length_max_bytes.saturating_add(1 << 20))
        .for_field("metadata", METADATA_LENGTH_MAX_BYTES);
    let constraints = Constraints::new().allowed_fields(vec!["metadata", "file"]).size_limit(limit);
    let around = Around::default();
    let stream = bounded(request.into_body().into_data_stream(), around.clone());
    let mut multipart = Multipart::with_constraints(stream, boundary, constraints);
    let mut metadata = None;
    let mut hash = is_hashed.then(|| digest::Context::new(&digest::SHA256));
    loop {
        let field = multipart.next_field().await.map_err(|error| malformed(&error))?;
        let Some(field) = field else { return Err(refused("file", "is required")) };
        match (field.name(), metadata.take()) {
            (Some("metadata"), None) => {
                let bytes = field.bytes().await.map_err(|error| malformed(&error))?;
                if let Some(hash) = &mut hash {
                    // With its length: so it is clear where the file begins.
                    hash.update(&(bytes.len() as u64).to_be_bytes());
                    hash.update(&bytes);
                }
                metadata = Some(json::parse::<XrayMetadata>(&bytes)?);
            }
            (Some("file"), Some(metadata)) => {
                around.file_begins();
                let mut received = Received { metadata, head: Vec::new(), around, multipart, field, hash };
                received.read_head().await?;
                return Ok(received);
            }
            (Some("file"), None) => return Err(refused("metadata", "is required, before the file")),
            _ => return Err(refused("metadata", "is given twice")),
        }
    }
}

fn refused(field: &str, message: &str) -> Problem {
    let mut checks = Checks::new();
    checks.refuse(field, message);
    checks.finish().err().unwrap_or_else(Problem::unprocessable)
}

fn malformed(error: &multer::Error) -> Problem {
    match error {
        multer::Error::UnknownField { .. } => refused("", "holds a field other than metadata and file"),
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail("the file or its metadata are too large")
        }
        multer::Error::StreamReadFailed(cause) if cause.is::<TooMuchAround>() => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail(TooMuchAround.to_string())
        }
        _ => Problem::bad_request("the body is no multipart/form-data, or was cut off"),
    }
}

impl Received {
    async fn read_head(&mut self) -> Result<(), Problem> {
        while self.head.len() < DICM_AT + 4 {
            match self.chunk().await? {
                Some(chunk) => self.head.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        let chunk = self.field.chunk().await.map_err(|error| malformed(&error))?;
        if let (Some(hash), Some(chunk)) = (&mut self.hash, &chunk) {
            hash.update(chunk);
        }
        Ok(chunk)
    }

    /// Whether the file is DICOM (PS3.10 7.1).
    pub fn is_dicom(&self) -> bool {
        self.head.get(DICM_AT..DICM_AT + 4) == Some(b"DICM")
    }

    /// Whether it is a picture of a kind that is taken.
    pub fn is_picture(&self) -> bool {
        self.head.starts_with(&[0xFF, 0xD8, 0xFF])
            || self.head.starts_with(b"\x89PNG\r\n\x1a\n")
            || tiff::is_tiff(&self.head)
    }

    /// The next bytes of the file; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if !self.head.is_empty() {
            return Ok(Some(std::mem::take(&mut self.head).into()));
        }
        self.chunk().await
    }

    /// Reads on and keeps nothing, for a while: who is still sending would otherwise find the connection broken, and not hear why.
    pub async fn passed_over(mut self, refused: Problem) -> Problem {
        let reading = async { while let Ok(Some(_)) = self.next().await {} };
        // Whoever has not sent it by then hears what there is to hear.
        let _ = tokio::time::timeout(PASS_OVER_TIMEOUT, reading).await;
        refused
    }

    /// All of a picture, and what makes its form the same.
    pub async fn whole(mut self, length_max_bytes: usize) -> Result<(Vec<u8>, Option<[u8; 32]>), Problem> {
        let mut file = Vec::new();
        while let Some(bytes) = self.next().await? {
            if file.len() + bytes.len() > length_max_bytes {
                let detail = format!("the picture is larger than {length_max_bytes} bytes");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail(detail));
            }
            file.extend_from_slice(&bytes);
        }
        Ok((file, self.end().await?))
    }

    /// Nothing may follow the file: a form that was cut off is no form. Gives what makes it the same (see [`hash_form`]), when it
    /// has an Idempotency-Key.
    pub async fn end(mut self) -> Result<Option<[u8; 32]>, Problem> {
        drop(self.field);
        self.around.file_ends();
        if self.multipart.next_field().await.map_err(|error| malformed(&error))?.is_some() {
            return Err(refused("file", "is followed by another field"));
        }
        Ok(self.hash.map(|hash| {
            let mut form = [0; 32];
            form.copy_from_slice(hash.finish().as_ref());
            form
        }))
    }
}
