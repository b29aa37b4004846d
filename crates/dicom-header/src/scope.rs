//! Which attributes are kept for the index and the pixel module, and in which data set or item they are looked for.

use crate::{
    limits::{EXTENDED_OFFSET_TABLE_MAX_BYTES, LUT_DATA_MAX_BYTES},
    tag,
};

/// Which data set or item an attribute is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The data set itself.
    Root,
    /// First item of Request Attributes Sequence.
    RequestAttributes,
    /// First item of Modality LUT Sequence.
    ModalityLut,
    /// First item of VOI LUT Sequence.
    VoiLut,
    /// The item of Shared Functional Groups Sequence, or the first of Per-frame Functional Groups Sequence. What each
    /// frame says is read when it is shown (`model::functional_groups`): kept here, it would be kept twice.
    FunctionalGroups,
    /// First item of Pixel Value Transformation Sequence in functional groups.
    PixelValueTransformation,
    /// First item of Frame VOI LUT Sequence in functional groups.
    FrameVoiLut,
    /// Anything else.
    Other,
}

impl Scope {
    /// The scope of item `index` of `sequence` in `self`.
    pub(crate) fn item(self, sequence: u32, index: u32) -> Self {
        if index > 0 {
            return Self::Other;
        }
        match (self, sequence) {
            (Self::Root, tag::REQUEST_ATTRIBUTES_SEQUENCE) => Self::RequestAttributes,
            (Self::Root, tag::MODALITY_LUT_SEQUENCE) => Self::ModalityLut,
            (Self::Root, tag::VOI_LUT_SEQUENCE) => Self::VoiLut,
            (
                Self::Root,
                tag::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tag::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            ) => Self::FunctionalGroups,
            (Self::FunctionalGroups, tag::PIXEL_VALUE_TRANSFORMATION_SEQUENCE) => {
                Self::PixelValueTransformation
            }
            (Self::FunctionalGroups, tag::FRAME_VOI_LUT_SEQUENCE) => Self::FrameVoiLut,
            _ => Self::Other,
        }
    }

    /// True for an attribute that is kept.
    pub(crate) fn wants(self, tag: u32) -> bool {
        match self {
            Self::Root => ROOT.binary_search(&tag).is_ok() || self.value_max_bytes(tag).is_some(),
            Self::RequestAttributes => {
                matches!(tag, tag::SCHEDULED_PROCEDURE_STEP_ID | tag::REQUESTED_PROCEDURE_ID)
            }
            Self::ModalityLut | Self::VoiLut => matches!(tag, tag::LUT_DESCRIPTOR | tag::LUT_DATA),
            Self::PixelValueTransformation => matches!(tag, tag::RESCALE_INTERCEPT | tag::RESCALE_SLOPE),
            Self::FrameVoiLut => {
                matches!(tag, tag::WINDOW_CENTER | tag::WINDOW_WIDTH | tag::VOI_LUT_FUNCTION)
            }
            Self::FunctionalGroups | Self::Other => false,
        }
    }

    /// How long the value of a table may be that is kept though longer than other values.
    pub(crate) fn value_max_bytes(self, tag: u32) -> Option<u64> {
        let is_table = match self {
            Self::Root => tag::PALETTE_DATA.contains(&tag) || tag::SEGMENTED_PALETTE_DATA.contains(&tag),
            Self::ModalityLut | Self::VoiLut => tag == tag::LUT_DATA,
            _ => false,
        };
        if is_table {
            return Some(LUT_DATA_MAX_BYTES);
        }
        let is_offset_table = matches!(tag, tag::EXTENDED_OFFSET_TABLE | tag::EXTENDED_OFFSET_TABLE_LENGTHS);
        (self == Self::Root && is_offset_table).then_some(EXTENDED_OFFSET_TABLE_MAX_BYTES)
    }
}

/// Attributes of the data set itself that are kept, ascending.
const ROOT: [u32; 59] = [
    tag::IMAGE_TYPE,
    tag::SOP_CLASS_UID,
    tag::SOP_INSTANCE_UID,
    tag::STUDY_DATE,
    tag::SERIES_DATE,
    tag::ACQUISITION_DATE,
    tag::CONTENT_DATE,
    tag::STUDY_TIME,
    tag::SERIES_TIME,
    tag::ACQUISITION_TIME,
    tag::CONTENT_TIME,
    tag::ACCESSION_NUMBER,
    tag::MODALITY,
    tag::MANUFACTURER,
    tag::INSTITUTION_NAME,
    tag::REFERRING_PHYSICIAN_NAME,
    tag::STATION_NAME,
    tag::STUDY_DESCRIPTION,
    tag::SERIES_DESCRIPTION,
    tag::PATIENT_NAME,
    tag::PATIENT_ID,
    tag::ISSUER_OF_PATIENT_ID,
    tag::PATIENT_BIRTH_DATE,
    tag::PATIENT_SEX,
    tag::BODY_PART_EXAMINED,
    tag::PROTOCOL_NAME,
    tag::VIEW_POSITION,
    tag::STUDY_INSTANCE_UID,
    tag::SERIES_INSTANCE_UID,
    tag::STUDY_ID,
    tag::SERIES_NUMBER,
    tag::INSTANCE_NUMBER,
    tag::LATERALITY,
    tag::IMAGE_LATERALITY,
    tag::SAMPLES_PER_PIXEL,
    tag::PHOTOMETRIC_INTERPRETATION,
    tag::PLANAR_CONFIGURATION,
    tag::NUMBER_OF_FRAMES,
    tag::ROWS,
    tag::COLUMNS,
    tag::BITS_ALLOCATED,
    tag::BITS_STORED,
    tag::HIGH_BIT,
    tag::PIXEL_REPRESENTATION,
    tag::PIXEL_PADDING_VALUE,
    tag::PIXEL_PADDING_RANGE_LIMIT,
    tag::WINDOW_CENTER,
    tag::WINDOW_WIDTH,
    tag::RESCALE_INTERCEPT,
    tag::RESCALE_SLOPE,
    tag::VOI_LUT_FUNCTION,
    tag::PALETTE_DESCRIPTORS[0],
    tag::PALETTE_DESCRIPTORS[1],
    tag::PALETTE_DESCRIPTORS[2],
    tag::LOSSY_IMAGE_COMPRESSION,
    tag::REPRESENTATIVE_FRAME_NUMBER,
    tag::PERFORMED_PROCEDURE_STEP_START_DATE,
    tag::PERFORMED_PROCEDURE_STEP_START_TIME,
    tag::PRESENTATION_LUT_SHAPE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ascends() {
        assert!(ROOT.is_sorted());
    }
}
