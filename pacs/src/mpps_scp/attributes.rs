//! PS3.4 table F.7.2-1: what a performed procedure step has to say when it is made, when it is changed, and when it is over.

use dicom_header::{
    HeaderReader, JsonAttribute, JsonDataSet, JsonModelError, Limits, PlainDataSet, merge_json,
};
use model::{
    SeriesInstanceUid, StudyInstanceUid, TransferSyntaxUid,
    performed_step::{PerformedStepStatus, ScheduledReference},
};

use super::Refusal;
use crate::dimse::status;

/// Longest data set: one that names 10,000 images is 1.5 MiB.
pub const LENGTH_MAX_BYTES: usize = 4 << 20;
/// Elements and items of it.
const ELEMENTS_MAX: u64 = 200_000;
/// Sequences inside sequences.
const SEQUENCE_DEPTH_MAX: usize = 16;
/// Scheduled steps that one performed step answers for.
const SCHEDULED_MAX: usize = 100;

const ACCESSION_NUMBER: u32 = 0x0008_0050;
const MODALITY: u32 = 0x0008_0060;
const PATIENT_ID: u32 = 0x0010_0020;
const ISSUER_OF_PATIENT_ID: u32 = 0x0010_0021;
const PROTOCOL_NAME: u32 = 0x0018_1030;
const STUDY_INSTANCE_UID: u32 = 0x0020_000D;
const SERIES_INSTANCE_UID: u32 = 0x0020_000E;
const SCHEDULED_PROCEDURE_STEP_ID: u32 = 0x0040_0009;
const PERFORMED_STATION_AE_TITLE: u32 = 0x0040_0241;
const START_DATE: u32 = 0x0040_0244;
const START_TIME: u32 = 0x0040_0245;
const END_DATE: u32 = 0x0040_0250;
const END_TIME: u32 = 0x0040_0251;
const STATUS: u32 = 0x0040_0252;
const PERFORMED_PROCEDURE_STEP_ID: u32 = 0x0040_0253;
const SCHEDULED_STEP_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0270;
const PERFORMED_SERIES_SEQUENCE: u32 = 0x0040_0340;

/// Type 1 in N-CREATE, with a value of their own.
const NEEDED_AT_FIRST: [u32; 6] =
    [MODALITY, PERFORMED_STATION_AE_TITLE, START_DATE, START_TIME, STATUS, PERFORMED_PROCEDURE_STEP_ID];
/// Type 1 in the final state.
const NEEDED_AT_LAST: [u32; 2] = [END_DATE, END_TIME];

/// What N-SET may not change (PS3.4 table F.7.2-1, "Not allowed").
fn is_settled(tag: u32) -> bool {
    let of_patient = tag >> 16 == 0x0010;
    let settled = [
        0x0008_1120, // ReferencedPatientSequence
        MODALITY,
        0x0020_0010, // StudyID
        PERFORMED_STATION_AE_TITLE,
        0x0040_0242, // PerformedStationName
        0x0040_0243, // PerformedLocation
        START_DATE,
        START_TIME,
        PERFORMED_PROCEDURE_STEP_ID,
        SCHEDULED_STEP_ATTRIBUTES_SEQUENCE,
    ];
    of_patient || settled.contains(&tag)
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    json: String,
}

/// What of it counts when a step is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Modality (0008,0060).
    pub modality: String,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// Scheduled Step Attributes Sequence (0040,0270).
    pub scheduled: Vec<ScheduledReference>,
}

fn unreadable(_: JsonModelError) -> Refusal {
    Refusal::saying(status::INVALID_ATTRIBUTE_VALUE, "an attribute has a value that DICOM does not know")
}

fn text(data_set: &JsonDataSet<'_>, tag: u32) -> Result<String, Refusal> {
    let value = data_set.0.get(&tag).map(JsonAttribute::plain_text).transpose().map_err(unreadable)?;
    Ok(value.unwrap_or_default().trim().to_owned())
}

/// PS3.7 10.1.5.1.6: Missing Attribute, Missing Attribute Value.
fn need(data_set: &JsonDataSet<'_>, tags: &[u32]) -> Result<(), Refusal> {
    let missing: Vec<u32> = tags.iter().copied().filter(|tag| !data_set.0.contains_key(tag)).collect();
    if !missing.is_empty() {
        return Err(Refusal::saying(
            status::MISSING_ATTRIBUTE,
            "attributes of type 1 are missing: see Attribute Identifier List",
        )
        .at(missing));
    }
    for tag in tags {
        if text(data_set, *tag)?.is_empty() {
            return Err(Refusal::saying(
                status::MISSING_ATTRIBUTE_VALUE,
                "an attribute of type 1 has no value",
            )
            .at(vec![*tag]));
        }
    }
    Ok(())
}

fn wrong(tag: u32, comment: &str) -> Refusal {
    Refusal::saying(status::INVALID_ATTRIBUTE_VALUE, comment).at(vec![tag])
}

