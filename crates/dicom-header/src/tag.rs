//! PS3.6 6: the tags this crate looks at, as group << 16 | element.

pub(crate) const ITEM: u32 = 0xFFFE_E000;
pub(crate) const ITEM_DELIMITATION: u32 = 0xFFFE_E00D;
pub(crate) const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;
pub(crate) const DATA_SET_TRAILING_PADDING: u32 = 0xFFFC_FFFC;

pub(crate) const SPECIFIC_CHARACTER_SET: u32 = 0x0008_0005;
pub(crate) const IMAGE_TYPE: u32 = 0x0008_0008;
pub(crate) const SOP_CLASS_UID: u32 = 0x0008_0016;
pub(crate) const SOP_INSTANCE_UID: u32 = 0x0008_0018;
pub(crate) const STUDY_DATE: u32 = 0x0008_0020;
pub(crate) const SERIES_DATE: u32 = 0x0008_0021;
pub(crate) const ACQUISITION_DATE: u32 = 0x0008_0022;
pub(crate) const CONTENT_DATE: u32 = 0x0008_0023;
pub(crate) const STUDY_TIME: u32 = 0x0008_0030;
pub(crate) const SERIES_TIME: u32 = 0x0008_0031;
pub(crate) const ACQUISITION_TIME: u32 = 0x0008_0032;
pub(crate) const CONTENT_TIME: u32 = 0x0008_0033;
pub(crate) const ACCESSION_NUMBER: u32 = 0x0008_0050;
pub(crate) const MODALITY: u32 = 0x0008_0060;
pub(crate) const MANUFACTURER: u32 = 0x0008_0070;
pub(crate) const INSTITUTION_NAME: u32 = 0x0008_0080;
pub(crate) const REFERRING_PHYSICIAN_NAME: u32 = 0x0008_0090;
pub(crate) const STATION_NAME: u32 = 0x0008_1010;
pub(crate) const STUDY_DESCRIPTION: u32 = 0x0008_1030;
pub(crate) const SERIES_DESCRIPTION: u32 = 0x0008_103E;
pub(crate) const PATIENT_NAME: u32 = 0x0010_0010;
pub(crate) const PATIENT_ID: u32 = 0x0010_0020;
pub(crate) const ISSUER_OF_PATIENT_ID: u32 = 0x0010_0021;
pub(crate) const PATIENT_BIRTH_DATE: u32 = 0x0010_0030;
pub(crate) const PATIENT_SEX: u32 = 0x0010_0040;
pub(crate) const BODY_PART_EXAMINED: u32 = 0x0018_0015;
pub(crate) const PROTOCOL_NAME: u32 = 0x0018_1030;
pub(crate) const VIEW_POSITION: u32 = 0x0018_5101;
pub(crate) const STUDY_INSTANCE_UID: u32 = 0x0020_000D;
pub(crate) const SERIES_INSTANCE_UID: u32 = 0x0020_000E;
pub(crate) const STUDY_ID: u32 = 0x0020_0010;
pub(crate) const SERIES_NUMBER: u32 = 0x0020_0011;
pub(crate) const INSTANCE_NUMBER: u32 = 0x0020_0013;
pub(crate) const LATERALITY: u32 = 0x0020_0060;
pub(crate) const IMAGE_LATERALITY: u32 = 0x0020_0062;
pub(crate) const SAMPLES_PER_PIXEL: u32 = 0x0028_0002;
pub(crate) const PHOTOMETRIC_INTERPRETATION: u32 = 0x0028_0004;
pub(crate) const PLANAR_CONFIGURATION: u32 = 0x0028_0006;
pub(crate) const NUMBER_OF_FRAMES: u32 = 0x0028_0008;
pub(crate) const ROWS: u32 = 0x0028_0010;
pub(crate) const COLUMNS: u32 = 0x0028_0011;
pub(crate) const BITS_ALLOCATED: u32 = 0x0028_0100;
pub(crate) const BITS_STORED: u32 = 0x0028_0101;
pub(crate) const HIGH_BIT: u32 = 0x0028_0102;
pub(crate) const PIXEL_REPRESENTATION: u32 = 0x0028_0103;
pub(crate) const PIXEL_PADDING_VALUE: u32 = 0x0028_0120;
pub(crate) const PIXEL_PADDING_RANGE_LIMIT: u32 = 0x0028_0121;
pub(crate) const WINDOW_CENTER: u32 = 0x0028_1050;
pub(crate) const WINDOW_WIDTH: u32 = 0x0028_1051;
pub(crate) const RESCALE_INTERCEPT: u32 = 0x0028_1052;
pub(crate) const RESCALE_SLOPE: u32 = 0x0028_1053;
pub(crate) const VOI_LUT_FUNCTION: u32 = 0x0028_1056;
pub(crate) const PALETTE_DESCRIPTORS: [u32; 3] = [0x0028_1101, 0x0028_1102, 0x0028_1103];
pub(crate) const PALETTE_DATA: [u32; 3] = [0x0028_1201, 0x0028_1202, 0x0028_1203];
pub(crate) const SEGMENTED_PALETTE_DATA: [u32; 3] = [0x0028_1221, 0x0028_1222, 0x0028_1223];
pub(crate) const LOSSY_IMAGE_COMPRESSION: u32 = 0x0028_2110;
pub(crate) const MODALITY_LUT_SEQUENCE: u32 = 0x0028_3000;
pub(crate) const LUT_DESCRIPTOR: u32 = 0x0028_3002;
pub(crate) const LUT_DATA: u32 = 0x0028_3006;
pub(crate) const VOI_LUT_SEQUENCE: u32 = 0x0028_3010;
pub(crate) const REPRESENTATIVE_FRAME_NUMBER: u32 = 0x0028_6010;
pub(crate) const FRAME_VOI_LUT_SEQUENCE: u32 = 0x0028_9132;
pub(crate) const PIXEL_VALUE_TRANSFORMATION_SEQUENCE: u32 = 0x0028_9145;
pub(crate) const SCHEDULED_PROCEDURE_STEP_ID: u32 = 0x0040_0009;
pub(crate) const PERFORMED_PROCEDURE_STEP_START_DATE: u32 = 0x0040_0244;
pub(crate) const PERFORMED_PROCEDURE_STEP_START_TIME: u32 = 0x0040_0245;
pub(crate) const REQUEST_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0275;
pub(crate) const REQUESTED_PROCEDURE_ID: u32 = 0x0040_1001;
pub(crate) const PRESENTATION_LUT_SHAPE: u32 = 0x2050_0020;
pub(crate) const SHARED_FUNCTIONAL_GROUPS_SEQUENCE: u32 = 0x5200_9229;
pub(crate) const PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE: u32 = 0x5200_9230;
pub(crate) const EXTENDED_OFFSET_TABLE: u32 = 0x7FE0_0001;
pub(crate) const EXTENDED_OFFSET_TABLE_LENGTHS: u32 = 0x7FE0_0002;
pub(crate) const FLOAT_PIXEL_DATA: u32 = 0x7FE0_0008;
pub(crate) const DOUBLE_FLOAT_PIXEL_DATA: u32 = 0x7FE0_0009;
pub(crate) const PIXEL_DATA: u32 = 0x7FE0_0010;

/// Pixel Data, Float Pixel Data or Double Float Pixel Data: never kept as a value.
pub(crate) fn is_pixel_data(tag: u32) -> bool {
    matches!(tag, PIXEL_DATA | FLOAT_PIXEL_DATA | DOUBLE_FLOAT_PIXEL_DATA)
}

/// Elements that are no part of the data set's content: command and file meta groups, group lengths
/// (PS3.5 7.2, PS3.18 F.2.2) and trailing padding (PS3.10 7.2).
pub(crate) fn is_left_out(tag: u32) -> bool {
    let group = tag >> 16;
    tag as u16 == 0 || group == 0 || group == 2 || tag == DATA_SET_TRAILING_PADDING
}
