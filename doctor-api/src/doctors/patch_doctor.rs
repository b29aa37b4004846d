//! `PATCH /doctors/{id}`: changes some fields of a profile that has not changed since it was read.

use axum::{extract::State, http::HeaderMap, response::Response};
use model::clinical::{Doctor, Specialty};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DoctorBody, DoctorProfile,
    details::{DetailsBody, FeeBody, LicenceBody, SpecialtyBody},
    update_doctor::{current_of, replace},
};
use crate::{
    input::{json::JsonBody, path::PathParameters},
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoctorPatch {
    /// Full name as shown.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Specialties.
    #[schema(value_type = Option<Vec<SpecialtyBody>>, max_items = 32)]
    specialties: Option<Vec<Specialty>>,
    /// Languages (BCP 47).
    #[schema(max_items = 32)]
    languages: Option<Vec<String>>,
    /// IANA time zone.
    #[schema(max_length = 64)]
    time_zone: Option<String>,
    /// Licence number.
    #[schema(max_length = 64)]
    licence_number: Option<String>,
    /// E-mail or phone.
    #[schema(max_length = 200)]
    contact: Option<String>,
    /// Licences to practise.
    #[schema(max_items = 32)]
    licences: Option<Vec<LicenceBody>>,
    /// E-mail.
    #[schema(max_length = 200)]
    email: Option<String>,
    /// Phone.
    #[schema(max_length = 64)]
    phone: Option<String>,
    /// Where a picture is, `https://`.
    #[schema(max_length = 500)]
    photo_url: Option<String>,
    /// What a consultation costs.
    fee: Option<FeeBody>,
    /// Takes consultations.
    active: Option<bool>,
}

impl DoctorPatch {
    fn on(self, current: Doctor) -> DoctorProfile {
        let details = DetailsBody::from(current.details);
        DoctorProfile {
            name: self.name.unwrap_or(current.name),
            specialties: self.specialties.unwrap_or(current.specialties),
            languages: self.languages.unwrap_or(current.languages),
            time_zone: self.time_zone.unwrap_or(current.time_zone),
            licence_number: self.licence_number.unwrap_or(current.licence_number),
            contact: self.contact.unwrap_or(current.contact),
            licences: self.licences.unwrap_or(details.licences),
            email: self.email.unwrap_or(details.email),
            phone: self.phone.unwrap_or(details.phone),
            photo_url: self.photo_url.unwrap_or(details.photo_url),
            fee: self.fee.or(details.fee),
            active: self.active.unwrap_or(current.active),
        }
    }
}

/// Change a doctor's profile
///
/// As `PUT`, for some of the fields.
#[utoipa::path(
    patch,
    path = "/doctors/{id}",
    tag = "doctors",
    security(("bearer" = ["update_doctor"])),
    params(
        ("id" = Uuid, Path, description = "Doctor"),
        ("If-Match" = String, Header, description = "ETag of the profile that the change is made on")
    ),
    request_body = DoctorPatch,
    responses(
        (status = 200, description = "The new profile", body = DoctorBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 412, description = "The profile was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn patch_doctor(
    State(state): State<AppState>,
    permit: Permit<UpdateDoctor>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(patch): JsonBody<DoctorPatch>,
) -> Result<Response, Problem> {
    let current = current_of(&state, &permit, id, &headers).await?;
    let profile = patch.on(current.clone());
    replace(&state, &permit, current, profile).await
}
