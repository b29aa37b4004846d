//! The attributes that QIDO-RS and C-FIND match on, read from one instance's header (PS3.3 Annexes A and C).
//!
//! Text is UTF-8 whatever came in; an absent or empty attribute is the empty string. Multiple values keep `\`.

use serde::{Deserialize, Serialize};

use crate::{
    frame::{ByteRange, FrameTable},
    pixel::PixelModule,
    uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid},
};

/// Patient module (PS3.3 C.7.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PatientAttributes {
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// Patient's Name (0010,0010): component groups separated by `=` (PS3.5 6.2).
    pub patient_name: String,
    /// Patient's Birth Date (0010,0030), YYYYMMDD.
    pub patient_birth_date: String,
    /// Patient's Sex (0010,0040).
    pub patient_sex: String,
}

/// General Study module (PS3.3 C.7.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyAttributes {
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: StudyInstanceUid,
    /// Study Date (0008,0020), YYYYMMDD.
    pub study_date: String,
    /// Study Time (0008,0030), HHMMSS.FFFFFF as sent.
    pub study_time: String,
    /// Accession Number (0008,0050).
    pub accession_number: String,
    /// Study ID (0020,0010).
    pub study_id: String,
    /// Study Description (0008,1030).
    pub study_description: String,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician_name: String,
}

/// General Series and General Equipment modules (PS3.3 C.7.3.1, C.7.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesAttributes {
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: SeriesInstanceUid,
    /// Modality (0008,0060).
    pub modality: String,
    /// Series Number (0020,0011).
    pub series_number: Option<i32>,
    /// Series Date (0008,0021).
    pub series_date: String,
    /// Series Time (0008,0031).
    pub series_time: String,
    /// Series Description (0008,103E).
    pub series_description: String,
    /// Body Part Examined (0018,0015).
    pub body_part_examined: String,
    /// Laterality (0020,0060), else Image Laterality (0020,0062).
    pub laterality: String,
    /// Protocol Name (0018,1030).
    pub protocol_name: String,
    /// Manufacturer (0008,0070).
    pub manufacturer: String,
    /// Institution Name (0008,0080).
    pub institution_name: String,
    /// Station Name (0008,1010).
    pub station_name: String,
    /// Performed Procedure Step Start Date (0040,0244).
    pub performed_procedure_step_start_date: String,
    /// Performed Procedure Step Start Time (0040,0245).
    pub performed_procedure_step_start_time: String,
    /// Scheduled Procedure Step ID (0040,0009) of the first item of Request Attributes Sequence (0040,0275).
    pub scheduled_procedure_step_id: String,
    /// Requested Procedure ID (0040,1001) of the same item.
    pub requested_procedure_id: String,
}

/// SOP Common and image modules (PS3.3 C.12.1, C.7.6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceAttributes {
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: SopInstanceUid,
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: SopClassUid,
    /// Transfer syntax in which the data set came and is kept.
    pub transfer_syntax_uid: TransferSyntaxUid,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i32>,
    /// Number of Frames (0028,0008) as sent; `None` when absent.
    pub number_of_frames: Option<i32>,
    /// Rows (0028,0010).
    pub rows: Option<i32>,
    /// Columns (0028,0011).
    pub columns: Option<i32>,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: Option<i32>,
    /// Content Date (0008,0023).
    pub content_date: String,
    /// Content Time (0008,0033).
    pub content_time: String,
    /// Acquisition Date (0008,0022).
    pub acquisition_date: String,
    /// Acquisition Time (0008,0032).
    pub acquisition_time: String,
    /// Image Type (0008,0008).
    pub image_type: String,
    /// View Position (0018,5101).
    pub view_position: String,
}

/// A value left out of the DICOM JSON and served as bulk data (PS3.18 10.4.1.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkDataReference {
    /// Tags and item numbers from the root, as in `00480105.0.00282000`: the last part of its BulkDataURI.
    pub path: String,
    /// Value representation.
    pub vr: String,
    /// Where the value lies.
    pub range: ByteRange,
}

/// Everything the archive keeps in the database about one instance, read in the same pass that stores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceHeader {
    /// Patient module.
    pub patient: PatientAttributes,
    /// General Study module.
    pub study: StudyAttributes,
    /// General Series module.
    pub series: SeriesAttributes,
    /// Instance attributes.
    pub instance: InstanceAttributes,
    /// The data set as one DICOM JSON object (PS3.18 Annex F), UTF-8, with BulkDataURI values of the form
    /// `bulkdata/PATH`, where PATH is a [`BulkDataReference::path`].
    pub json: String,
    /// Values left out of `json`.
    pub bulk_data: Vec<BulkDataReference>,
    /// Pixel description; `None` when there is no pixel data element.
    pub pixel_module: Option<PixelModule>,
    /// Where the frames are.
    pub frame_table: FrameTable,
    /// What was read leniently; each is one sentence without patient data.
    pub warnings: Vec<String>,
}
