//! From an [`NewInstance`] to rows: folding, cutting and packing, done by the caller and not by the one writer.

use std::sync::Arc;

use model::instance::{InstanceHeader, PatientAttributes, SeriesAttributes, StudyAttributes};
use serde_json::Value;
use uuid::Uuid;

use super::{ConflictPolicy, NewInstance};
use crate::{
    AuditActor, DatabaseError,
    header::pack,
    statement::{bytes_value, uuid_value},
    text::{INDEX_TEXT_MAX_BYTES, index_fold, index_fold_person_name, index_text},
};

/// Above this a header is packed on a thread that may block.
const PACK_INLINE_MAX_BYTES: usize = 256 << 10;

/// Whose instance it is, as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Demographics {
    pub(crate) patient_id: String,
    pub(crate) issuer_of_patient_id: String,
    pub(crate) patient_name_folded: String,
    pub(crate) patient_birth_date: String,
    pub(crate) patient_sex: String,
}

/// An instance ready to be written.
pub(crate) struct Prepared {
    pub(super) id: Uuid,
    pub(super) object_key: Uuid,
    pub(super) data_set_sha256: [u8; 32],
    pub(super) conflict_policy: ConflictPolicy,
    pub(super) study_instance_uid: String,
    pub(super) series_instance_uid: String,
    pub(super) sop_instance_uid: String,
    pub(super) accession_number: String,
    pub(super) modality: String,
    pub(super) scheduled_procedure_step_id: String,
    pub(super) patient_key_id: Uuid,
    pub(super) demographics: Demographics,
    /// Too long to be compared: the study gets a patient of its own.
    pub(super) patient_id_too_long: bool,
    /// Values of the tables' columns, without the keys that only the writer knows.
    pub(super) patient: Vec<Value>,
    pub(super) study: Vec<Value>,
    pub(super) series: Vec<Value>,
    pub(super) instance: Vec<Value>,
    pub(super) header: Vec<Value>,
    pub(super) has_pixel_data: bool,
    pub(super) actor: AuditActor,
    pub(super) door: &'static str,
    /// May add to studies of the same account, and to no others.
    pub(super) own_studies_only: bool,
}

impl Prepared {
    /// About how much of a statement it fills.
    pub(super) fn weight_bytes(&self) -> usize {
        self.header.iter().filter_map(Value::as_str).map(str::len).sum()
    }
}

/// Makes the rows.
pub(super) async fn prepare(new: Arc<NewInstance>) -> Result<Prepared, DatabaseError> {
    if new.header.json.len() <= PACK_INLINE_MAX_BYTES {
        return prepare_now(&new);
    }
    tokio::task::spawn_blocking(move || prepare_now(&new))
        .await
        .map_err(|_| DatabaseError::Corrupt("a header could not be packed".to_owned()))?
}

fn prepare_now(new: &NewInstance) -> Result<Prepared, DatabaseError> {
    let InstanceHeader { patient, study, series, .. } = &new.header;
    let (dicom_json, layout) = pack(&new.header)?;
    let demographics = demographics(patient);
    let too_long = |text: &str| text.len() > INDEX_TEXT_MAX_BYTES;
    Ok(Prepared {
        id: new.id,
        object_key: new.object_key,
        data_set_sha256: new.data_set_sha256,
        conflict_policy: new.conflict_policy,
        study_instance_uid: study.study_instance_uid.to_string(),
        series_instance_uid: series.series_instance_uid.to_string(),
        sop_instance_uid: new.header.instance.sop_instance_uid.to_string(),
        accession_number: index_text(&study.accession_number),
        modality: index_text(&series.modality),
        scheduled_procedure_step_id: index_text(&series.scheduled_procedure_step_id),
        patient_key_id: new.patient_key_id,
        patient_id_too_long: too_long(&patient.patient_id) || too_long(&patient.issuer_of_patient_id),
        patient: patient_values(patient, &demographics),
        demographics,
        study: study_values(study, new.origin.user_id),
        series: series_values(series),
        instance: instance_values(new),
        header: vec![uuid_value(new.id), bytes_value(&dicom_json), bytes_value(&layout)],
        has_pixel_data: new.header.pixel_module.is_some(),
        actor: new.origin.actor(),
        door: new.origin.door,
        own_studies_only: new.origin.own_studies_only,
    })
}

