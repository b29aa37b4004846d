//! A scheduled procedure step, on its way in and out.

use model::{
    AeTitle,
    worklist::{ScheduledProcedureStep, StepStatus},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::{LONG_LENGTH_MAX, NAME_LENGTH_MAX, SHORT_LENGTH_MAX, is_date, value};
use crate::input::check::Checks;

/// What a modality has to do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScheduledProcedureStep)]
pub struct StepBody {
    /// Scheduled Procedure Step ID (0040,0009); made when it is left out.
    #[schema(max_length = 16)]
    scheduled_procedure_step_id: Option<String>,
    /// Scheduled Station AE Title (0040,0001).
    #[schema(example = "CR_ROOM_1", max_length = 16)]
    scheduled_station_ae_title: String,
    /// Scheduled Station Name (0040,0010).
    #[serde(default)]
    #[schema(max_length = 16)]
    scheduled_station_name: String,
    /// Scheduled Procedure Step Location (0040,0011).
    #[serde(default)]
    #[schema(max_length = 16)]
    scheduled_procedure_step_location: String,
    /// Modality (0008,0060).
    #[schema(example = "DX", min_length = 1, max_length = 16)]
    modality: String,
    /// Scheduled Procedure Step Start Date (0040,0002): `YYYYMMDD`, as the clock of the station shows it.
    #[schema(example = "20260131", min_length = 8, max_length = 8)]
    scheduled_procedure_step_start_date: String,
    /// Scheduled Procedure Step Start Time (0040,0003): `HHMM` or `HHMMSS`.
    #[schema(example = "0930", min_length = 4, max_length = 6)]
    scheduled_procedure_step_start_time: String,
    /// Scheduled Performing Physician's Name (0040,0006).
    #[serde(default)]
    #[schema(max_length = 194)]
    scheduled_performing_physician_name: String,
    /// Scheduled Procedure Step Description (0040,0007).
    #[serde(default)]
    #[schema(max_length = 64)]
    scheduled_procedure_step_description: String,
    /// Scheduled Procedure Step Status (0040,0020): `SCHEDULED` when left out, `ARRIVED`, `READY`, `STARTED`,
    /// `COMPLETED`, `DISCONTINUED` or `CANCELED`.
    #[schema(example = "SCHEDULED")]
    scheduled_procedure_step_status: Option<String>,
}

/// `HHMMSS`, so that times compare as texts.
fn time(text: &str) -> Option<String> {
    let whole = match text.len() {
        4 => format!("{text}00"),
        6 => text.to_owned(),
        _ => return None,
    };
    chrono::NaiveTime::parse_from_str(&whole, "%H%M%S").ok().map(|_| whole)
}

impl StepBody {
    /// The step, each field checked; what is wrong is noted under `place`.
    pub(super) fn parse(
        self,
        checks: &mut Checks,
        place: &str,
        made_id: String,
    ) -> Option<ScheduledProcedureStep> {
        let field = |name: &str| format!("{place}.{name}");
        let step_id = self.scheduled_procedure_step_id.unwrap_or(made_id);
        checks.require(!step_id.trim().is_empty(), &field("scheduled_procedure_step_id"), "is empty");
        for (name, text, length_max) in [
            ("scheduled_procedure_step_id", &step_id, SHORT_LENGTH_MAX),
            ("scheduled_station_name", &self.scheduled_station_name, SHORT_LENGTH_MAX),
            ("scheduled_procedure_step_location", &self.scheduled_procedure_step_location, SHORT_LENGTH_MAX),
            (
                "scheduled_performing_physician_name",
                &self.scheduled_performing_physician_name,
                NAME_LENGTH_MAX,
            ),
            (
                "scheduled_procedure_step_description",
                &self.scheduled_procedure_step_description,
                LONG_LENGTH_MAX,
            ),
        ] {
            value(checks, &field(name), text, length_max);
        }
        let code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _".contains(&byte);
        let is_code =
            (1..=SHORT_LENGTH_MAX).contains(&self.modality.len()) && self.modality.bytes().all(code);
        checks.require(is_code, &field("modality"), "is no code like DX");
        let date = field("scheduled_procedure_step_start_date");
        checks.require(is_date(&self.scheduled_procedure_step_start_date), &date, "is no date YYYYMMDD");
        let start_time = time(&self.scheduled_procedure_step_start_time);
        let no_time = field("scheduled_procedure_step_start_time");
        checks.require(start_time.is_some(), &no_time, "is no time HHMM or HHMMSS");
        let title = AeTitle::parse(&self.scheduled_station_ae_title);
        if let Err(error) = &title {
            checks.refuse(&field("scheduled_station_ae_title"), error.to_string());
        }
        let status = match self.scheduled_procedure_step_status.as_deref() {
            None => Some(StepStatus::default()),
            Some(text) => StepStatus::parse(text),
        };
        checks.require(status.is_some(), &field("scheduled_procedure_step_status"), "is no such status");
        Some(ScheduledProcedureStep {
            step_id,
            station_ae_title: title.ok()?,
            station_name: self.scheduled_station_name,
            location: self.scheduled_procedure_step_location,
            modality: self.modality,
            start_date: self.scheduled_procedure_step_start_date,
            start_time: start_time?,
            performing_physician_name: self.scheduled_performing_physician_name,
            description: self.scheduled_procedure_step_description,
            status: status?,
        })
    }
}

impl From<ScheduledProcedureStep> for StepBody {
    fn from(step: ScheduledProcedureStep) -> Self {
        Self {
            scheduled_procedure_step_id: Some(step.step_id),
            scheduled_station_ae_title: step.station_ae_title.into(),
            scheduled_station_name: step.station_name,
            scheduled_procedure_step_location: step.location,
            modality: step.modality,
            scheduled_procedure_step_start_date: step.start_date,
            scheduled_procedure_step_start_time: step.start_time,
            scheduled_performing_physician_name: step.performing_physician_name,
            scheduled_procedure_step_description: step.description,
            scheduled_procedure_step_status: Some(step.status.as_str().to_owned()),
        }
    }
}
