//! The parts of a profile that have parts themselves, and their checks.

use chrono::NaiveDate;
use model::clinical::{DoctorDetails, Fee, Licence, SNOMED_CT, Specialty};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    LICENCE_NUMBER_LENGTH_MAX, LINE_LENGTH_MAX, LIST_LENGTH_MAX,
    specialty_code::{NUCC, refusal},
};
use crate::input::check::Checks;

/// Where codes of specialties are from: SNOMED CT, and the provider taxonomy of the NUCC.
const CODE_SYSTEMS: [&str; 2] = [SNOMED_CT, NUCC];
/// Longest address of a picture in characters.
const URL_LENGTH_MAX: usize = 500;

/// What a doctor is trained in. A bare text is taken, too: it has no code.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Specialty)]
pub struct SpecialtyBody {
    /// In words.
    #[schema(example = "Radiology", max_length = 200)]
    text: String,
    /// `http://snomed.info/sct` or `http://nucc.org/provider-taxonomy`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "http://snomed.info/sct")]
    system: String,
    /// The code: of SNOMED CT a concept's identifier with its check digit, of the NUCC ten characters such as `2085R0202X`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "394914008", max_length = 64)]
    code: String,
}

impl From<Specialty> for SpecialtyBody {
    fn from(Specialty { text, system, code }: Specialty) -> Self {
        Self { text, system, code }
    }
}

pub fn check_specialties(checks: &mut Checks, specialties: &[Specialty]) {
    if specialties.len() > LIST_LENGTH_MAX {
        checks.refuse("specialties", format!("has more than {LIST_LENGTH_MAX} entries"));
    }
    for (index, one) in specialties.iter().take(LIST_LENGTH_MAX).enumerate() {
        let field = format!("specialties[{index}]");
        checks.filled_line(&field, &one.text, LINE_LENGTH_MAX);
        checks.line(&format!("{field}.code"), &one.code, LICENCE_NUMBER_LENGTH_MAX);
        let paired = one.code.is_empty() == one.system.is_empty();
        checks.require(paired, &format!("{field}.code"), "needs its system, and the other way round");
        let known = one.system.is_empty() || CODE_SYSTEMS.contains(&one.system.as_str());
        checks.require(known, &format!("{field}.system"), "is neither SNOMED CT nor the NUCC taxonomy");
        if let Some(why) = refusal(&one.system, &one.code).filter(|_| paired) {
            checks.refuse(&format!("{field}.code"), why);
        }
    }
}

/// What a profile says beyond its first fields.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DoctorDetails)]
pub struct DetailsBody {
    /// Licences to practise.
    pub licences: Vec<LicenceBody>,
    /// E-mail.
    pub email: String,
    /// Phone.
    pub phone: String,
    /// Where a picture is.
    pub photo_url: String,
    /// What a consultation costs.
    pub fee: Option<FeeBody>,
}

/// A licence to practise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Licence)]
pub struct LicenceBody {
    /// Its number.
    #[schema(example = "MDC/RN/12345", max_length = 64)]
    number: String,
    /// Who gave it.
    #[schema(example = "Medical and Dental Council", max_length = 200)]
    issuer: String,
    /// Last day on which it is good.
    #[serde(default)]
    expires_on: Option<NaiveDate>,
}

/// What a consultation costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Fee)]
pub struct FeeBody {
    /// In the smallest unit of the currency.
    #[schema(example = 12_500)]
    amount_minor: u32,
    /// ISO 4217 code.
    #[schema(example = "GHS", min_length = 3, max_length = 3)]
    currency: String,
}

impl DetailsBody {
    pub fn check(&self, checks: &mut Checks) {
        if self.licences.len() > LIST_LENGTH_MAX {
            checks.refuse("licences", format!("has more than {LIST_LENGTH_MAX} entries"));
        }
        for (index, licence) in self.licences.iter().take(LIST_LENGTH_MAX).enumerate() {
            let number = format!("licences[{index}].number");
            checks.filled_line(&number, &licence.number, LICENCE_NUMBER_LENGTH_MAX);
            checks.filled_line(&format!("licences[{index}].issuer"), &licence.issuer, LINE_LENGTH_MAX);
        }
        checks.line("email", &self.email, LINE_LENGTH_MAX);
        let one_at = self.email.is_empty()
            || self.email.split_once('@').is_some_and(|(who, place)| {
                !who.is_empty() && !place.is_empty() && !place.contains('@') && !self.email.contains(' ')
            });
        checks.require(one_at, "email", "is no e-mail address");
        checks.line("phone", &self.phone, LICENCE_NUMBER_LENGTH_MAX);
        checks.line("photo_url", &self.photo_url, URL_LENGTH_MAX);
        let secure = self.photo_url.is_empty() || self.photo_url.starts_with("https://");
        checks.require(secure, "photo_url", "does not begin with https://");
        if let Some(fee) = &self.fee {
            let form = fee.currency.len() == 3 && fee.currency.bytes().all(|byte| byte.is_ascii_uppercase());
            checks.require(form, "fee.currency", "is no ISO 4217 code such as GHS");
        }
    }
}

impl From<DoctorDetails> for DetailsBody {
    fn from(details: DoctorDetails) -> Self {
        let DoctorDetails { licences, email, phone, photo_url, fee } = details;
        let show = |Licence { number, issuer, expires_on }| LicenceBody { number, issuer, expires_on };
        let licences = licences.into_iter().map(show).collect();
        let fee = fee.map(|Fee { amount_minor, currency }| FeeBody { amount_minor, currency });
        Self { licences, email, phone, photo_url, fee }
    }
}

impl From<DetailsBody> for DoctorDetails {
    fn from(body: DetailsBody) -> Self {
        let DetailsBody { licences, email, phone, photo_url, fee } = body;
        let keep = |LicenceBody { number, issuer, expires_on }| Licence { number, issuer, expires_on };
        let licences = licences.into_iter().map(keep).collect();
        let fee = fee.map(|FeeBody { amount_minor, currency }| Fee { amount_minor, currency });
        Self { licences, email, phone, photo_url, fee }
    }
}