/// Each item of a sequence, which has to be there with one.
fn each_item(
    data_set: &JsonDataSet<'_>,
    tag: u32,
    mut each: impl FnMut(&JsonDataSet<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    struct Stopped(Refusal);
    impl From<JsonModelError> for Stopped {
        fn from(error: JsonModelError) -> Self {
            Self(unreadable(error))
        }
    }
    let Some(sequence) = data_set.0.get(&tag) else {
        return Err(
            Refusal::saying(status::MISSING_ATTRIBUTE, "a sequence of type 1 is missing").at(vec![tag])
        );
    };
    let mut items = 0_u32;
    let read = sequence.each_value(|item| {
        items += 1;
        each(&JsonDataSet::parse(item.get())?).map_err(Stopped)
    });
    read.map_err(|Stopped(refusal)| refusal)?;
    if items == 0 {
        return Err(
            Refusal::saying(status::MISSING_ATTRIBUTE_VALUE, "a sequence of type 1 is empty").at(vec![tag])
        );
    }
    Ok(())
}

impl Attributes {
    /// Reads a whole data set.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(transfer_syntax: &TransferSyntaxUid, bytes: &[u8]) -> Result<Self, Refusal> {
        let limits = Limits {
            sequence_depth_max: SEQUENCE_DEPTH_MAX,
            elements_max: ELEMENTS_MAX,
            memory_max_bytes: 4 * LENGTH_MAX_BYTES,
            ..Limits::default()
        };
        let mut reader = HeaderReader::new(transfer_syntax, limits);
        let read = reader.push(bytes).and_then(|()| reader.finish_plain());
        let PlainDataSet { json, .. } = read.map_err(|error| {
            Refusal::saying(status::PROCESSING_FAILURE, format!("the attributes cannot be read: {error}"))
        })?;
        Ok(Self { json })
    }

    /// As DICOM JSON.
    pub fn into_json(self) -> String {
        self.json
    }

    fn data_set(&self) -> Result<JsonDataSet<'_>, Refusal> {
        JsonDataSet::parse(&self.json).map_err(unreadable)
    }

    /// The status that is said; none when none is.
    ///
    /// # Errors
    /// When it is no status.
    pub fn status(&self) -> Result<Option<PerformedStepStatus>, Refusal> {
        let data_set = self.data_set()?;
        if !data_set.0.contains_key(&STATUS) {
            return Ok(None);
        }
        let status = PerformedStepStatus::parse(&text(&data_set, STATUS)?);
        status.map(Some).ok_or_else(|| wrong(STATUS, "no Performed Procedure Step Status"))
    }

    /// What a step that is made has to say.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn beginning(&self) -> Result<Beginning, Refusal> {
        let data_set = self.data_set()?;
        need(&data_set, &NEEDED_AT_FIRST)?;
        if self.status()? != Some(PerformedStepStatus::InProgress) {
            return Err(wrong(STATUS, "a step that is made is IN PROGRESS"));
        }
        let mut scheduled = Vec::new();
        each_item(&data_set, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE, |item| {
            need(item, &[STUDY_INSTANCE_UID])?;
            let study = StudyInstanceUid::parse(&text(item, STUDY_INSTANCE_UID)?);
            if scheduled.len() == SCHEDULED_MAX {
                return Err(wrong(SCHEDULED_STEP_ATTRIBUTES_SEQUENCE, "too many scheduled steps"));
            }
            scheduled.push(ScheduledReference {
                study_instance_uid: study.map_err(|_| wrong(STUDY_INSTANCE_UID, "no UID"))?,
                accession_number: text(item, ACCESSION_NUMBER)?,
                step_id: text(item, SCHEDULED_PROCEDURE_STEP_ID)?,
            });
            Ok(())
        })?;
        Ok(Beginning {
            modality: text(&data_set, MODALITY)?,
            patient_id: text(&data_set, PATIENT_ID)?,
            issuer_of_patient_id: text(&data_set, ISSUER_OF_PATIENT_ID)?,
            scheduled,
        })
    }

    /// What a step that is over has to say.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn check_end(&self, ending: PerformedStepStatus) -> Result<(), Refusal> {
        let data_set = self.data_set()?;
        need(&data_set, &NEEDED_AT_LAST)?;
        // What was discontinued may have come to no series.
        if ending == PerformedStepStatus::Discontinued {
            return Ok(());
        }
        each_item(&data_set, PERFORMED_SERIES_SEQUENCE, |item| {
            need(item, &[SERIES_INSTANCE_UID, PROTOCOL_NAME])?;
            let series = SeriesInstanceUid::parse(&text(item, SERIES_INSTANCE_UID)?);
            series.map(drop).map_err(|_| wrong(SERIES_INSTANCE_UID, "no UID"))
        })
    }

    /// These after `changes` by N-SET, and whether there was something in them that may not be changed.
    ///
    /// # Errors
    /// When one of them is no DICOM JSON.
    pub fn changed_by(&self, changes: &Self) -> Result<(Self, bool), Refusal> {
        let json = merge_json(&self.json, &changes.json, |tag| !is_settled(tag)).map_err(unreadable)?;
        let left_out = changes.data_set()?.0.keys().any(|tag| is_settled(*tag));
        Ok((Self { json }, left_out))
    }
}

impl From<String> for Attributes {
    fn from(json: String) -> Self {
        Self { json }
    }
}

#[cfg(test)]
mod tests;
