//! `POST /doctors`: a new profile, and when asked for an account to sign in with.

use axum::{extract::State, http::StatusCode, response::Response};
use database::{DatabaseError, NewDoctor, NewUser};
use model::{access::Role, clinical::Specialty};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use super::{
    DoctorBody, DoctorProfile, answer,
    details::{FeeBody, LicenceBody, SpecialtyBody},
    utc,
};
use crate::{
    errors,
    input::{check::Checks, json::JsonBody},
    location::at,
    policy::{ManageDoctors, Permit},
    state::AppState,
    users::{check_password, check_username, hash},
};

/// A profile to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDoctor {
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
    /// What the doctor signs in with; without it the profile has no account.
    account: Option<NewAccount>,
}

/// What a doctor signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Letters, digits and `.`, `_`, `-`, `@`.
    #[schema(example = "dr.ada", max_length = 64)]
    username: String,
    /// At least 12 characters.
    #[schema(example = "correct horse battery staple", min_length = 12, format = Password)]
    password: String,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewAccount(..)")
    }
}

impl CreateDoctor {
    fn split(self) -> (DoctorProfile, Option<NewAccount>) {
        let profile = DoctorProfile {
            name: self.name,
            specialties: self.specialties,
            languages: self.languages,
            time_zone: self.time_zone,
            licence_number: self.licence_number,
            contact: self.contact,
            licences: self.licences,
            email: self.email,
            phone: self.phone,
            photo_url: self.photo_url,
            fee: self.fee,
            active: true,
        };
        (profile, self.account)
    }
}

/// Create a doctor
#[utoipa::path(
    post,
    path = "/doctors",
    tag = "doctors",
    security(("bearer" = ["manage_doctors"])),
    request_body = CreateDoctor,
    responses(
        (status = 201, description = "Created", body = DoctorBody,
         headers(("Location" = String, description = "Where the profile is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The user name is taken", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_doctor(
    State(state): State<AppState>,
    permit: Permit<ManageDoctors>,
    JsonBody(request): JsonBody<CreateDoctor>,
) -> Result<Response, Problem> {
    let (profile, account) = request.split();
    let mut checks = Checks::new();
    profile.check(&mut checks);
    if let Some(account) = &account {
        check_account(account, &mut checks);
    }
    checks.finish()?;
    let user = match account {
        Some(account) => Some(new_user(&state, account).await?),
        None => None,
    };
    let details = profile.details().into();
    let doctor = NewDoctor {
        name: profile.name,
        specialties: profile.specialties,
        languages: profile.languages,
        time_zone: profile.time_zone,
        licence_number: profile.licence_number,
        contact: profile.contact,
        details,
    };
    let created = state.database().create_doctor(doctor, user, &permit.caller.actor()).await;
    let doctor = created.map_err(|error| match error {
        DatabaseError::Conflict(_) => {
            Problem::conflict("the user name is taken").field("account.username", "is taken")
        }
        other => errors::database(other),
    })?;
    let location = format!("/doctors/{}", doctor.id);
    Ok(at(&location, answer(StatusCode::CREATED, doctor)))
}

fn check_account(account: &NewAccount, checks: &mut Checks) {
    check_username(checks, "account.username", &account.username);
    check_password(checks, "account.password", &account.password);
}

async fn new_user(state: &AppState, account: NewAccount) -> Result<NewUser, Problem> {
    let NewAccount { username, password } = account;
    let password_hash = hash(state, "account.password", password).await?;
    Ok(NewUser { username, password_hash, role: Role::Doctor, doctor_id: None })
}
