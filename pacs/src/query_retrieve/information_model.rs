//! PS3.4 C.3 and C.6: the information models, their levels, and the SOP classes that ask by them.

use dicom_dictionary_std::uids;
use model::ae::AeOperation;

/// Query/Retrieve Level (0008,0052).
pub const QUERY_RETRIEVE_LEVEL: u32 = 0x0008_0052;

/// What a query or retrieve goes through, from the top down (PS3.4 C.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InformationModel {
    /// Patient, study, series, instance (PS3.4 C.6.1).
    PatientRoot,
    /// Study, series, instance; the patient's attributes are the study's (PS3.4 C.6.2).
    StudyRoot,
    /// Patient and study (PS3.4 C.6.3, retired): some machines know no other.
    PatientStudyOnly,
}

/// Query/Retrieve Level (0008,0052).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueryLevel {
    /// PATIENT
    Patient,
    /// STUDY
    Study,
    /// SERIES
    Series,
    /// IMAGE
    Image,
}

use QueryLevel::{Image, Patient, Series, Study};

impl InformationModel {
    /// Its levels from the top down.
    pub fn levels(self) -> &'static [QueryLevel] {
        match self {
            Self::PatientRoot => &[Patient, Study, Series, Image],
            Self::StudyRoot => &[Study, Series, Image],
            Self::PatientStudyOnly => &[Patient, Study],
        }
    }
}

impl QueryLevel {
    /// Reads the value of (0008,0052).
    pub fn parse(text: &str) -> Option<Self> {
        [Patient, Study, Series, Image].into_iter().find(|level| level.as_str() == text)
    }

    /// The value of (0008,0052).
    pub fn as_str(self) -> &'static str {
        match self {
            Patient => "PATIENT",
            Study => "STUDY",
            Series => "SERIES",
            Image => "IMAGE",
        }
    }

    /// Its Unique Key (PS3.4 C.6): Patient ID, or the UID.
    pub fn unique_key(self) -> u32 {
        match self {
            Patient => 0x0010_0020,
            Study => 0x0020_000D,
            Series => 0x0020_000E,
            Image => 0x0008_0018,
        }
    }
}

/// Every SOP class, its model and its operation.
pub const SOP_CLASSES: &[(&str, InformationModel, AeOperation)] = {
    use AeOperation::{Find, Get, Move};
    use InformationModel::{PatientRoot, PatientStudyOnly, StudyRoot};
    #[expect(deprecated, reason = "the retired model is asked for by name")]
    &[
        (uids::PATIENT_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND, PatientRoot, Find),
        (uids::PATIENT_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE, PatientRoot, Move),
        (uids::PATIENT_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_GET, PatientRoot, Get),
        (uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND, StudyRoot, Find),
        (uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE, StudyRoot, Move),
        (uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_GET, StudyRoot, Get),
        (uids::PATIENT_STUDY_ONLY_QUERY_RETRIEVE_INFORMATION_MODEL_FIND, PatientStudyOnly, Find),
        (uids::PATIENT_STUDY_ONLY_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE, PatientStudyOnly, Move),
        (uids::PATIENT_STUDY_ONLY_QUERY_RETRIEVE_INFORMATION_MODEL_GET, PatientStudyOnly, Get),
    ]
};

/// The model and operation of a Query/Retrieve SOP class (PS3.4 C.6).
pub fn of_sop_class(sop_class_uid: &str) -> Option<(InformationModel, AeOperation)> {
    let found = SOP_CLASSES.iter().find(|(uid, ..)| *uid == sop_class_uid)?;
    Some((found.1, found.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_every_operation() {
        for last in 1..=3 {
            for (model, operation) in [(1, AeOperation::Find), (2, AeOperation::Move), (3, AeOperation::Get)]
            {
                let uid = format!("1.2.840.10008.5.1.4.1.2.{last}.{model}");
                assert_eq!(of_sop_class(&uid).map(|found| found.1), Some(operation), "{uid}");
            }
        }
        assert_eq!(of_sop_class("1.2.840.10008.5.1.4.39.2"), None, "palettes belong to no study");
    }

    #[test]
    fn a_level_is_spelt_as_the_standard_does() {
        for level in InformationModel::PatientRoot.levels() {
            assert_eq!(QueryLevel::parse(level.as_str()), Some(*level));
        }
        for text in ["", "INSTANCE", "study", "STUDY\\SERIES"] {
            assert_eq!(QueryLevel::parse(text), None, "{text}");
        }
    }
}
