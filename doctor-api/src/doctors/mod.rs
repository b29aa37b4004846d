//! Doctors' profiles.

pub mod create_doctor;
pub mod deactivate_doctor;
mod details;
pub mod get_doctor;
pub mod list_doctors;
pub mod patch_doctor;
pub mod read_profile_history;
mod require;
mod specialty_code;
pub mod update_doctor;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use model::{
    clinical::{Doctor, Specialty},
    schedule::time_zone,
};
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use self::details::{DetailsBody, FeeBody, LicenceBody, SpecialtyBody, check_specialties};
pub use self::require::{require_doctor, require_doctor_in_reach, require_own};
use crate::input::{
    check::{Checks, is_language_tag},
    etag::entity_tag,
};

/// Most specialties and most languages of a doctor.
const LIST_LENGTH_MAX: usize = 32;
/// Longest name, specialty and contact in characters.
const LINE_LENGTH_MAX: usize = 200;
/// Longest licence number in characters.
const LICENCE_NUMBER_LENGTH_MAX: usize = 64;

/// A doctor's profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Doctor)]
pub struct DoctorBody {
    /// Identity.
    id: Uuid,
    /// Full name as shown.
    name: String,
    /// Specialties.
    specialties: Vec<SpecialtyBody>,
    /// Languages (BCP 47).
    languages: Vec<String>,
    /// IANA time zone.
    time_zone: String,
    /// Licence number.
    licence_number: String,
    /// E-mail or phone.
    contact: String,
    /// What else is known.
    #[serde(flatten)]
    details: DetailsBody,
    /// Takes consultations.
    active: bool,
    /// Grows with every change; the ETag is made of it.
    version: i64,
    /// When the profile was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<Doctor> for DoctorBody {
    fn from(doctor: Doctor) -> Self {
        Self {
            id: doctor.id,
            name: doctor.name,
            specialties: doctor.specialties.into_iter().map(SpecialtyBody::from).collect(),
            languages: doctor.languages,
            time_zone: doctor.time_zone,
            licence_number: doctor.licence_number,
            contact: doctor.contact,
            details: doctor.details.into(),
            active: doctor.active,
            version: doctor.version,
            created_at: doctor.created_at,
            updated_at: doctor.updated_at,
        }
    }
}

/// The profile with its ETag.
fn answer(status: StatusCode, doctor: Doctor) -> Response {
    let tag = entity_tag(doctor.version);
    (status, [(header::ETAG, tag)], Json(DoctorBody::from(doctor))).into_response()
}

/// What can be written about a doctor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoctorProfile {
    /// Full name as shown.
    #[schema(example = "Ada Osei", max_length = 200)]
    name: String,
    /// Specialties: in words, or coded.
    #[serde(default)]
    #[schema(value_type = Vec<SpecialtyBody>, max_items = 32)]
    specialties: Vec<Specialty>,
    /// Languages (BCP 47).
    #[serde(default)]
    #[schema(example = json!(["en", "fr"]), max_items = 32)]
    languages: Vec<String>,
    /// IANA time zone.
    #[serde(default = "utc")]
    #[schema(example = "Africa/Accra", max_length = 64)]
    time_zone: String,
    /// Licence number.
    #[serde(default)]
    #[schema(example = "MDC/RN/12345", max_length = 64)]
    licence_number: String,
    /// E-mail or phone.
    #[serde(default)]
    #[schema(example = "ada@example.org", max_length = 200)]
    contact: String,
    /// Licences to practise.
    #[serde(default)]
    #[schema(max_items = 32)]
    licences: Vec<LicenceBody>,
    /// E-mail.
    #[serde(default)]
    #[schema(example = "ada@example.org", max_length = 200)]
    email: String,
    /// Phone.
    #[serde(default)]
    #[schema(example = "+233 30 000 0000", max_length = 64)]
    phone: String,
    /// Where a picture is, `https://`.
    #[serde(default)]
    #[schema(example = "https://clinic.example.org/ada.jpg", max_length = 500)]
    photo_url: String,
    /// What a consultation costs.
    fee: Option<FeeBody>,
    /// Takes consultations.
    #[serde(default = "yes")]
    active: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

impl DoctorProfile {
    fn check(&self, checks: &mut Checks) {
        checks.filled_line("name", &self.name, LINE_LENGTH_MAX);
        check_specialties(checks, &self.specialties);
        checks.lines("languages", &self.languages, LIST_LENGTH_MAX, LINE_LENGTH_MAX);
        for (index, tag) in self.languages.iter().take(LIST_LENGTH_MAX).enumerate() {
            let field = format!("languages[{index}]");
            checks.require(is_language_tag(tag), &field, "is not a BCP 47 language tag such as 'pt-BR'");
        }
        let known = !self.time_zone.is_empty() && time_zone(&self.time_zone).is_some();
        checks.require(known, "time_zone", "is not an IANA time zone name such as 'Africa/Accra'");
        checks.line("licence_number", &self.licence_number, LICENCE_NUMBER_LENGTH_MAX);
        checks.line("contact", &self.contact, LINE_LENGTH_MAX);
        self.details().check(checks);
    }

    fn details(&self) -> DetailsBody {
        DetailsBody {
            licences: self.licences.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            photo_url: self.photo_url.clone(),
            fee: self.fee.clone(),
        }
    }
}
