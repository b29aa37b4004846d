//! What a report says, as JSON.

use model::clinical::{Coding, ReportContent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::documents::patient::PatientBody;

/// What is reported. A draft may lack findings and impression; what is signed does not.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportContentBody {
    /// Study Instance UIDs (0020,000D) of what was read: studies of the consultation, or of its patient.
    #[schema(min_items = 1, max_items = 50, example = json!(["1.2.826.0.1.3680043.8.498.1"]))]
    pub study_instance_uids: Vec<String>,
    /// Why the images were made.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Cough and fever for three days.")]
    pub clinical_information: String,
    /// How they were made.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Chest, PA and lateral.")]
    pub technique: String,
    /// With which earlier ones they were compared.
    #[serde(default)]
    #[schema(max_length = 5000, example = "None.")]
    pub comparison: String,
    /// What is seen.
    #[serde(default)]
    #[schema(max_length = 20000, example = "Consolidation of the right lower lobe.")]
    pub findings: String,
    /// What it means.
    #[serde(default)]
    #[schema(max_length = 5000, example = "Pneumonia of the right lower lobe.")]
    pub impression: String,
    /// The diagnoses, as codes.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub codes: Vec<CodingBody>,
    /// Somebody has to act at once: the event says so, and the paper says it first.
    #[serde(default)]
    pub critical: bool,
    /// Why, and whom you told; only when it is critical.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub critical_result: String,
    /// Whom it is about, as it is printed; left out, it stays as it is.
    #[serde(default)]
    pub patient: Option<PatientBody>,
}

impl From<ReportContentBody> for ReportContent {
    fn from(body: ReportContentBody) -> Self {
        Self {
            study_instance_uids: body.study_instance_uids,
            clinical_information: body.clinical_information,
            technique: body.technique,
            comparison: body.comparison,
            findings: body.findings,
            impression: body.impression,
            codes: body.codes.into_iter().map(Into::into).collect(),
            critical: body.critical,
            critical_result: body.critical_result,
            patient: body.patient.map(Into::into),
        }
    }
}

/// A diagnosis as a code of a system, with its words.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Coding)]
pub struct CodingBody {
    /// `http://hl7.org/fhir/sid/icd-10`, `http://hl7.org/fhir/sid/icd-10-cm`, `http://snomed.info/sct` or
    /// `http://www.radlex.org`.
    #[schema(example = "http://hl7.org/fhir/sid/icd-10")]
    system: String,
    /// The code.
    #[schema(example = "J18.9", max_length = 18)]
    code: String,
    /// What it stands for.
    #[schema(example = "Pneumonia, unspecified organism", max_length = 300)]
    text: String,
}

impl From<CodingBody> for Coding {
    fn from(CodingBody { system, code, text }: CodingBody) -> Self {
        Self { system, code, text }
    }
}

impl From<Coding> for CodingBody {
    fn from(Coding { system, code, text }: Coding) -> Self {
        Self { system, code, text }
    }
}
