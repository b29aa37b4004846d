//! When a room is open.

use chrono::{DateTime, TimeDelta, Utc};
use model::clinical::{Consultation, ConsultationStatus};
use service::http::problem::Problem;

use super::config::RoomConfig;
use crate::consultations::create_consultation::DURATION_DEFAULT_MINUTES;

/// Longest that one ticket lets in: a consultation may be in progress without an agreed end.
const TICKET_HOURS_MAX: i64 = 4;

/// Why a room is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nobody has agreed to the consultation.
    NotAgreed,
    /// It opens then.
    NotYet(DateTime<Utc>),
    /// Its time is over, or the consultation is.
    Over,
}

impl Closed {
    pub fn problem(self) -> Problem {
        match self {
            Self::NotAgreed => {
                Problem::conflict("the consultation is not agreed yet").kind("consultation-proposed")
            }
            Self::NotYet(opens_at) => {
                let at = opens_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                Problem::conflict(format!("the room opens at {at}")).kind("room-not-open")
            }
            Self::Over => Problem::conflict("the consultation, or its time, is over").kind("room-closed"),
        }
    }
}

/// Until when the room is open, when it is.
pub fn open_until(
    consultation: &Consultation,
    config: &RoomConfig,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Closed> {
    let longest = now + TimeDelta::hours(TICKET_HOURS_MAX);
    match consultation.status {
        ConsultationStatus::Proposed => return Err(Closed::NotAgreed),
        ConsultationStatus::InProgress => return Ok(longest),
        ConsultationStatus::Booked | ConsultationStatus::Arrived => {}
        _ => return Err(Closed::Over),
    }
    let opens_at = consultation.scheduled_at - minutes(config.opens_minutes_before);
    let default_end = || consultation.scheduled_at + minutes(DURATION_DEFAULT_MINUTES);
    let ends_at = consultation.ends_at.unwrap_or_else(default_end);
    let closes_at = ends_at + minutes(config.closes_minutes_after);
    if now < opens_at {
        Err(Closed::NotYet(opens_at))
    } else if now >= closes_at {
        Err(Closed::Over)
    } else {
        Ok(closes_at.min(longest))
    }
}

fn minutes(minutes: u32) -> TimeDelta {
    TimeDelta::minutes(i64::from(minutes))
}
