//! From a form to a stored instance: DICOM as it is, a picture as a Secondary Capture instance.
//!
//! What a form with an Idempotency-Key is made into depends on its claim alone, UIDs and times too. So an attempt finds what an earlier
//! one stored, of which nothing else may have been heard.

use std::time::Duration;

use archive::{ExpectedPatient, Form, StoreError, Stored};
use chrono::{DateTime, Utc};
use database::{ClaimedForm, Origin, StoreOutcome};
use model::{
    SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid,
    access::{Extent, Scope},
    clinical::Consultation,
};
use service::http::problem::Problem;
use uuid::{Builder, Uuid};

use super::upload::{Capture, Received, XrayMetadata, data_set, read_picture};
use crate::{
    errors,
    idempotency::claim_form,
    input::check::Checks,
    policy::{Permit, UploadXray},
    state::AppState,
};

/// Longest wait until a picture is decoded.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// What became of the file of a form.
pub struct StoredUpload {
    pub stored: Stored,
    /// The claim of the form, when it came with an Idempotency-Key.
    pub form: Option<ClaimedForm>,
}

impl StoredUpload {
    /// The X-ray, and whether this attempt stored it; `None` when it is hidden.
    pub fn id(&self) -> Option<(Uuid, bool)> {
        match self.stored.outcome {
            StoreOutcome::Stored { id } => Some((id, true)),
            StoreOutcome::Duplicate { id } => Some((id, false)),
            StoreOutcome::Conflict { .. } => None,
        }
    }

    /// Whether it may be that an earlier attempt at the same form stored what came to be there then.
    pub fn is_of_earlier_attempt(&self, stored_at: DateTime<Utc>) -> bool {
        self.form.as_ref().is_some_and(|form| form.again && stored_at >= form.came_at)
    }

    /// Whether an earlier attempt did all that the form asks for.
    pub fn is_applied(&self) -> bool {
        self.form.as_ref().is_some_and(|form| form.applied)
    }
}

/// Stores the file of a form that was checked.
pub async fn store_upload(
    state: &AppState,
    permit: &Permit<UploadXray>,
    received: Received,
    consultation: Option<&Consultation>,
) -> Result<StoredUpload, Problem> {
    if received.is_dicom() {
        store_dicom(state, permit, received, consultation).await
    } else {
        store_picture(state, permit, received, consultation).await
    }
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
) -> Result<StoredUpload, Problem> {
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
    let form = claimed(state, permit, received.end().await?).await?;
    let committed = writer.commit().await;
    concluded(state, form, committed).await
}

async fn store_picture(
    state: &AppState,
    permit: &Permit<UploadXray>,
    received: Received,
    consultation: Option<&Consultation>,
) -> Result<StoredUpload, Problem> {
    let said_at = received.metadata.captured_at;
    let mut of = capture(&received.metadata, consultation, state.clock.now());
    let (file, form_sha256) = received.whole(state.config.picture_length_max_bytes).await?;
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
    // No sooner: what is no picture may come again in order.
    let form = claimed(state, permit, form_sha256).await?;
    if let Some(form) = &form {
        of.study = StudyInstanceUid::from_uuid(uuid_of(state, form, "study"));
        of.series = SeriesInstanceUid::from_uuid(uuid_of(state, form, "series"));
        of.sop = SopInstanceUid::from_uuid(uuid_of(state, form, "instance"));
        of.stored_at = form.came_at;
        of.captured_at = said_at.unwrap_or(form.came_at);
    }
    if let Some(stored) = stored_before(state, &of, form.as_ref()).await? {
        return Ok(StoredUpload { stored, form });
    }
    let (transfer_syntax, bytes) = data_set(&of, &picture);
    drop(picture);
    let committed = store_data_set(state, permit, transfer_syntax, bytes).await;
    concluded(state, form, committed).await
}

/// What a picture's data set says of it, with UIDs that were never used.
fn capture(metadata: &XrayMetadata, consultation: Option<&Consultation>, now: DateTime<Utc>) -> Capture {
    let (patient_id, issuer, name) = match consultation {
        Some(of) => (&of.patient_id, &of.issuer_of_patient_id, &of.patient_name),
        None => (&metadata.patient_id, &metadata.issuer_of_patient_id, &metadata.patient_name),
    };
    Capture {
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
    }
}

/// RFC 9562 5.8: the same for each attempt of the same sender at the same form under the same key, and for nothing else. A key that is
/// used again when it is forgotten is another one: its form came at another time.
fn uuid_of(state: &AppState, form: &ClaimedForm, what: &str) -> Uuid {
    let (user, key, came_at) = (form.user_id, &form.key, form.came_at.timestamp_micros());
    let name = format!("{what} of an upload\n{user}\n{key}\n{came_at}\n");
    let hash = state.doctor_keys.fingerprint_of(&[name.as_bytes(), form.form_hmac.as_slice()].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

async fn claimed(
    state: &AppState,
    permit: &Permit<UploadXray>,
    form_sha256: Option<[u8; 32]>,
) -> Result<Option<ClaimedForm>, Problem> {
    match permit.caller.claim.zip(form_sha256) {
        Some((claim, form_sha256)) => claim_form(state, claim, &form_sha256).await.map(Some),
        None => Ok(None),
    }
}

/// What an earlier attempt made of the picture. Known by its UID, for its content may differ: the consultation's patient may have got another
/// name since.
async fn stored_before(
    state: &AppState,
    of: &Capture,
    form: Option<&ClaimedForm>,
) -> Result<Option<Stored>, Problem> {
    if form.is_none_or(|form| !form.again) {
        return Ok(None);
    }
    let found = state.database().instances(&Scope::internal(), &of.study, None, Some(&of.sop)).await;
    Ok(found.map_err(errors::database)?.into_iter().next().map(|instance| Stored {
        outcome: StoreOutcome::Duplicate { id: instance.id },
        study_instance_uid: instance.study_instance_uid,
        series_instance_uid: instance.series_instance_uid,
        sop_instance_uid: instance.sop_instance_uid,
        sop_class_uid: instance.sop_class_uid,
        warnings: Vec::new(),
    }))
}

async fn store_data_set(
    state: &AppState,
    permit: &Permit<UploadXray>,
    transfer_syntax: TransferSyntaxUid,
    bytes: Vec<u8>,
) -> Result<Stored, StoreError> {
    let form = Form::DataSet { transfer_syntax, expected: None };
    let mut writer = state.archive.store_instance(origin(permit), form);
    writer.write(bytes.into()).await?;
    writer.commit().await
}

async fn concluded(
    state: &AppState,
    form: Option<ClaimedForm>,
    committed: Result<Stored, StoreError>,
) -> Result<StoredUpload, Problem> {
    let error = match committed {
        Ok(stored) => return Ok(StoredUpload { stored, form }),
        Err(error) => error,
    };
    // Nothing of what is refused is stored: the key may come with what is in order.
    if let Some(form) = form.filter(|form| !form.again && !error.is_transient()) {
        state.database().forget_form(form.claim).await.map_err(errors::database)?;
    }
    Err(errors::store(&error))
}
