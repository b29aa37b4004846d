//! `POST /xrays`: an X-ray, or a picture of one, with what people say of it.

use std::time::Duration;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use database::{LinkOutcome, Origin, StoreOutcome, StoredInstance, XrayMetadata as KeptMetadata};
use model::{
    SeriesInstanceUid, SopInstanceUid, StudyInstanceUid,
    access::{Action, Extent, Scope},
    clinical::Consultation,
};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    upload::{Capture, Received, Upload, XrayForm, XrayMetadata, data_set, read_picture},
    view::XrayLinks,
};
use crate::{
    audit_watch::is_recorded,
    consultations::create_consultation::{PATIENT_NAME_LENGTH_MAX, REASON_LENGTH_MAX},
    errors,
    input::check::Checks,
    location::at,
    policy::{Permit, UploadXray},
    state::AppState,
};
use archive::{ExpectedPatient, Form, Stored};

/// Longest wait until a picture is decoded.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest code string and longest name of a paramedic in characters (PS3.5 6.2, CS and PN).
const CODE_LENGTH_MAX: usize = 16;
const NAME_LENGTH_MAX: usize = 64;

/// An X-ray that was stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadedXray {
    /// Identity.
    id: Uuid,
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
    /// SOP Instance UID (0008,0018).
    sop_instance_uid: String,
    /// Whether it is linked to the consultation now; false when it is of another patient, and then nothing that is said
    /// of it names the consultation.
    linked: bool,
    /// What was read leniently.
    warnings: Vec<String>,
    /// Where its representations are.
    links: XrayLinks,
}

/// Upload an X-ray
///
/// DICOM is stored as it is; what a doctor uploads has to be of the consultation's patient. A JPEG, a PNG or a TIFF becomes a
/// Secondary Capture instance: turned the right way up as its Exif says, which is not kept, so that nothing tells where it
/// was taken.
#[utoipa::path(
    post,
    path = "/xrays",
    tag = "xrays",
    security(("bearer" = ["upload_xray"])),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Stored", body = UploadedXray,
         headers(("Location" = String, description = "Where the X-ray is"))),
        (status = 200, description = "It was stored already; what is said of it is kept where the X-ray is the caller's",
         body = UploadedXray),
        (status = 404, description = "The consultation is not there, or not yours", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "Another content is stored under this SOP Instance UID",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_xray(
    State(state): State<AppState>,
    permit: Permit<UploadXray>,
    XrayForm(received): XrayForm,
) -> Result<Response, Problem> {
    let consultation = match consultation(&state, &permit, &received).await {
        Ok(consultation) => consultation,
        Err(refused) => return Err(received.passed_over(refused).await),
    };
    let metadata = kept(&received.metadata);
    let stored = if received.is_dicom() {
        store_dicom(&state, &permit, received, consultation.as_ref()).await?
    } else {
        store_picture(&state, &permit, received, consultation.as_ref()).await?
    };
    is_recorded();
    let (id, status) = match stored.outcome {
        StoreOutcome::Stored { id } => (id, StatusCode::CREATED),
        StoreOutcome::Duplicate { id } => (id, StatusCode::OK),
        StoreOutcome::Conflict { .. } => {
            let detail =
                "another X-ray has its SOP Instance UID; this one is kept, hidden, for an administrator";
            return Err(Problem::conflict(detail).kind("instance-conflict"));
        }
    };
    let linked = link(&state, &permit, consultation.as_ref(), &stored).await?;
    let metadata = KeptMetadata { consultation_id: metadata.consultation_id.filter(|_| linked), ..metadata };
    // What was there already may be somebody else's: of that is said what the caller may say later, too.
    let own = if status == StatusCode::CREATED { &Scope::internal() } else { &permit.scope };
    keep_metadata(&state, &permit, (own, id), metadata).await?;
    let body = UploadedXray {
        id,
        study_instance_uid: stored.study_instance_uid.into(),
        sop_instance_uid: stored.sop_instance_uid.into(),
        linked,
        warnings: stored.warnings,
        links: XrayLinks::to(id),
    };
    let location = format!("/xrays/{id}");
    Ok(at(&location, (status, Json(body)).into_response()))
}

fn check(received: &Received, scope: &Scope) -> Result<(), Problem> {
    let mut checks = Checks::new();
    let metadata = &received.metadata;
    let picture = received.is_picture();
    checks.require(received.is_dicom() || picture, "file", "is neither DICOM, JPEG, PNG nor TIFF");
    let named = metadata.consultation_id.is_some() || !metadata.patient_id.trim().is_empty();
    checks.require(named || !picture, "patient_id", "is needed for a picture without a consultation");
    let of_doctor = matches!(scope.extent(), Extent::Doctor { .. });
    checks.require(!of_doctor || metadata.consultation_id.is_some(), "consultation_id", "is needed");
    checks.patient_id("patient_id", &metadata.patient_id);
    checks.patient_id("issuer_of_patient_id", &metadata.issuer_of_patient_id);
    checks.line("patient_name", &metadata.patient_name, PATIENT_NAME_LENGTH_MAX);
    check_said(&mut checks, &kept(metadata));
    checks.finish()
}

/// What can be said of an X-ray, at its upload and later.
pub fn check_said(checks: &mut Checks, said: &KeptMetadata) {
    checks.time("captured_at", said.captured_at);
    checks.line("paramedic", &said.paramedic, NAME_LENGTH_MAX);
    checks.require(!said.paramedic.contains('\\'), "paramedic", "holds a backslash");
    for (field, value) in [("body_part", &said.body_part), ("view", &said.view_position)] {
        let code = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b' ' | b'_');
        let fits = value.len() <= CODE_LENGTH_MAX && value.bytes().all(code) && value.trim() == value;
        checks.require(fits, field, "is no code of at most 16 capital letters, digits, spaces and _");
    }
    let side = matches!(said.laterality.as_str(), "" | "L" | "R" | "B" | "U");
    checks.require(side, "laterality", "is one of L, R, B, U");
    checks.text("notes", &said.notes, REASON_LENGTH_MAX);
}

