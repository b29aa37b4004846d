//! Licences to practise that are over: said to whoever signs, and forbidding nothing, since a profile is often behind.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use jiff::Timestamp;
use model::{
    clinical::{ClinicalDocument, Doctor, DocumentStatus},
    schedule::time_zone,
};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use crate::{errors, state::AppState};

/// The kind of the warning.
pub const LICENCE_ENDED: &str = "licence_ended";
/// What it is about.
pub const LICENCES: &str = "doctor.licences";

/// What to look at before signing.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DocumentWarning)]
pub struct DocumentWarningBody {
    /// `licence_ended`.
    #[schema(example = "licence_ended")]
    kind: &'static str,
    /// What it is about.
    #[schema(example = "doctor.licences")]
    field: &'static str,
    /// In words.
    message: String,
}

impl From<NaiveDate> for DocumentWarningBody {
    fn from(last_day: NaiveDate) -> Self {
        Self { kind: LICENCE_ENDED, field: LICENCES, message: message(last_day) }
    }
}

/// The warning in words.
pub fn message(last_day: NaiveDate) -> String {
    format!("the doctor's last licence ended on {last_day}: an administrator changes the profile")
}

/// The last day of the licences of a doctor when each of them is over by now, where the doctor is. One that does not say when it ends goes on.
pub fn ended(doctor: &Doctor, now: DateTime<Utc>) -> Option<NaiveDate> {
    let last_days: Option<Vec<_>> =
        doctor.details.licences.iter().map(|licence| licence.expires_on).collect();
    let last_day = last_days?.into_iter().max()?;
    (last_day < today(doctor, now)).then_some(last_day)
}

/// The same for the doctor of a draft. What is signed already was looked at then.
pub async fn ended_of_draft<C>(
    state: &AppState,
    document: &ClinicalDocument<C>,
) -> Result<Option<NaiveDate>, Problem> {
    if document.status != DocumentStatus::Draft {
        return Ok(None);
    }
    let doctor = state.database().doctor(document.doctor_id).await.map_err(errors::database)?;
    Ok(doctor.and_then(|doctor| ended(&doctor, state.clock.now())))
}

/// A zone that nobody knows any more counts as UTC.
fn today(doctor: &Doctor, now: DateTime<Utc>) -> NaiveDate {
    let zone = time_zone(&doctor.time_zone).zip(Timestamp::from_second(now.timestamp()).ok());
    let offset = zone.map_or(0, |(zone, at)| zone.to_offset(at).seconds());
    (now + TimeDelta::seconds(i64::from(offset))).date_naive()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use model::clinical::{DoctorDetails, Licence};
    use uuid::Uuid;

    use super::*;

    fn doctor(time_zone: &str, last_days: &[Option<&str>]) -> Doctor {
        let licence = |expires_on: Option<&str>| Licence {
            number: "L-1".to_owned(),
            issuer: "Council".to_owned(),
            expires_on: expires_on.map(|day| day.parse().expect("a date")),
        };
        let licences = last_days.iter().copied().map(licence).collect();
        Doctor {
            id: Uuid::nil(),
            name: "Ada".to_owned(),
            specialties: Vec::new(),
            languages: Vec::new(),
            time_zone: time_zone.to_owned(),
            licence_number: String::new(),
            contact: String::new(),
            details: DoctorDetails { licences, ..DoctorDetails::default() },
            active: true,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_licence_is_good_on_its_last_day_where_the_doctor_is() {
        let now = Utc.with_ymd_and_hms(2026, 5, 3, 20, 0, 0).single().expect("a time");
        let (yesterday, today) = (Some("2026-05-02"), Some("2026-05-03"));
        for (zone, last_days, is_over) in [
            ("UTC", &[yesterday][..], true),
            ("UTC", &[today], false),
            ("", &[today], false),
            // There it is the fourth already.
            ("Asia/Tokyo", &[today], true),
            ("America/New_York", &[today], false),
            ("UTC", &[yesterday, today], false),
            ("UTC", &[None, yesterday], false),
            ("UTC", &[None], false),
            ("UTC", &[], false),
        ] {
            let ended = ended(&doctor(zone, last_days), now);
            assert_eq!(ended.is_some(), is_over, "{zone} {last_days:?}");
        }
    }
}
