//! Emergency accesses: a doctor reads one patient's studies for a short time, says why, and somebody else reviews it.

pub mod end_break_glass;
pub mod list_break_glass;
pub mod list_reviews;
pub mod review_break_glass;
pub mod start_break_glass;
pub mod watch;

use chrono::{DateTime, Utc};
use database::BreakGlass;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Accesses that are listed at once.
const LISTED_MAX: u32 = 100;

/// An emergency access.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BreakGlass)]
pub struct BreakGlassBody {
    /// Identity.
    id: Uuid,
    /// The account.
    user_id: Uuid,
    /// Its doctor.
    doctor_id: Uuid,
    /// Patient ID (0010,0020).
    patient_id: String,
    /// Issuer of Patient ID (0010,0021), often empty.
    issuer_of_patient_id: String,
    /// Why.
    reason: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// When it was reviewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewed_at: Option<DateTime<Utc>>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewed_by: Option<Uuid>,
    /// What the reviewer wrote.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    review_note: String,
}

/// Emergency accesses.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakGlassList {
    /// The newest first, at most 100.
    items: Vec<BreakGlassBody>,
}

impl From<Vec<BreakGlass>> for BreakGlassList {
    fn from(list: Vec<BreakGlass>) -> Self {
        Self { items: list.into_iter().map(Into::into).collect() }
    }
}

impl From<BreakGlass> for BreakGlassBody {
    fn from(access: BreakGlass) -> Self {
        Self {
            id: access.id,
            user_id: access.user_id,
            doctor_id: access.doctor_id,
            patient_id: access.patient_id,
            issuer_of_patient_id: access.issuer_of_patient_id,
            reason: access.reason,
            started_at: access.started_at,
            expires_at: access.expires_at,
            ended_at: access.ended_at,
            reviewed_at: access.reviewed_at,
            reviewed_by: access.reviewed_by,
            review_note: access.review_note,
        }
    }
}
