//! Settings of this door.

use serde::{Deserialize, Serialize};

use crate::rooms::config::{RoomConfig, RoomConfigError};

/// Section `[doctor_api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorApiConfig {
    /// Longest JSON body.
    pub body_length_max_bytes: usize,
    /// Rows of a list when the request does not say.
    pub page_default: u32,
    /// Most rows of a list.
    pub page_max: u32,
    /// Failed sign-ins of one user name in a minute.
    pub sign_ins_per_minute_per_user: u32,
    /// Failed sign-ins of one user name in an hour.
    pub sign_ins_per_hour_per_user: u32,
    /// Failed sign-ins from one address in a minute.
    pub sign_ins_per_minute_per_address: u32,
    /// Access tokens of one service account in a minute.
    pub client_tokens_per_minute: u32,
    /// Passwords checked at the same time; each takes 64 MiB.
    pub password_checks_max: usize,
    /// Pictures made into X-rays at the same time; each may take several hundred MiB.
    pub picture_decodes_max: usize,
    /// Listeners on `/events` at the same time.
    pub event_listeners_max: usize,
    /// Time between two keep-alive comments on `/events`.
    pub event_keep_alive_ms: u64,
    /// Longest picture that is made into an X-ray; DICOM files are bounded by the archive's own setting.
    pub picture_length_max_bytes: usize,
    /// Most X-rays listed for one study inside a consultation.
    pub xrays_per_study_max: usize,
    /// Section `[doctor_api.room]`.
    pub room: RoomConfig,
}

impl Default for DoctorApiConfig {
    fn default() -> Self {
        Self {
            body_length_max_bytes: 1 << 20,
            page_default: 100,
            page_max: 1_000,
            sign_ins_per_minute_per_user: 5,
            sign_ins_per_hour_per_user: 50,
            sign_ins_per_minute_per_address: 20,
            client_tokens_per_minute: 60,
            password_checks_max: 4,
            picture_decodes_max: 2,
            event_listeners_max: 1_024,
            event_keep_alive_ms: 15_000,
            picture_length_max_bytes: 64 << 20,
            xrays_per_study_max: 500,
            room: RoomConfig::default(),
        }
    }
}

impl DoctorApiConfig {
    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// What of the rooms lets nobody in.
    pub fn check(&self) -> Result<(), RoomConfigError> {
        self.room.check()
    }
}
