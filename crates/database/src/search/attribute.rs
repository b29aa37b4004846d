//! PS3.18 10.6.1.2 and PS3.4 C.6: the attributes that can be matched.

use super::Level;

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// UI: the text itself.
    Uid,
    /// CS, DA, TM: the text itself; wildcards without case.
    Code,
    /// CS with several values between backslashes: any of them.
    Codes,
    /// LO, SH: the folded column.
    Text,
    /// PN: the folded column, by component groups.
    PersonName,
    /// IS, US: as a number.
    Number,
    /// Modalities in Study: any series.
    AnySeries,
    /// SOP Classes in Study: any instance.
    AnyInstance,
}

macro_rules! attributes {
    ($($name:ident = $tag:literal $vr:ident $level:ident $kind:ident $column:literal;)*) => {
        /// An attribute that can be matched, named by its keyword.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Attribute {
            $(#[doc = concat!("Tag ", stringify!($tag), ", VR ", stringify!($vr), ".")] $name,)*
        }

        impl Attribute {
            /// Every attribute.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Group and element.
            pub fn tag(self) -> u32 {
                match self { $(Self::$name => $tag),* }
            }

            /// Value representation.
            pub fn vr(self) -> &'static str {
                match self { $(Self::$name => stringify!($vr)),* }
            }

            /// The level it belongs to; patient attributes belong to the study level.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),* }
            }

            /// Keyword of PS3.6.
            pub fn keyword(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            pub(super) fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),* }
            }

            /// Table and column that it is compared with.
            pub(super) fn column(self) -> &'static str {
                match self { $(Self::$name => $column),* }
            }
        }
    };
}

attributes! {
    PatientID = 0x0010_0020 LO Study Text "patient.patient_id_folded";
    IssuerOfPatientID = 0x0010_0021 LO Study Text "patient.issuer_of_patient_id_folded";
    PatientName = 0x0010_0010 PN Study PersonName "patient.patient_name_folded";
    PatientBirthDate = 0x0010_0030 DA Study Code "patient.patient_birth_date";
    PatientSex = 0x0010_0040 CS Study Code "patient.patient_sex";
    StudyInstanceUID = 0x0020_000D UI Study Uid "study.study_instance_uid";
    StudyDate = 0x0008_0020 DA Study Code "study.study_date";
    StudyTime = 0x0008_0030 TM Study Code "study.study_time";
    AccessionNumber = 0x0008_0050 SH Study Text "study.accession_number_folded";
    StudyID = 0x0020_0010 SH Study Text "study.study_id_folded";
    StudyDescription = 0x0008_1030 LO Study Text "study.study_description_folded";
    ReferringPhysicianName = 0x0008_0090 PN Study PersonName "study.referring_physician_name_folded";
    ModalitiesInStudy = 0x0008_0061 CS Study AnySeries "of_study.modality";
    SOPClassesInStudy = 0x0008_0062 UI Study AnyInstance "of_series.sop_class_uid";
    SeriesInstanceUID = 0x0020_000E UI Series Uid "series.series_instance_uid";
    Modality = 0x0008_0060 CS Series Code "series.modality";
    SeriesNumber = 0x0020_0011 IS Series Number "series.series_number";
    SeriesDate = 0x0008_0021 DA Series Code "series.series_date";
    SeriesTime = 0x0008_0031 TM Series Code "series.series_time";
    SeriesDescription = 0x0008_103E LO Series Text "series.series_description_folded";
    BodyPartExamined = 0x0018_0015 CS Series Code "series.body_part_examined";
    Laterality = 0x0020_0060 CS Series Code "series.laterality";
    ProtocolName = 0x0018_1030 LO Series Text "series.protocol_name_folded";
    Manufacturer = 0x0008_0070 LO Series Text "series.manufacturer_folded";
    InstitutionName = 0x0008_0080 LO Series Text "series.institution_name_folded";
    StationName = 0x0008_1010 SH Series Text "series.station_name_folded";
    PerformedProcedureStepStartDate = 0x0040_0244 DA Series Code "series.performed_procedure_step_start_date";
    PerformedProcedureStepStartTime = 0x0040_0245 TM Series Code "series.performed_procedure_step_start_time";
    ScheduledProcedureStepID = 0x0040_0009 SH Series Text "series.scheduled_procedure_step_id_folded";
    RequestedProcedureID = 0x0040_1001 SH Series Text "series.requested_procedure_id_folded";
    SOPInstanceUID = 0x0008_0018 UI Instance Uid "instance.sop_instance_uid";
    SOPClassUID = 0x0008_0016 UI Instance Uid "instance.sop_class_uid";
    AvailableTransferSyntaxUID = 0x0008_3002 UI Instance Uid "instance.transfer_syntax_uid";
    InstanceNumber = 0x0020_0013 IS Instance Number "instance.instance_number";
    NumberOfFrames = 0x0028_0008 IS Instance Number "instance.number_of_frames";
    Rows = 0x0028_0010 US Instance Number "instance.rows";
    Columns = 0x0028_0011 US Instance Number "instance.columns";
    BitsAllocated = 0x0028_0100 US Instance Number "instance.bits_allocated";
    ContentDate = 0x0008_0023 DA Instance Code "instance.content_date";
    ContentTime = 0x0008_0033 TM Instance Code "instance.content_time";
    AcquisitionDate = 0x0008_0022 DA Instance Code "instance.acquisition_date";
    AcquisitionTime = 0x0008_0032 TM Instance Code "instance.acquisition_time";
    ImageType = 0x0008_0008 CS Instance Codes "instance.image_type";
    ViewPosition = 0x0018_5101 CS Instance Code "instance.view_position";
}

impl Attribute {
    /// It is a column of the table `patient`.
    pub(super) fn is_of_patient(self) -> bool {
        self.column().starts_with("patient.")
    }

    /// Whether rows of `level` can be sorted by it: it has one value there.
    pub fn sorts(self, level: Level) -> bool {
        self.level() <= level && !matches!(self.kind(), Kind::AnySeries | Kind::AnyInstance | Kind::Codes)
    }

    /// The time that belongs to a date (PS3.4 C.2.2.2.5.1).
    pub(super) fn time_of_date(self) -> Option<Self> {
        Some(match self {
            Self::StudyDate => Self::StudyTime,
            Self::SeriesDate => Self::SeriesTime,
            Self::PerformedProcedureStepStartDate => Self::PerformedProcedureStepStartTime,
            Self::ContentDate => Self::ContentTime,
            Self::AcquisitionDate => Self::AcquisitionTime,
            _ => return None,
        })
    }

    /// The attribute with this tag, when it can be matched.
    pub fn from_tag(tag: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|attribute| attribute.tag() == tag)
    }

    /// The attribute with this keyword, when it can be matched.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|attribute| attribute.keyword() == keyword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Attribute {
        /// There is an attribute of the same name that ends in Time.
        fn has_time(self) -> bool {
            let name = self.keyword().strip_suffix("Date");
            name.is_some_and(|name| Attribute::from_keyword(&format!("{name}Time")).is_some())
        }
    }

    #[test]
    fn tags_and_keywords_are_unique() {
        for attribute in Attribute::ALL {
            assert_eq!(Attribute::from_tag(attribute.tag()), Some(*attribute));
            assert_eq!(Attribute::from_keyword(attribute.keyword()), Some(*attribute));
            assert_eq!(attribute.time_of_date().is_some(), attribute.vr() == "DA" && attribute.has_time());
        }
    }
}
