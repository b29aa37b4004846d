//! Studies, series and X-rays in JSON; fields are named by the keywords of PS3.6, dates and times are as sent.

use database::{InstanceRow, SearchRow, StoredInstance};
use model::instance::{PatientAttributes, SeriesAttributes};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Patient module (PS3.3 C.7.1.1).
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Patient)]
pub struct PatientBody {
    /// Patient ID (0010,0020).
    patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    issuer_of_patient_id: String,
    /// Patient's Name (0010,0010): components separated by `^`, groups by `=`.
    patient_name: String,
    /// Patient's Birth Date (0010,0030), YYYYMMDD.
    patient_birth_date: String,
    /// Patient's Sex (0010,0040).
    patient_sex: String,
}

impl PatientBody {
    /// Whether this is the name.
    pub fn is_named(&self, name: &str) -> bool {
        self.patient_name == name
    }
}

impl From<PatientAttributes> for PatientBody {
    fn from(patient: PatientAttributes) -> Self {
        Self {
            patient_id: patient.patient_id,
            issuer_of_patient_id: patient.issuer_of_patient_id,
            patient_name: patient.patient_name,
            patient_birth_date: patient.patient_birth_date,
            patient_sex: patient.patient_sex,
        }
    }
}

/// A study in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct StudySummary {
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Study Date (0008,0020), YYYYMMDD.
    study_date: String,
    /// Study Time (0008,0030).
    study_time: String,
    /// Study Description (0008,1030).
    study_description: String,
    /// Accession Number (0008,0050).
    accession_number: String,
    /// Study ID (0020,0010).
    study_id: String,
    /// Referring Physician's Name (0008,0090).
    referring_physician_name: String,
    /// Modalities in Study (0008,0061).
    #[schema(example = json!(["DX"]))]
    modalities_in_study: Vec<String>,
    /// Number of Study Related Series (0020,1206).
    number_of_study_related_series: u64,
    /// Number of Study Related Instances (0020,1208).
    number_of_study_related_instances: u64,
    /// The patient's data contradict each other: look before you rely on whose study this is.
    review: bool,
    /// Whose it is.
    patient: PatientBody,
    /// The study in DICOMweb.
    dicomweb: String,
}

impl From<SearchRow> for StudySummary {
    fn from(row: SearchRow) -> Self {
        let study = row.study;
        Self {
            dicomweb: format!("/dicomweb/studies/{}", study.study_instance_uid),
            study_instance_uid: study.study_instance_uid.into(),
            study_date: study.study_date,
            study_time: study.study_time,
            study_description: study.study_description,
            accession_number: study.accession_number,
            study_id: study.study_id,
            referring_physician_name: study.referring_physician_name,
            modalities_in_study: row.modalities_in_study,
            number_of_study_related_series: row.number_of_study_related_series,
            number_of_study_related_instances: row.number_of_study_related_instances,
            review: row.review,
            patient: row.patient.into(),
        }
    }
}

/// General Series module (PS3.3 C.7.3.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Series)]
pub struct SeriesBody {
    /// Series Instance UID (0020,000E).
    series_instance_uid: String,
    /// Modality (0008,0060).
    #[schema(example = "DX")]
    modality: String,
    /// Series Number (0020,0011).
    series_number: Option<i32>,
    /// Series Description (0008,103E).
    series_description: String,
    /// Body Part Examined (0018,0015).
    #[schema(example = "CHEST")]
    body_part_examined: String,
    /// Laterality (0020,0060).
    laterality: String,
}

impl From<SeriesAttributes> for SeriesBody {
    fn from(series: SeriesAttributes) -> Self {
        Self {
            series_instance_uid: series.series_instance_uid.into(),
            modality: series.modality,
            series_number: series.series_number,
            series_description: series.series_description,
            body_part_examined: series.body_part_examined,
            laterality: series.laterality,
        }
    }
}

/// Where an X-ray's representations are.
#[derive(Debug, Serialize, ToSchema)]
pub struct XrayLinks {
    /// Metadata.
    #[serde(rename = "self")]
    this: String,
    /// The DICOM file.
    download: String,
    /// JPEG, at most 512 pixels on its longest side.
    preview: String,
    /// At most 128 pixels on its longest side.
    thumbnail: String,
}

impl XrayLinks {
    pub fn to(id: Uuid) -> Self {
        let this = format!("/xrays/{id}");
        Self {
            download: format!("{this}/download"),
            preview: format!("{this}/preview"),
            thumbnail: format!("{this}/preview?size=thumbnail"),
            this,
        }
    }
}

/// An X-ray in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct XraySummary {
    /// Identity.
    id: Uuid,
    /// SOP Instance UID (0008,0018).
    sop_instance_uid: String,
    /// SOP Class UID (0008,0016).
    sop_class_uid: String,
    /// Transfer syntax in which it is kept.
    transfer_syntax_uid: String,
    /// Instance Number (0020,0013).
    instance_number: Option<i32>,
    /// Number of Frames (0028,0008).
    number_of_frames: Option<i32>,
    /// Rows (0028,0010).
    rows: Option<i32>,
    /// Columns (0028,0011).
    columns: Option<i32>,
    /// Where its representations are.
    links: XrayLinks,
}

impl From<StoredInstance> for XraySummary {
    fn from(instance: StoredInstance) -> Self {
        Self {
            id: instance.id,
            sop_instance_uid: instance.sop_instance_uid.into(),
            sop_class_uid: instance.sop_class_uid.into(),
            transfer_syntax_uid: instance.transfer_syntax_uid.into(),
            instance_number: instance.instance_number,
            number_of_frames: instance.number_of_frames,
            rows: instance.rows,
            columns: instance.columns,
            links: XrayLinks::to(instance.id),
        }
    }
}

impl From<InstanceRow> for XraySummary {
    fn from(row: InstanceRow) -> Self {
        let instance = row.attributes;
        Self {
            id: row.id,
            sop_instance_uid: instance.sop_instance_uid.into(),
            sop_class_uid: instance.sop_class_uid.into(),
            transfer_syntax_uid: instance.transfer_syntax_uid.into(),
            instance_number: instance.instance_number,
            number_of_frames: instance.number_of_frames,
            rows: instance.rows,
            columns: instance.columns,
            links: XrayLinks::to(row.id),
        }
    }
}
