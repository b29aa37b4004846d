//! Rows of a search as they come from the tables.

use model::{
    SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid,
    instance::{InstanceAttributes, PatientAttributes, SeriesAttributes, StudyAttributes},
};
use uuid::Uuid;

use super::{InstanceRow, SearchRow, SeriesRow};

pub(super) const STUDY_COLUMNS: &str = "study.id AS study, patient.patient_id, patient.issuer_of_patient_id, \
    patient.patient_name, patient.patient_birth_date, patient.patient_sex, patient.review OR study.review AS review, \
    study.study_instance_uid, study.study_date, study.study_time, study.accession_number, study.study_id, \
    study.study_description, study.referring_physician_name";

pub(super) const SERIES_COLUMNS: &str = "series.id AS series, series.series_instance_uid, series.modality, \
    series.series_number, series.series_date, series.series_time, series.series_description, \
    series.body_part_examined, series.laterality, series.protocol_name, series.manufacturer, \
    series.institution_name, series.station_name, series.performed_procedure_step_start_date, \
    series.performed_procedure_step_start_time, series.scheduled_procedure_step_id, series.requested_procedure_id";

pub(super) const INSTANCE_COLUMNS: &str = "instance.id, instance.sop_instance_uid, instance.sop_class_uid, \
    instance.transfer_syntax_uid, instance.instance_number, instance.number_of_frames, instance.rows, \
    instance.columns, instance.bits_allocated, instance.content_date, instance.content_time, \
    instance.acquisition_date, instance.acquisition_time, instance.image_type, instance.view_position";

#[derive(sqlx::FromRow)]
pub(super) struct StudyRecord {
    pub(super) study: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    patient_birth_date: String,
    patient_sex: String,
    review: bool,
    #[sqlx(try_from = "String")]
    study_instance_uid: StudyInstanceUid,
    study_date: String,
    study_time: String,
    accession_number: String,
    study_id: String,
    study_description: String,
    referring_physician_name: String,
}

#[derive(sqlx::FromRow)]
pub(super) struct SeriesRecord {
    #[sqlx(flatten)]
    pub(super) above: StudyRecord,
    pub(super) series: Uuid,
    #[sqlx(try_from = "String")]
    series_instance_uid: SeriesInstanceUid,
    modality: String,
    series_number: Option<i32>,
    series_date: String,
    series_time: String,
    series_description: String,
    body_part_examined: String,
    laterality: String,
    protocol_name: String,
    manufacturer: String,
    institution_name: String,
    station_name: String,
    performed_procedure_step_start_date: String,
    performed_procedure_step_start_time: String,
    scheduled_procedure_step_id: String,
    requested_procedure_id: String,
}

#[derive(sqlx::FromRow)]
pub(super) struct InstanceRecord {
    #[sqlx(flatten)]
    pub(super) above: SeriesRecord,
    id: Uuid,
    #[sqlx(try_from = "String")]
    sop_instance_uid: SopInstanceUid,
    #[sqlx(try_from = "String")]
    sop_class_uid: SopClassUid,
    #[sqlx(try_from = "String")]
    transfer_syntax_uid: TransferSyntaxUid,
    instance_number: Option<i32>,
    number_of_frames: Option<i32>,
    rows: Option<i32>,
    columns: Option<i32>,
    bits_allocated: Option<i32>,
    content_date: String,
    content_time: String,
    acquisition_date: String,
    acquisition_time: String,
    image_type: String,
    view_position: String,
}

/// A row, and the keys under which its counts are found.
pub(super) struct Found {
    pub(super) study: Uuid,
    pub(super) series: Option<Uuid>,
    pub(super) row: SearchRow,
}

impl From<StudyRecord> for Found {
    fn from(record: StudyRecord) -> Self {
        let patient = PatientAttributes {
            patient_id: record.patient_id,
            issuer_of_patient_id: record.issuer_of_patient_id,
            patient_name: record.patient_name,
            patient_birth_date: record.patient_birth_date,
            patient_sex: record.patient_sex,
        };
        let study = StudyAttributes {
            study_instance_uid: record.study_instance_uid,
            study_date: record.study_date,
            study_time: record.study_time,
            accession_number: record.accession_number,
            study_id: record.study_id,
            study_description: record.study_description,
            referring_physician_name: record.referring_physician_name,
        };
        let row = SearchRow {
            patient,
            study,
            review: record.review,
            number_of_study_related_series: 0,
            number_of_study_related_instances: 0,
            modalities_in_study: Vec::new(),
            series: None,
            instance: None,
        };
        Self { study: record.study, series: None, row }
    }
}

impl From<SeriesRecord> for Found {
    fn from(record: SeriesRecord) -> Self {
        let mut found = Self::from(record.above);
        let attributes = SeriesAttributes {
            series_instance_uid: record.series_instance_uid,
            modality: record.modality,
            series_number: record.series_number,
            series_date: record.series_date,
            series_time: record.series_time,
            series_description: record.series_description,
            body_part_examined: record.body_part_examined,
            laterality: record.laterality,
            protocol_name: record.protocol_name,
            manufacturer: record.manufacturer,
            institution_name: record.institution_name,
            station_name: record.station_name,
            performed_procedure_step_start_date: record.performed_procedure_step_start_date,
            performed_procedure_step_start_time: record.performed_procedure_step_start_time,
            scheduled_procedure_step_id: record.scheduled_procedure_step_id,
            requested_procedure_id: record.requested_procedure_id,
        };
        found.series = Some(record.series);
        found.row.series = Some(SeriesRow { attributes, number_of_series_related_instances: 0 });
        found
    }
}

impl From<InstanceRecord> for Found {
    fn from(record: InstanceRecord) -> Self {
        let mut found = Self::from(record.above);
        let attributes = InstanceAttributes {
            sop_instance_uid: record.sop_instance_uid,
            sop_class_uid: record.sop_class_uid,
            transfer_syntax_uid: record.transfer_syntax_uid,
            instance_number: record.instance_number,
            number_of_frames: record.number_of_frames,
            rows: record.rows,
            columns: record.columns,
            bits_allocated: record.bits_allocated,
            content_date: record.content_date,
            content_time: record.content_time,
            acquisition_date: record.acquisition_date,
            acquisition_time: record.acquisition_time,
            image_type: record.image_type,
            view_position: record.view_position,
        };
        found.row.instance = Some(InstanceRow { id: record.id, attributes });
        found
    }
}
