//! Performed procedure steps (PS3.4 Annex F): what modalities said that they do and did, beside the studies that came of it.

pub mod get_performed_step;
pub mod list_performed_steps;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use database::{DatabaseError, PerformedStepFilter, PerformedStepRow};
use model::{access::Scope, performed_step::ScheduledReference};
use serde::Serialize;
use serde_json::Value;
use service::http::problem::Problem;
use utoipa::ToSchema;

use crate::{audit, errors, policy::Caller, state::AppState};

/// Steps that are shown of the studies of a consultation.
const STEPS_MAX: u32 = 1_000;

/// A performed procedure step in short; times are as the clock of the machine showed them.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PerformedStep)]
pub struct PerformedStepBody {
    /// SOP Instance UID (0008,0018): its identity.
    #[schema(example = "1.2.826.0.1.3680043.8.498.7")]
    sop_instance_uid: String,
    /// AE title of the modality that said it.
    #[schema(example = "CR1")]
    ae_title: String,
    /// Performed Procedure Step Status (0040,0252): `IN PROGRESS`, `COMPLETED` or `DISCONTINUED`.
    #[schema(example = "COMPLETED")]
    performed_procedure_step_status: &'static str,
    /// Performed Procedure Step ID (0040,0253).
    performed_procedure_step_id: String,
    /// Performed Procedure Step Description (0040,0254).
    performed_procedure_step_description: String,
    /// Modality (0008,0060).
    #[schema(example = "DX")]
    modality: String,
    /// Patient ID (0010,0020).
    patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    issuer_of_patient_id: String,
    /// Performed Station AE Title (0040,0241).
    performed_station_ae_title: String,
    /// Performed Procedure Step Start Date (0040,0244): `YYYYMMDD`.
    performed_procedure_step_start_date: String,
    /// Performed Procedure Step Start Time (0040,0245).
    performed_procedure_step_start_time: String,
    /// Performed Procedure Step End Date (0040,0250); empty while it goes on.
    performed_procedure_step_end_date: String,
    /// Performed Procedure Step End Time (0040,0251); empty while it goes on.
    performed_procedure_step_end_time: String,
    /// Image and Fluoroscopy Area Dose Product (0018,115E), dGy·cm²; empty when it is not said.
    image_and_fluoroscopy_area_dose_product: String,
    /// What it performs: Scheduled Step Attributes Sequence (0040,0270).
    scheduled_step_attributes_sequence: Vec<ScheduledStep>,
    /// When it was said first.
    created_at: DateTime<Utc>,
    /// When it was changed last.
    updated_at: DateTime<Utc>,
}

/// What a step performs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScheduledStep {
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
    /// Accession Number (0008,0050).
    accession_number: String,
    /// Scheduled Procedure Step ID (0040,0009); empty when nothing was scheduled.
    scheduled_procedure_step_id: String,
}

impl From<ScheduledReference> for ScheduledStep {
    fn from(reference: ScheduledReference) -> Self {
        Self {
            study_instance_uid: reference.study_instance_uid.to_string(),
            accession_number: reference.accession_number,
            scheduled_procedure_step_id: reference.step_id,
        }
    }
}

/// The first value of an attribute in DICOM JSON (PS3.18 F.2), a number as it is written; empty when there is none.
fn first(attributes: &Value, tag: &str) -> String {
    match &attributes[tag]["Value"][0] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

impl PerformedStepBody {
    fn new(row: PerformedStepRow, attributes: &Value) -> Self {
        let PerformedStepRow { step, created_at, updated_at } = row;
        Self {
            sop_instance_uid: step.sop_instance_uid.to_string(),
            ae_title: step.ae_title.to_string(),
            performed_procedure_step_status: step.status.as_str(),
            performed_procedure_step_id: first(attributes, "00400253"),
            performed_procedure_step_description: first(attributes, "00400254"),
            modality: step.modality,
            patient_id: step.patient_id,
            issuer_of_patient_id: step.issuer_of_patient_id,
            performed_station_ae_title: first(attributes, "00400241"),
            performed_procedure_step_start_date: first(attributes, "00400244"),
            performed_procedure_step_start_time: first(attributes, "00400245"),
            performed_procedure_step_end_date: first(attributes, "00400250"),
            performed_procedure_step_end_time: first(attributes, "00400251"),
            image_and_fluoroscopy_area_dose_product: first(attributes, "0018115E"),
            scheduled_step_attributes_sequence: step.scheduled.into_iter().map(Into::into).collect(),
            created_at,
            updated_at,
        }
    }
}

/// In short.
///
/// # Errors
/// When what was kept is no JSON.
fn short(row: PerformedStepRow) -> Result<PerformedStepBody, DatabaseError> {
    let attributes = attributes(&row)?;
    Ok(PerformedStepBody::new(row, &attributes))
}

/// Everything that was said; the door has checked that it is DICOM JSON.
fn attributes(row: &PerformedStepRow) -> Result<Value, DatabaseError> {
    let corrupt = |_| DatabaseError::Corrupt(format!("performed step {}", row.step.sop_instance_uid));
    serde_json::from_str(&row.step.attributes).map_err(corrupt)
}

/// Steps are for those who sign in: a token that was made for a viewer, a share link or a device reads images.
async fn refuse_grants(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    if caller.principal.grant.is_none() {
        return Ok(());
    }
    audit::refused(state, caller, "read_performed_steps").await?;
    Err(Problem::forbidden())
}

/// The steps in which studies were made, by study, the newest first; of all of them the newest `STEPS_MAX`.
pub async fn steps_of<'a>(
    state: &AppState,
    scope: &Scope,
    studies: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, Vec<PerformedStepBody>>, Problem> {
    let study_instance_uids: Vec<String> = studies.map(str::to_owned).collect();
    if study_instance_uids.is_empty() {
        return Ok(HashMap::new());
    }
    let filter =
        PerformedStepFilter { study_instance_uids, limit: STEPS_MAX, ..PerformedStepFilter::default() };
    let found = state.database().performed_steps(scope, &filter, short).await.map_err(errors::database)?;
    let mut steps: HashMap<String, Vec<PerformedStepBody>> = HashMap::new();
    for step in found {
        let performed = &step.scheduled_step_attributes_sequence;
        let of: BTreeSet<&String> = performed.iter().map(|one| &one.study_instance_uid).collect();
        for study in of {
            steps.entry(study.clone()).or_default().push(step.clone());
        }
    }
    Ok(steps)
}
