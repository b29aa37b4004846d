//! PS3.18 Annex F, DICOM JSON Model: the data sets that this door makes itself, and the stored ones it completes.

mod annotate;
mod build;
mod native_xml;
mod native_xml_read;

pub use annotate::{Annotations, TopLevelKeys, annotate};
pub use build::{DataSet, Value};
pub use native_xml::{json_to_native_xml, to_native_xml};
pub use native_xml_read::{NativeXmlError, native_xml_to_json};

/// Tags of the attributes that this door writes, by keyword (PS3.6).
pub mod tag {
    #![expect(missing_docs, reason = "each is a keyword of PS3.6")]
    pub const SPECIFIC_CHARACTER_SET: u32 = 0x0008_0005;
    pub const INSTANCE_AVAILABILITY: u32 = 0x0008_0056;
    pub const MODALITIES_IN_STUDY: u32 = 0x0008_0061;
    pub const SOP_CLASSES_IN_STUDY: u32 = 0x0008_0062;
    pub const REFERENCED_SOP_CLASS_UID: u32 = 0x0008_1150;
    pub const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
    pub const RETRIEVE_URL: u32 = 0x0008_1190;
    pub const ERROR_COMMENT: u32 = 0x0000_0902;
    pub const WARNING_REASON: u32 = 0x0008_1196;
    pub const FAILURE_REASON: u32 = 0x0008_1197;
    pub const FAILED_SOP_SEQUENCE: u32 = 0x0008_1198;
    pub const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;
    pub const OTHER_FAILURES_SEQUENCE: u32 = 0x0008_119A;
    pub const AVAILABLE_TRANSFER_SYNTAX_UID: u32 = 0x0008_3002;
    pub const REQUEST_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0275;
    pub const NUMBER_OF_STUDY_RELATED_SERIES: u32 = 0x0020_1206;
    pub const NUMBER_OF_STUDY_RELATED_INSTANCES: u32 = 0x0020_1208;
    pub const NUMBER_OF_SERIES_RELATED_INSTANCES: u32 = 0x0020_1209;
    pub const PIXEL_DATA: u32 = 0x7FE0_0010;
}