fn kept(metadata: &XrayMetadata) -> KeptMetadata {
    KeptMetadata {
        consultation_id: metadata.consultation_id,
        captured_at: metadata.captured_at,
        paramedic: metadata.paramedic.clone(),
        body_part: metadata.body_part.clone(),
        view_position: metadata.view.clone(),
        laterality: metadata.laterality.clone(),
        notes: metadata.notes.clone(),
        version: 0,
    }
}

/// The consultation that it is for: one that is in reach and not over. What is said of the X-ray is checked before.
async fn consultation(
    state: &AppState,
    permit: &Permit<UploadXray>,
    received: &Received,
) -> Result<Option<Consultation>, Problem> {
    check(received, &permit.scope)?;
    let Some(id) = received.metadata.consultation_id else { return Ok(None) };
    let scope = permit.caller.principal.authorize(Action::LinkStudy).map_err(|_| Problem::forbidden())?;
    let found = state.database().consultation(&scope, id).await.map_err(errors::database)?;
    let found = found.ok_or_else(Problem::not_found)?;
    if found.status.is_over() {
        return Err(Problem::conflict("the consultation is over").kind("consultation-ended"));
    }
    Ok(Some(found))
}

fn origin(permit: &Permit<UploadXray>) -> Origin {
    Origin {
        door: "rest",
        calling_ae: None,
        called_ae: None,
        user_id: Some(permit.caller.principal.user_id),
        own_studies_only: !permit.scope.is_everything(),
        source_address: permit.caller.source_address.clone(),
        request_id: permit.caller.request_id.clone(),
    }
}

async fn store_dicom(
    state: &AppState,
    permit: &Permit<UploadXray>,
    mut received: Received,
    consultation: Option<&Consultation>,
) -> Result<Stored, Problem> {
    let mut writer = state.archive.store_instance(origin(permit), Form::Part10 { expected_study: None });
    // A doctor adds to the own consultation's patient alone; whoever made the X-ray may have mistaken the consultation.
    if let (Some(of), Extent::Doctor { .. }) = (consultation, permit.scope.extent()) {
        let (patient_id, issuer_of_patient_id) = (of.patient_id.clone(), of.issuer_of_patient_id.clone());
        writer = writer.of_patient(ExpectedPatient { patient_id, issuer_of_patient_id });
    }
    while let Some(bytes) = received.next().await? {
        if let Err(error) = writer.write(bytes).await {
            return Err(received.passed_over(errors::store(&error)).await);
        }
    }
    // Before the commit: of a form that was cut off nothing is stored.
    received.end().await?;
    writer.commit().await.map_err(|error| errors::store(&error))
}

