//! A doctor's profile (after FHIR Practitioner and PractitionerRole).

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

/// A doctor's profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Identity.
    pub id: Uuid,
    /// Full name as shown.
    pub name: String,
    /// Specialties.
    pub specialties: Vec<Specialty>,
    /// Languages, BCP 47 tags.
    pub languages: Vec<String>,
    /// IANA time zone name.
    pub time_zone: String,
    /// Licence number.
    pub licence_number: String,
    /// E-mail or phone.
    pub contact: String,
    /// What else is known.
    pub details: DoctorDetails,
    /// Takes consultations.
    pub active: bool,
    /// Grows with every change; the ETag of REST.
    pub version: i64,
    /// When the profile was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a doctor is trained in: words, and a code when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Specialty {
    /// In words.
    pub text: String,
    /// Where the code is from: `http://snomed.info/sct` or `http://nucc.org/provider-taxonomy`; empty for none.
    pub system: String,
    /// The code; empty for none.
    pub code: String,
}

impl From<&str> for Specialty {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }
}

/// A bare string is words without a code: so older clients write it, and so it was kept.
impl<'de> Deserialize<'de> for Specialty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Coded {
            text: String,
            #[serde(default)]
            system: String,
            #[serde(default)]
            code: String,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Words(String),
            Coded(Coded),
        }
        // What serde says of an untagged enum names no field, so it is said here.
        match Either::deserialize(deserializer) {
            Ok(Either::Words(text)) => Ok(Self { text, ..Self::default() }),
            Ok(Either::Coded(Coded { text, system, code })) => Ok(Self { text, system, code }),
            Err(_) => Err(D::Error::custom(
                "invalid specialty, expected a text or an object of text, system and code",
            )),
        }
    }
}

/// What a profile can say beyond its first fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorDetails {
    /// Licences to practise.
    pub licences: Vec<Licence>,
    /// E-mail.
    pub email: String,
    /// Phone.
    pub phone: String,
    /// Where a picture is, `https://`.
    pub photo_url: String,
    /// What a consultation costs.
    pub fee: Option<Fee>,
}

/// A licence to practise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Its number.
    pub number: String,
    /// Who gave it.
    pub issuer: String,
    /// Last day on which it is good.
    #[serde(default)]
    pub expires_on: Option<NaiveDate>,
}

/// What a consultation costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// In the smallest unit of the currency: cents, pesewas.
    pub amount_minor: u32,
    /// ISO 4217 code.
    pub currency: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specialty_is_words_or_a_code_with_words() {
        let read = |json: &str| serde_json::from_str::<Specialty>(json);
        assert_eq!(read(r#""Radiology""#).expect("words"), Specialty::from("Radiology"));
        let coded = r#"{"text":"Radiology","system":"http://snomed.info/sct","code":"394914008"}"#;
        assert_eq!(read(coded).expect("coded").code, "394914008");
        assert_eq!(serde_json::to_string(&read(coded).expect("coded")).expect("JSON"), coded);
        for refused in ["7", "{}", r#"{"text":"a","role":"admin"}"#] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}