pub(crate) fn demographics(patient: &PatientAttributes) -> Demographics {
    Demographics {
        patient_id: index_text(&patient.patient_id),
        issuer_of_patient_id: index_text(&patient.issuer_of_patient_id),
        patient_name_folded: index_fold_person_name(&patient.patient_name),
        patient_birth_date: index_text(&patient.patient_birth_date),
        patient_sex: index_text(&patient.patient_sex),
    }
}

fn text(value: &str) -> Value {
    Value::from(index_text(value))
}

fn folded(value: &str) -> Value {
    Value::from(index_fold(value))
}

fn patient_values(patient: &PatientAttributes, demographics: &Demographics) -> Vec<Value> {
    vec![
        text(&patient.patient_id),
        folded(&patient.patient_id),
        text(&patient.issuer_of_patient_id),
        folded(&patient.issuer_of_patient_id),
        text(&patient.patient_name),
        Value::from(demographics.patient_name_folded.as_str()),
        text(&patient.patient_birth_date),
        text(&patient.patient_sex),
    ]
}

fn study_values(study: &StudyAttributes, uploaded_by: Option<Uuid>) -> Vec<Value> {
    vec![
        Value::from(study.study_instance_uid.as_str()),
        text(&study.study_date),
        text(&study.study_time),
        text(&study.accession_number),
        folded(&study.accession_number),
        text(&study.study_id),
        folded(&study.study_id),
        text(&study.study_description),
        folded(&study.study_description),
        text(&study.referring_physician_name),
        Value::from(index_fold_person_name(&study.referring_physician_name)),
        uploaded_by.map_or(Value::Null, uuid_value),
    ]
}

fn series_values(series: &SeriesAttributes) -> Vec<Value> {
    vec![
        Value::from(series.series_instance_uid.as_str()),
        text(&series.modality),
        Value::from(series.series_number),
        text(&series.series_date),
        text(&series.series_time),
        text(&series.series_description),
        folded(&series.series_description),
        text(&series.body_part_examined),
        text(&series.laterality),
        text(&series.protocol_name),
        folded(&series.protocol_name),
        text(&series.manufacturer),
        folded(&series.manufacturer),
        text(&series.institution_name),
        folded(&series.institution_name),
        text(&series.station_name),
        folded(&series.station_name),
        text(&series.performed_procedure_step_start_date),
        text(&series.performed_procedure_step_start_time),
        text(&series.scheduled_procedure_step_id),
        folded(&series.scheduled_procedure_step_id),
        text(&series.requested_procedure_id),
        folded(&series.requested_procedure_id),
    ]
}

fn instance_values(new: &NewInstance) -> Vec<Value> {
    let instance = &new.header.instance;
    vec![
        uuid_value(new.id),
        Value::from(instance.sop_instance_uid.as_str()),
        Value::from(instance.sop_class_uid.as_str()),
        Value::from(instance.transfer_syntax_uid.as_str()),
        Value::from(instance.instance_number),
        Value::from(instance.number_of_frames),
        Value::from(instance.rows),
        Value::from(instance.columns),
        Value::from(instance.bits_allocated),
        text(&instance.content_date),
        text(&instance.content_time),
        text(&instance.acquisition_date),
        text(&instance.acquisition_time),
        text(&instance.image_type),
        text(&instance.view_position),
        uuid_value(new.object_key),
        bytes_value(&new.object_seal),
        Value::from(new.object_length_bytes),
        Value::from(new.data_set_offset),
        Value::from(new.data_set_length_bytes),
        bytes_value(&new.data_set_sha256),
    ]
}