async fn store_picture(
    state: &AppState,
    permit: &Permit<UploadXray>,
    received: Received,
    consultation: Option<&Consultation>,
) -> Result<Stored, Problem> {
    let now = state.clock.now();
    let metadata = &received.metadata;
    let (patient_id, issuer, name) = match consultation {
        Some(of) => (&of.patient_id, &of.issuer_of_patient_id, &of.patient_name),
        None => (&metadata.patient_id, &metadata.issuer_of_patient_id, &metadata.patient_name),
    };
    let of = Capture {
        study: StudyInstanceUid::from_uuid(Uuid::now_v7()),
        series: SeriesInstanceUid::from_uuid(Uuid::now_v7()),
        sop: SopInstanceUid::from_uuid(Uuid::now_v7()),
        patient_id: patient_id.clone(),
        issuer_of_patient_id: issuer.clone(),
        patient_name: name.replace('\\', " "),
        captured_at: metadata.captured_at.unwrap_or(now),
        stored_at: now,
        operator: metadata.paramedic.clone(),
        body_part: metadata.body_part.clone(),
        view: metadata.view.clone(),
        laterality: metadata.laterality.clone(),
        study_description: "Uploaded picture".to_owned(),
    };
    let file = received.whole(state.config.picture_length_max_bytes).await?;
    // Kept until it is stored: the data set is as long as the pixels.
    let turn = tokio::time::timeout(TURN_TIMEOUT, state.picture_decodes.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::unavailable("too many pictures at the same time"));
    };
    let picture = read_picture(state.converter.decoder(), file).await.map_err(|why| {
        let mut checks = Checks::new();
        checks.refuse("file", why);
        checks.finish().err().unwrap_or_else(Problem::unprocessable)
    })?;
    let (transfer_syntax, bytes) = data_set(&of, &picture);
    drop(picture);
    let form = Form::DataSet { transfer_syntax, expected: None };
    let mut writer = state.archive.store_instance(origin(permit), form);
    writer.write(bytes.into()).await.map_err(|error| errors::store(&error))?;
    writer.commit().await.map_err(|error| errors::store(&error))
}

/// A picture is its consultation's patient's; a DICOM file may be another's, and is not linked then.
async fn link(
    state: &AppState,
    permit: &Permit<UploadXray>,
    consultation: Option<&Consultation>,
    stored: &Stored,
) -> Result<bool, Problem> {
    let Some(consultation) = consultation else { return Ok(false) };
    let scope = permit.caller.principal.authorize(Action::LinkStudy).map_err(|_| Problem::forbidden())?;
    let actor = permit.caller.actor();
    let linked =
        state.database().link_study(&scope, consultation.id, &stored.study_instance_uid, &actor).await;
    Ok(match linked.map_err(errors::database)? {
        LinkOutcome::Linked | LinkOutcome::AlreadyLinked => true,
        LinkOutcome::ConsultationNotFound | LinkOutcome::StudyNotFound | LinkOutcome::PatientDiffers => false,
    })
}

async fn keep_metadata(
    state: &AppState,
    permit: &Permit<UploadXray>,
    (scope, id): (&Scope, Uuid),
    metadata: KeptMetadata,
) -> Result<(), Problem> {
    let found = state.database().instance_by_id(scope, id).await.map_err(errors::database)?;
    let Some(stored): Option<StoredInstance> = found else { return Ok(()) };
    let version = state.database().xray_metadata(id).await.map_err(errors::database)?.version;
    if version > 0 {
        // Sent again: what was said first, or changed since, stays.
        return Ok(());
    }
    let written = state.database().write_xray_metadata(&stored, &metadata, &permit.caller.actor()).await;
    written.map(drop).map_err(errors::database)
}
