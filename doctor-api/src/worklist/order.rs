//! What a worklist item says, on its way in and out. A field that is an attribute has the attribute's name.

use model::{
    StudyInstanceUid,
    worklist::{ScheduledProcedureStep, WorklistOrder},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::step::StepBody;
use crate::input::check::Checks;

/// Steps of one item.
const STEPS_MAX: usize = 20;
/// PS3.5 6.2: SH and CS.
pub(super) const SHORT_LENGTH_MAX: usize = 16;
/// PS3.5 6.2: LO.
pub(super) const LONG_LENGTH_MAX: usize = 64;
/// PS3.5 6.2: PN, three component groups.
pub(super) const NAME_LENGTH_MAX: usize = 3 * 64 + 2;

/// A requested procedure and its patient.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorklistOrder)]
pub struct OrderBody {
    /// Study Instance UID (0020,000D) that modalities are to use; made when it is left out.
    #[schema(max_length = 64)]
    study_instance_uid: Option<String>,
    /// Accession Number (0008,0050).
    #[serde(default)]
    #[schema(example = "A-2026-17", max_length = 16)]
    accession_number: String,
    /// Requested Procedure ID (0040,1001); made when it is left out.
    #[schema(max_length = 16)]
    requested_procedure_id: Option<String>,
    /// Requested Procedure Description (0032,1060).
    #[serde(default)]
    #[schema(example = "Chest, two views", max_length = 64)]
    requested_procedure_description: String,
    /// Requesting Physician (0032,1032).
    #[serde(default)]
    #[schema(max_length = 194)]
    requesting_physician: String,
    /// Referring Physician's Name (0008,0090).
    #[serde(default)]
    #[schema(max_length = 194)]
    referring_physician_name: String,
    /// Patient ID (0010,0020).
    #[schema(example = "P-1001", min_length = 1, max_length = 64)]
    patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    #[serde(default)]
    #[schema(max_length = 64)]
    issuer_of_patient_id: String,
    /// Patient's Name (0010,0010).
    #[schema(example = "Mensah^Kofi", min_length = 1, max_length = 194)]
    patient_name: String,
    /// Patient's Birth Date (0010,0030): `YYYYMMDD`.
    #[serde(default)]
    #[schema(example = "19800229", max_length = 8)]
    patient_birth_date: String,
    /// Patient's Sex (0010,0040): `M`, `F` or `O`.
    #[serde(default)]
    #[schema(example = "M", max_length = 1)]
    patient_sex: String,
    /// The consultation that the study is linked to when it comes, or at once when it is here already.
    consultation_id: Option<Uuid>,
    /// Scheduled Procedure Step Sequence (0040,0100).
    #[schema(min_items = 1, max_items = 20)]
    scheduled_procedure_step_sequence: Vec<StepBody>,
}

/// One value of an attribute: a backslash would make it two.
pub(super) fn value(checks: &mut Checks, field: &str, text: &str, length_max: usize) {
    checks.line(field, text, length_max);
    checks.require(!text.contains('\\'), field, "holds a backslash");
}

pub(super) fn is_date(text: &str) -> bool {
    text.len() == 8 && chrono::NaiveDate::parse_from_str(text, "%Y%m%d").is_ok()
}

/// 48 bits of chance: people read it aloud.
fn short_id() -> String {
    format!("{:012X}", Uuid::now_v7().as_u128() & 0xFFFF_FFFF_FFFF)
}

impl OrderBody {
    /// The order, each field checked; what is wrong is noted in `checks`. `study` is what it has when it names none.
    pub fn parse(self, checks: &mut Checks, study: StudyInstanceUid) -> WorklistOrder {
        checks.require(!self.patient_id.trim().is_empty(), "patient_id", "is empty");
        checks.patient_id("patient_id", &self.patient_id);
        checks.patient_id("issuer_of_patient_id", &self.issuer_of_patient_id);
        checks.require(!self.patient_name.trim().is_empty(), "patient_name", "is empty");
        let requested_procedure_id = self.requested_procedure_id.unwrap_or_else(short_id);
        checks.require(!requested_procedure_id.trim().is_empty(), "requested_procedure_id", "is empty");
        for (field, text, length_max) in [
            ("accession_number", &self.accession_number, SHORT_LENGTH_MAX),
            ("requested_procedure_id", &requested_procedure_id, SHORT_LENGTH_MAX),
            ("requested_procedure_description", &self.requested_procedure_description, LONG_LENGTH_MAX),
            ("requesting_physician", &self.requesting_physician, NAME_LENGTH_MAX),
            ("referring_physician_name", &self.referring_physician_name, NAME_LENGTH_MAX),
            ("patient_name", &self.patient_name, NAME_LENGTH_MAX),
        ] {
            value(checks, field, text, length_max);
        }
        let born = self.patient_birth_date.is_empty() || is_date(&self.patient_birth_date);
        checks.require(born, "patient_birth_date", "is no date YYYYMMDD");
        let sex = ["", "M", "F", "O"].contains(&self.patient_sex.as_str());
        checks.require(sex, "patient_sex", "is not M, F or O");
        let study_instance_uid = match self.study_instance_uid.map(|uid| StudyInstanceUid::parse(&uid)) {
            None => study,
            Some(Ok(uid)) => uid,
            Some(Err(error)) => {
                checks.refuse("study_instance_uid", error.to_string());
                study
            }
        };
        let steps = steps(checks, self.scheduled_procedure_step_sequence, &requested_procedure_id);
        WorklistOrder {
            study_instance_uid,
            accession_number: self.accession_number,
            requested_procedure_id,
            requested_procedure_description: self.requested_procedure_description,
            requesting_physician: self.requesting_physician,
            referring_physician_name: self.referring_physician_name,
            patient_id: self.patient_id,
            issuer_of_patient_id: self.issuer_of_patient_id,
            patient_name: self.patient_name,
            patient_birth_date: self.patient_birth_date,
            patient_sex: self.patient_sex,
            consultation_id: self.consultation_id,
            steps,
        }
    }
}

fn steps(
    checks: &mut Checks,
    bodies: Vec<StepBody>,
    requested_procedure_id: &str,
) -> Vec<ScheduledProcedureStep> {
    const FIELD: &str = "scheduled_procedure_step_sequence";
    checks.require(!bodies.is_empty(), FIELD, "is empty");
    checks.require(bodies.len() <= STEPS_MAX, FIELD, "has more than 20 entries");
    let mut steps: Vec<ScheduledProcedureStep> = Vec::new();
    for (index, body) in bodies.into_iter().take(STEPS_MAX).enumerate() {
        let place = format!("{FIELD}[{index}]");
        let plain = requested_procedure_id.chars().filter(|one| !one.is_control() && *one != '\\');
        let made: String = plain.take(SHORT_LENGTH_MAX - 3).collect();
        if let Some(step) = body.parse(checks, &place, format!("{made}-{}", index + 1)) {
            let field = format!("{place}.scheduled_procedure_step_id");
            checks.require(steps.iter().all(|one| one.step_id != step.step_id), &field, "is given twice");
            steps.push(step);
        }
    }
    steps
}

impl From<WorklistOrder> for OrderBody {
    fn from(order: WorklistOrder) -> Self {
        Self {
            study_instance_uid: Some(order.study_instance_uid.into()),
            accession_number: order.accession_number,
            requested_procedure_id: Some(order.requested_procedure_id),
            requested_procedure_description: order.requested_procedure_description,
            requesting_physician: order.requesting_physician,
            referring_physician_name: order.referring_physician_name,
            patient_id: order.patient_id,
            issuer_of_patient_id: order.issuer_of_patient_id,
            patient_name: order.patient_name,
            patient_birth_date: order.patient_birth_date,
            patient_sex: order.patient_sex,
            consultation_id: order.consultation_id,
            scheduled_procedure_step_sequence: order.steps.into_iter().map(StepBody::from).collect(),
        }
    }
}
