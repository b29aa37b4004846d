//! Settings of this door.

use serde::{Deserialize, Serialize};
use service::identity::SignInLimits;

use crate::{
    prescriptions::config::PrescriptionConfig,
    rooms::config::{RoomConfig, RoomConfigError},
};

/// Section `[doctor_api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorApiConfig {
    /// Where this door is reached from outside, as `https://clinic.example.org`; empty when nobody said.
    pub public_url: String,
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
    /// Failed sign-ins from one address in a minute; as many refresh tokens that are not good, and tries to use a share link.
    pub sign_ins_per_minute_per_address: u32,
    /// Access tokens of one service account in a minute.
    pub client_tokens_per_minute: u32,
    /// Passwords checked at the same time; each takes 64 MiB.
    pub password_checks_max: usize,
    /// Pictures made into X-rays at the same time; each may take several hundred MiB.
    pub picture_decodes_max: usize,
    /// Listeners on `/events` at the same time.
    pub event_listeners_max: usize,
    /// Of them for one account.
    pub event_listeners_per_account_max: usize,
    /// Time between two keep-alive comments on `/events`.
    pub event_keep_alive_ms: u64,
    /// Longest picture that is made into an X-ray; DICOM files are bounded by the archive's own setting.
    pub picture_length_max_bytes: usize,
    /// Most X-rays listed for one study inside a consultation.
    pub xrays_per_study_max: usize,
    /// Section `[doctor_api.prescription]`.
    pub prescription: PrescriptionConfig,
    /// Section `[doctor_api.room]`.
    pub room: RoomConfig,
}

impl Default for DoctorApiConfig {
    fn default() -> Self {
        Self {
            public_url: String::new(),
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
            event_listeners_per_account_max: 32,
            event_keep_alive_ms: 15_000,
            picture_length_max_bytes: 64 << 20,
            xrays_per_study_max: 500,
            prescription: PrescriptionConfig::default(),
            room: RoomConfig::default(),
        }
    }
}

/// Settings that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoctorApiConfigError {
    /// Nobody can be led there.
    PublicUrl,
    /// No PDF would ever be made.
    NoPdfs,
    /// Nobody would ever hear of an event.
    NoListeners,
    /// The rooms let nobody in.
    Room(RoomConfigError),
}

impl std::fmt::Display for DoctorApiConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PublicUrl => f.write_str(
                "doctor_api.public_url must be an http or https URL without query, quotes or white space, of at most \
                 300 characters",
            ),
            Self::NoPdfs => f.write_str("doctor_api.prescription.pdfs_max must be at least 1"),
            Self::NoListeners => f.write_str("doctor_api.event_listeners_per_account_max must be at least 1"),
            Self::Room(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DoctorApiConfigError {}

/// Longest `public_url`: the code on a prescription holds it.
const PUBLIC_URL_LENGTH_MAX: usize = 300;

impl DoctorApiConfig {
    /// How often a sign-in may fail, at this door and at others.
    pub fn sign_in_limits(&self) -> SignInLimits {
        SignInLimits {
            per_minute_per_user: self.sign_ins_per_minute_per_user,
            per_hour_per_user: self.sign_ins_per_hour_per_user,
            per_minute_per_address: self.sign_ins_per_minute_per_address,
            password_checks_max: self.password_checks_max,
        }
    }

    /// Says which setting makes no sense.
    ///
    /// # Errors
    /// See [`DoctorApiConfigError`].
    pub fn check(&self) -> Result<(), DoctorApiConfigError> {
        if !self.public_url.is_empty() && !is_plain_url(&self.public_url) {
            return Err(DoctorApiConfigError::PublicUrl);
        }
        if self.prescription.pdfs_max == 0 {
            return Err(DoctorApiConfigError::NoPdfs);
        }
        if self.event_listeners_per_account_max == 0 {
            return Err(DoctorApiConfigError::NoListeners);
        }
        self.room.check().map_err(DoctorApiConfigError::Room)
    }
}

fn is_plain_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let safe = |byte: u8| byte.is_ascii_graphic() && !b"\"\\?#<>,;".contains(&byte);
    url.len() <= PUBLIC_URL_LENGTH_MAX && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(safe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let with = |url: &str| DoctorApiConfig { public_url: url.into(), ..DoctorApiConfig::default() };
        for url in ["", "https://clinic.example", "http://127.0.0.1:8080/maxray/"] {
            assert_eq!(with(url).check(), Ok(()), "{url}");
        }
        let long = format!("https://{}", "x".repeat(PUBLIC_URL_LENGTH_MAX));
        for url in ["clinic.example", "ftp://x", "https://", "https://x?y=", "https://x y", &long] {
            assert_eq!(with(url).check(), Err(DoctorApiConfigError::PublicUrl), "{url}");
        }
        let prescription = PrescriptionConfig { pdfs_max: 0, ..PrescriptionConfig::default() };
        let none = DoctorApiConfig { prescription, ..DoctorApiConfig::default() };
        assert_eq!(none.check(), Err(DoctorApiConfigError::NoPdfs));
        let deaf = DoctorApiConfig { event_listeners_per_account_max: 0, ..DoctorApiConfig::default() };
        assert_eq!(deaf.check(), Err(DoctorApiConfigError::NoListeners));
    }
}
