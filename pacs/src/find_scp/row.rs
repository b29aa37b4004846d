//! PS3.4 C.4.1.1.3.2 and C.6: what a response says of something that was found.

use database::{InstanceRow, PatientRow, SearchRow, SeriesRow};
use dicom_header::VR;
use model::{
    AeTitle,
    instance::{InstanceAttributes, PatientAttributes, SeriesAttributes, StudyAttributes},
};

use super::query::{NOT_MATCHED, REQUEST_ATTRIBUTES_SEQUENCE};
use crate::query_retrieve::{
    data_set::DataSet,
    identifier::Identifier,
    information_model::{QUERY_RETRIEVE_LEVEL, QueryLevel},
};

const RETRIEVE_AE_TITLE: u32 = 0x0008_0054;
const INSTANCE_AVAILABILITY: u32 = 0x0008_0056;
const SCHEDULED_PROCEDURE_STEP_ID: u32 = 0x0040_0009;
const REQUESTED_PROCEDURE_ID: u32 = 0x0040_1001;

/// Everything that is known of a patient.
pub fn of_patient(found: &PatientRow) -> DataSet {
    let mut row = DataSet::default();
    add_patient(&mut row, &found.attributes);
    row.integer(0x0020_1200, Some(found.number_of_patient_related_studies))
        .integer(0x0020_1202, Some(found.number_of_patient_related_series))
        .integer(0x0020_1204, Some(found.number_of_patient_related_instances));
    row
}

/// Everything that is known of a study, series or instance, with the levels above it.
pub fn of(found: &SearchRow) -> DataSet {
    let mut row = DataSet::default();
    add_patient(&mut row, &found.patient);
    add_study(&mut row, &found.study);
    row.text(0x0008_0061, VR::CS, &found.modalities_in_study.join("\\"))
        .integer(0x0020_1206, Some(found.number_of_study_related_series))
        .integer(0x0020_1208, Some(found.number_of_study_related_instances));
    if let Some(series) = &found.series {
        add_series(&mut row, series);
    }
    if let Some(InstanceRow { attributes, .. }) = &found.instance {
        add_instance(&mut row, attributes);
    }
    row
}

/// Leaves what was asked for, and adds what every response has: the level, its unique key, and where it can be
/// retrieved from. False when something was asked for that is not known here.
pub fn select(row: &mut DataSet, level: QueryLevel, our_title: &AeTitle, identifier: &Identifier) -> bool {
    row.text(INSTANCE_AVAILABILITY, VR::CS, "ONLINE");
    let asked = &identifier.keys;
    let mut supported = asked.keys().all(|tag| NOT_MATCHED.contains(tag) || row.has(*tag));
    row.retain(|tag| asked.contains_key(&tag) || tag == level.unique_key());
    if let (Some(key), Some(items)) =
        (asked.get(&REQUEST_ATTRIBUTES_SEQUENCE), row.items_mut(REQUEST_ATTRIBUTES_SEQUENCE))
    {
        // A sequence without keys in it is asked for whole (PS3.4 C.2.2.2.6).
        let wanted = &key.item;
        // Said of a series without such an item, too: what is known does not depend on what was found.
        supported &=
            wanted.keys().all(|tag| [SCHEDULED_PROCEDURE_STEP_ID, REQUESTED_PROCEDURE_ID].contains(tag));
        for item in items {
            item.retain(|tag| wanted.is_empty() || wanted.contains_key(&tag));
        }
    }
    row.text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str()).text(
        RETRIEVE_AE_TITLE,
        VR::AE,
        our_title.as_str(),
    );
    supported
}

fn add_patient(row: &mut DataSet, patient: &PatientAttributes) {
    row.text(0x0010_0010, VR::PN, &patient.patient_name)
        .text(0x0010_0020, VR::LO, &patient.patient_id)
        .text(0x0010_0021, VR::LO, &patient.issuer_of_patient_id)
        .text(0x0010_0030, VR::DA, &patient.patient_birth_date)
        .text(0x0010_0040, VR::CS, &patient.patient_sex);
}

fn add_study(row: &mut DataSet, study: &StudyAttributes) {
    row.text(0x0020_000D, VR::UI, study.study_instance_uid.as_str())
        .text(0x0008_0020, VR::DA, &study.study_date)
        .text(0x0008_0030, VR::TM, &study.study_time)
        .text(0x0008_0050, VR::SH, &study.accession_number)
        .text(0x0008_0090, VR::PN, &study.referring_physician_name)
        .text(0x0008_1030, VR::LO, &study.study_description)
        .text(0x0020_0010, VR::SH, &study.study_id);
}

fn add_series(row: &mut DataSet, found: &SeriesRow) {
    let SeriesRow { attributes: series, number_of_series_related_instances } = found;
    row.text(0x0020_000E, VR::UI, series.series_instance_uid.as_str())
        .text(0x0008_0060, VR::CS, &series.modality)
        .integer(0x0020_0011, series.series_number)
        .integer(0x0020_1209, Some(*number_of_series_related_instances))
        .text(0x0008_0021, VR::DA, &series.series_date)
        .text(0x0008_0031, VR::TM, &series.series_time)
        .text(0x0008_0070, VR::LO, &series.manufacturer)
        .text(0x0008_0080, VR::LO, &series.institution_name)
        .text(0x0008_1010, VR::SH, &series.station_name)
        .text(0x0008_103E, VR::LO, &series.series_description)
        .text(0x0018_0015, VR::CS, &series.body_part_examined)
        .text(0x0018_1030, VR::LO, &series.protocol_name)
        .text(0x0020_0060, VR::CS, &series.laterality)
        .text(0x0040_0244, VR::DA, &series.performed_procedure_step_start_date)
        .text(0x0040_0245, VR::TM, &series.performed_procedure_step_start_time)
        .items(REQUEST_ATTRIBUTES_SEQUENCE, request_attributes(series));
}

fn request_attributes(series: &SeriesAttributes) -> Vec<DataSet> {
    if series.scheduled_procedure_step_id.is_empty() && series.requested_procedure_id.is_empty() {
        return Vec::new();
    }
    let mut item = DataSet::default();
    item.text(SCHEDULED_PROCEDURE_STEP_ID, VR::SH, &series.scheduled_procedure_step_id).text(
        REQUESTED_PROCEDURE_ID,
        VR::SH,
        &series.requested_procedure_id,
    );
    vec![item]
}

fn add_instance(row: &mut DataSet, instance: &InstanceAttributes) {
    row.text(0x0008_0016, VR::UI, instance.sop_class_uid.as_str())
        .text(0x0008_0018, VR::UI, instance.sop_instance_uid.as_str())
        .text(0x0008_3002, VR::UI, instance.transfer_syntax_uid.as_str())
        .integer(0x0020_0013, instance.instance_number)
        .text(0x0008_0008, VR::CS, &instance.image_type)
        .text(0x0008_0022, VR::DA, &instance.acquisition_date)
        .text(0x0008_0023, VR::DA, &instance.content_date)
        .text(0x0008_0032, VR::TM, &instance.acquisition_time)
        .text(0x0008_0033, VR::TM, &instance.content_time)
        .text(0x0018_5101, VR::CS, &instance.view_position)
        .integer(0x0028_0008, instance.number_of_frames)
        .short(0x0028_0010, instance.rows)
        .short(0x0028_0011, instance.columns)
        .short(0x0028_0100, instance.bits_allocated);
}
