//! Rows of the two tables, and what they say.

use chrono::{DateTime, Utc};
use model::{
    AeTitle, StudyInstanceUid,
    worklist::{ScheduledProcedureStep, StepStatus, WorklistItem, WorklistOrder},
};
use uuid::Uuid;

use crate::DatabaseError;

/// Columns of an [`ItemRow`], of the table under the name `i`.
pub(super) const ITEM_COLUMNS: &str = "i.id, i.study_instance_uid, i.accession_number, i.requested_procedure_id, \
    i.requested_procedure_description, i.requesting_physician, i.referring_physician_name, i.patient_id, \
    i.issuer_of_patient_id, i.patient_name, i.patient_birth_date, i.patient_sex, i.consultation_id, i.version, \
    i.created_by, i.created_at, i.updated_at";
/// Columns of a [`StepRow`], of the table under the name `s`.
pub(super) const STEP_COLUMNS: &str = "s.item, s.number, s.step_id, s.station_ae_title, s.station_name, s.location, \
    s.modality, s.start_date, s.start_time, s.performing_physician_name, s.description, s.status";

#[derive(sqlx::FromRow)]
pub(super) struct ItemRow {
    pub(super) id: Uuid,
    study_instance_uid: String,
    accession_number: String,
    requested_procedure_id: String,
    requested_procedure_description: String,
    requesting_physician: String,
    referring_physician_name: String,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    patient_birth_date: String,
    patient_sex: String,
    consultation_id: Option<Uuid>,
    version: i64,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ItemRow {
    pub(super) fn with_steps(self, steps: Vec<StepRow>) -> Result<WorklistItem, DatabaseError> {
        let corrupt = || DatabaseError::Corrupt(format!("worklist item {}", self.id));
        let steps = steps.into_iter().map(StepRow::step).collect::<Result<_, DatabaseError>>()?;
        Ok(WorklistItem {
            id: self.id,
            order: WorklistOrder {
                study_instance_uid: StudyInstanceUid::parse(&self.study_instance_uid)
                    .map_err(|_| corrupt())?,
                accession_number: self.accession_number,
                requested_procedure_id: self.requested_procedure_id,
                requested_procedure_description: self.requested_procedure_description,
                requesting_physician: self.requesting_physician,
                referring_physician_name: self.referring_physician_name,
                patient_id: self.patient_id,
                issuer_of_patient_id: self.issuer_of_patient_id,
                patient_name: self.patient_name,
                patient_birth_date: self.patient_birth_date,
                patient_sex: self.patient_sex,
                consultation_id: self.consultation_id,
                steps,
            },
            version: self.version,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct StepRow {
    pub(super) item: Uuid,
    pub(super) number: i32,
    step_id: String,
    station_ae_title: String,
    station_name: String,
    location: String,
    modality: String,
    pub(super) start_date: String,
    pub(super) start_time: String,
    performing_physician_name: String,
    description: String,
    status: String,
}

impl StepRow {
    pub(super) fn step(self) -> Result<ScheduledProcedureStep, DatabaseError> {
        let corrupt =
            || DatabaseError::Corrupt(format!("step {} of worklist item {}", self.number, self.item));
        Ok(ScheduledProcedureStep {
            step_id: self.step_id,
            station_ae_title: AeTitle::parse(&self.station_ae_title).map_err(|_| corrupt())?,
            station_name: self.station_name,
            location: self.location,
            modality: self.modality,
            start_date: self.start_date,
            start_time: self.start_time,
            performing_physician_name: self.performing_physician_name,
            description: self.description,
            status: StepStatus::parse(&self.status).ok_or_else(corrupt)?,
        })
    }
}
