//! How long access lasts. Section `[access]`.

use serde::{Deserialize, Serialize};

/// Section `[access]`; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// How long a completed consultation still opens its studies to its doctor.
    pub closed_consultation_days: u32,
    /// How far back a consultation that a doctor books for himself opens the patient's studies. Without a bound any
    /// doctor could open any patient's past by a booking.
    pub self_booked_look_back_hours: u32,
    /// How long a paramedic sees own uploads after the case has ended, or without a case.
    pub upload_hours: u32,
    /// Life of a token for an image viewer; it ends with the consultation in any case.
    pub viewer_token_lifetime_seconds: u32,
    /// Life of a share link when the request does not say.
    pub share_lifetime_default_hours: u32,
    /// Life of a share link at most.
    pub share_lifetime_max_hours: u32,
    /// Life of the token that a share link is redeemed for.
    pub share_token_lifetime_seconds: u32,
    /// Wrong PINs of one share link, in all; then it is dead.
    pub share_pin_tries_max: u32,
    /// Uses of one share link at most.
    pub share_uses_max: u32,
    /// How long an emergency access lasts.
    pub break_glass_minutes: u32,
    /// Emergency accesses of one doctor within 24 hours.
    pub break_glass_per_day_max: u32,
    /// After this time without review a doctor's next emergency access is refused.
    pub break_glass_review_days: u32,
    /// How often a long download asks again whether it is still allowed.
    pub stream_check_interval_ms: u64,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            closed_consultation_days: 30,
            self_booked_look_back_hours: 24,
            upload_hours: 24,
            viewer_token_lifetime_seconds: 3_600,
            share_lifetime_default_hours: 24,
            share_lifetime_max_hours: 72,
            share_token_lifetime_seconds: 900,
            share_pin_tries_max: 5,
            share_uses_max: 100,
            break_glass_minutes: 30,
            break_glass_per_day_max: 3,
            break_glass_review_days: 7,
            stream_check_interval_ms: 10_000,
        }
    }
}
