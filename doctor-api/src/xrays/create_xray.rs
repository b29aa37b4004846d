//! `POST /xrays`: an X-ray, or a picture of one, with what people say of it.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use database::{FormOfXray, StoredInstance, XrayMetadata as KeptMetadata};
use model::{
    StudyInstanceUid,
    access::{Action, Extent, Scope},
    clinical::Consultation,
};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    store_upload::{StoredUpload, store_upload},
    upload::{Received, Upload, XrayForm, XrayMetadata},
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
///
/// With an `Idempotency-Key` it is stored once however often the form comes, also when an attempt broke off, and what is left to do of the
/// form is done by the next one. Forms are the same when their fields and the content of their files are: with another one the key is
/// refused (422, `idempotency-key-reused`).
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
    let said = kept(&received.metadata);
    let upload = store_upload(&state, &permit, received, consultation.as_ref()).await?;
    is_recorded();
    let (id, is_new) = upload.id().ok_or_else(in_conflict)?;
    let found = state.database().instance_by_id(&Scope::internal(), id).await.map_err(errors::database)?;
    if found.is_none() && !is_new {
        // It was in conflict when it came first, and is hidden.
        return Err(in_conflict());
    }
    let earlier = found.as_ref().is_some_and(|xray| upload.is_of_earlier_attempt(xray.stored_at));
    let linked = if upload.is_applied() {
        is_linked(&state, &permit, consultation.as_ref(), &upload.stored.study_instance_uid).await?
    } else {
        let xray = if is_new { found } else { describable(&state, &permit, found, earlier).await? };
        keep(&state, &permit, consultation.as_ref(), &upload, xray.as_ref().map(|xray| (xray, &said))).await?
    };
    let status = if is_new || earlier { StatusCode::CREATED } else { StatusCode::OK };
    let StoredUpload { stored, .. } = upload;
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

fn in_conflict() -> Problem {
    let detail = "another X-ray has its SOP Instance UID; this one is kept, hidden, for an administrator";
    Problem::conflict(detail).kind("instance-conflict")
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

/// What was there already may be somebody else's: of that is said what the caller may say later, too. What an earlier attempt stored is
/// in a study that the caller began.
async fn describable(
    state: &AppState,
    permit: &Permit<UploadXray>,
    found: Option<StoredInstance>,
    earlier: bool,
) -> Result<Option<StoredInstance>, Problem> {
    let Some(xray) = found else { return Ok(None) };
    let (database, user) = (state.database(), permit.caller.principal.user_id);
    let own = earlier
        && database.is_study_begun_by(&xray.study_instance_uid, user).await.map_err(errors::database)?;
    if own {
        return Ok(Some(xray));
    }
    database.instance_by_id(&permit.scope, xray.id).await.map_err(errors::database)
}

/// Links it and keeps what is said of it, both or neither. A picture is its consultation's patient's; a DICOM file may be another's, and is
/// not linked then.
async fn keep(
    state: &AppState,
    permit: &Permit<UploadXray>,
    consultation: Option<&Consultation>,
    upload: &StoredUpload,
    said: Option<(&StoredInstance, &KeptMetadata)>,
) -> Result<bool, Problem> {
    let scope = linking_scope(permit, consultation)?;
    let consultation = scope.as_ref().zip(consultation.map(|consultation| consultation.id));
    let study_instance_uid = &upload.stored.study_instance_uid;
    let form = FormOfXray { study_instance_uid, consultation, said };
    let kept = state.database().keep_form_of_xray(form, &permit.caller.actor()).await;
    kept.map_err(errors::database)
}

/// Whether it is linked still, when an earlier attempt has seen to it.
async fn is_linked(
    state: &AppState,
    permit: &Permit<UploadXray>,
    consultation: Option<&Consultation>,
    study: &StudyInstanceUid,
) -> Result<bool, Problem> {
    let (Some(scope), Some(of)) = (linking_scope(permit, consultation)?, consultation) else {
        return Ok(false);
    };
    let links = state.database().linked_studies(&scope, of.id).await.map_err(errors::database)?;
    Ok(links.iter().any(|link| link.study.study.study_instance_uid == *study))
}

/// For an X-ray with a consultation.
fn linking_scope(
    permit: &Permit<UploadXray>,
    consultation: Option<&Consultation>,
) -> Result<Option<Scope>, Problem> {
    let scope = consultation.map(|_| permit.caller.principal.authorize(Action::LinkStudy));
    scope.transpose().map_err(|_| Problem::forbidden())
}
