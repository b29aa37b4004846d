//! PS3.4 table K.6-1: what a response says of a scheduled procedure step.

use std::collections::BTreeMap;

use database::WorklistStep;
use dicom_header::{VR, vr_of_tag};
use model::worklist::{ScheduledProcedureStep, WorklistOrder};

use super::query::NOT_MATCHED;
use crate::query_retrieve::{data_set::DataSet, identifier::Key};

/// Scheduled Procedure Step Sequence.
pub const SCHEDULED_PROCEDURE_STEP_SEQUENCE: u32 = 0x0040_0100;

/// Return keys of type 2 of which nothing is known here: they come without a value.
const WITHOUT_VALUE: [u32; 17] = [
    0x0008_1110, // ReferencedStudySequence
    0x0008_1120, // ReferencedPatientSequence
    0x0010_1030, // PatientWeight
    0x0010_2000, // MedicalAlerts
    0x0010_2110, // Allergies
    0x0010_21C0, // PregnancyStatus
    0x0032_1064, // RequestedProcedureCodeSequence
    0x0038_0010, // AdmissionID
    0x0038_0050, // SpecialNeeds
    0x0038_0300, // CurrentPatientLocation
    0x0038_0500, // PatientState
    0x0040_1002, // ReasonForTheRequestedProcedure
    0x0040_1003, // RequestedProcedurePriority
    0x0040_1004, // PatientTransportArrangements
    0x0040_1400, // RequestedProcedureComments
    0x0040_2400, // ImagingServiceRequestComments
    0x0040_3001, // ConfidentialityConstraintOnPatientDataDescription
];
/// The same inside the step.
const WITHOUT_VALUE_IN_STEP: [u32; 4] = [
    0x0032_1070, // RequestedContrastAgent
    0x0040_0008, // ScheduledProtocolCodeSequence
    0x0040_0012, // PreMedication
    0x0040_0400, // CommentsOnTheScheduledProcedureStep
];

fn add_empty(data_set: &mut DataSet, tags: &[u32]) {
    for tag in tags {
        match vr_of_tag(*tag).unwrap_or(VR::LO) {
            VR::SQ => data_set.items(*tag, Vec::new()),
            vr => data_set.text(*tag, vr, ""),
        };
    }
}

/// Everything that is known of a step.
pub fn of(found: &WorklistStep) -> DataSet {
    let order = &found.item.order;
    let mut row = DataSet::default();
    add_empty(&mut row, &WITHOUT_VALUE);
    add_patient(&mut row, order);
    row.text(0x0008_0050, VR::SH, &order.accession_number)
        .text(0x0008_0090, VR::PN, &order.referring_physician_name)
        .text(0x0020_000D, VR::UI, order.study_instance_uid.as_str())
        .text(0x0032_1032, VR::PN, &order.requesting_physician)
        .text(0x0032_1060, VR::LO, &order.requested_procedure_description)
        .text(0x0040_1001, VR::SH, &order.requested_procedure_id)
        .items(SCHEDULED_PROCEDURE_STEP_SEQUENCE, vec![of_step(&found.step)]);
    row
}

fn add_patient(row: &mut DataSet, order: &WorklistOrder) {
    row.text(0x0010_0010, VR::PN, &order.patient_name)
        .text(0x0010_0020, VR::LO, &order.patient_id)
        .text(0x0010_0021, VR::LO, &order.issuer_of_patient_id)
        .text(0x0010_0030, VR::DA, &order.patient_birth_date)
        .text(0x0010_0040, VR::CS, &order.patient_sex);
}

fn of_step(step: &ScheduledProcedureStep) -> DataSet {
    let mut item = DataSet::default();
    add_empty(&mut item, &WITHOUT_VALUE_IN_STEP);
    item.text(0x0008_0060, VR::CS, &step.modality)
        .text(0x0040_0001, VR::AE, step.station_ae_title.as_str())
        .text(0x0040_0002, VR::DA, &step.start_date)
        .text(0x0040_0003, VR::TM, &step.start_time)
        .text(0x0040_0006, VR::PN, &step.performing_physician_name)
        .text(0x0040_0007, VR::LO, &step.description)
        .text(0x0040_0009, VR::SH, &step.step_id)
        .text(0x0040_0010, VR::SH, &step.station_name)
        .text(0x0040_0011, VR::SH, &step.location)
        .text(0x0040_0020, VR::CS, step.status.as_str());
    item
}

/// Leaves what was asked for. False when something was asked for that is not known here.
pub fn select(row: &mut DataSet, asked: &BTreeMap<u32, Key>) -> bool {
    let mut supported = asked.keys().all(|tag| NOT_MATCHED.contains(tag) || row.has(*tag));
    row.retain(|tag| asked.contains_key(&tag));
    if let (Some(key), Some(items)) =
        (asked.get(&SCHEDULED_PROCEDURE_STEP_SEQUENCE), row.items_mut(SCHEDULED_PROCEDURE_STEP_SEQUENCE))
    {
        // A sequence without keys in it is asked for whole (PS3.4 C.2.2.2.6).
        let wanted = &key.item;
        for item in items.iter_mut().filter(|_| !wanted.is_empty()) {
            supported &= wanted.keys().all(|tag| item.has(*tag));
            item.retain(|tag| wanted.contains_key(&tag));
        }
    }
    supported
}
