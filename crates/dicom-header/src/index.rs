//! PS3.4 C.6.2.1, the attributes that queries match on: from kept values to [`model::instance`].

use model::{
    instance::{InstanceAttributes, PatientAttributes, SeriesAttributes, StudyAttributes},
    uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid, UidError},
};

use crate::{error::HeaderError, facts::Facts, scope::Scope, tag};

/// Keyword of a mandatory UID.
pub(crate) fn uid_keyword(tag: u32) -> &'static str {
    match tag {
        tag::STUDY_INSTANCE_UID => "StudyInstanceUID",
        tag::SERIES_INSTANCE_UID => "SeriesInstanceUID",
        tag::SOP_CLASS_UID => "SOPClassUID",
        _ => "SOPInstanceUID",
    }
}

/// A mandatory UID (PS3.3 C.7.2.1, C.7.3.1, C.12.1).
pub(crate) fn mandatory_uid<T>(
    facts: &Facts,
    tag: u32,
    parse: impl FnOnce(&str) -> Result<T, UidError>,
) -> Result<T, HeaderError> {
    let attribute = uid_keyword(tag);
    let text = facts.text(Scope::Root, tag).ok_or(HeaderError::MissingUid(attribute))?;
    parse(text).map_err(|_| HeaderError::InvalidUid { attribute })
}

pub(crate) fn patient(facts: &Facts) -> PatientAttributes {
    PatientAttributes {
        patient_id: text(facts, tag::PATIENT_ID),
        issuer_of_patient_id: text(facts, tag::ISSUER_OF_PATIENT_ID),
        patient_name: text(facts, tag::PATIENT_NAME),
        patient_birth_date: text(facts, tag::PATIENT_BIRTH_DATE),
        patient_sex: text(facts, tag::PATIENT_SEX),
    }
}

pub(crate) fn study(facts: &Facts) -> Result<StudyAttributes, HeaderError> {
    Ok(StudyAttributes {
        study_instance_uid: mandatory_uid(facts, tag::STUDY_INSTANCE_UID, StudyInstanceUid::parse)?,
        study_date: text(facts, tag::STUDY_DATE),
        study_time: text(facts, tag::STUDY_TIME),
        accession_number: text(facts, tag::ACCESSION_NUMBER),
        study_id: text(facts, tag::STUDY_ID),
        study_description: text(facts, tag::STUDY_DESCRIPTION),
        referring_physician_name: text(facts, tag::REFERRING_PHYSICIAN_NAME),
    })
}

pub(crate) fn series(facts: &Facts) -> Result<SeriesAttributes, HeaderError> {
    let request = |tag| facts.text(Scope::RequestAttributes, tag).unwrap_or_default().to_owned();
    let laterality = facts.text(Scope::Root, tag::LATERALITY);
    Ok(SeriesAttributes {
        series_instance_uid: mandatory_uid(facts, tag::SERIES_INSTANCE_UID, SeriesInstanceUid::parse)?,
        modality: text(facts, tag::MODALITY),
        series_number: integer(facts, tag::SERIES_NUMBER),
        series_date: text(facts, tag::SERIES_DATE),
        series_time: text(facts, tag::SERIES_TIME),
        series_description: text(facts, tag::SERIES_DESCRIPTION),
        body_part_examined: text(facts, tag::BODY_PART_EXAMINED),
        laterality: laterality.map_or_else(|| text(facts, tag::IMAGE_LATERALITY), str::to_owned),
        protocol_name: text(facts, tag::PROTOCOL_NAME),
        manufacturer: text(facts, tag::MANUFACTURER),
        institution_name: text(facts, tag::INSTITUTION_NAME),
        station_name: text(facts, tag::STATION_NAME),
        performed_procedure_step_start_date: text(facts, tag::PERFORMED_PROCEDURE_STEP_START_DATE),
        performed_procedure_step_start_time: text(facts, tag::PERFORMED_PROCEDURE_STEP_START_TIME),
        scheduled_procedure_step_id: request(tag::SCHEDULED_PROCEDURE_STEP_ID),
        requested_procedure_id: request(tag::REQUESTED_PROCEDURE_ID),
    })
}

pub(crate) fn instance(
    facts: &Facts,
    transfer_syntax: TransferSyntaxUid,
) -> Result<InstanceAttributes, HeaderError> {
    Ok(InstanceAttributes {
        sop_instance_uid: mandatory_uid(facts, tag::SOP_INSTANCE_UID, SopInstanceUid::parse)?,
        sop_class_uid: mandatory_uid(facts, tag::SOP_CLASS_UID, SopClassUid::parse)?,
        transfer_syntax_uid: transfer_syntax,
        instance_number: integer(facts, tag::INSTANCE_NUMBER),
        number_of_frames: integer(facts, tag::NUMBER_OF_FRAMES),
        rows: integer(facts, tag::ROWS),
        columns: integer(facts, tag::COLUMNS),
        bits_allocated: integer(facts, tag::BITS_ALLOCATED),
        content_date: text(facts, tag::CONTENT_DATE),
        content_time: text(facts, tag::CONTENT_TIME),
        acquisition_date: text(facts, tag::ACQUISITION_DATE),
        acquisition_time: text(facts, tag::ACQUISITION_TIME),
        image_type: text(facts, tag::IMAGE_TYPE),
        view_position: text(facts, tag::VIEW_POSITION),
    })
}

fn text(facts: &Facts, tag: u32) -> String {
    facts.text(Scope::Root, tag).unwrap_or_default().to_owned()
}

fn integer(facts: &Facts, tag: u32) -> Option<i32> {
    facts.integer(Scope::Root, tag).and_then(|number| i32::try_from(number).ok())
}
