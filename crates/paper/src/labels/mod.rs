//! The words of the form, in each language that it comes in.

mod english;
mod french;
mod german;
mod spanish;

use std::str::FromStr;

use self::{english::ENGLISH, french::FRENCH, german::GERMAN, spanish::SPANISH};

/// A language of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// Spanish.
    Spanish,
    /// French.
    French,
}

impl Language {
    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
        }
    }

    pub(crate) fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Spanish => &SPANISH,
            Self::French => &FRENCH,
        }
    }
}

/// No language of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is one of en, de, es, fr")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        let all = [Self::English, Self::German, Self::Spanish, Self::French];
        all.into_iter().find(|language| language.tag() == tag).ok_or(UnknownLanguage)
    }
}

/// One word or phrase each.
#[derive(Debug, PartialEq, Eq)]
pub struct Labels {
    pub prescription: DocumentLabels,
    pub report: DocumentLabels,
    pub licence: &'static str,
    pub until: &'static str,
    pub contact: &'static str,
    pub patient: &'static str,
    pub birth_date: &'static str,
    pub patient_id: &'static str,
    pub issuer: &'static str,
    pub dose: &'static str,
    pub route: &'static str,
    pub frequency: &'static str,
    pub as_needed: &'static str,
    pub duration: &'static str,
    pub until_used_up: &'static str,
    pub quantity: &'static str,
    pub refills: &'static str,
    pub substitution: &'static str,
    pub allowed: &'static str,
    pub not_allowed: &'static str,
    pub instructions: &'static str,
    pub allergies: &'static str,
    pub none_declared: &'static str,
    pub note: &'static str,
    pub remark: &'static str,
    pub content_hash: &'static str,
    pub key: &'static str,
    pub check_code: &'static str,
    pub check_at: &'static str,
    pub page: &'static str,
    pub studies: &'static str,
    pub clinical_information: &'static str,
    pub technique: &'static str,
    pub comparison: &'static str,
    pub findings: &'static str,
    pub impression: &'static str,
    pub diagnoses: &'static str,
    pub critical: &'static str,
}

/// Those that follow from what kind of document it is: its name, and words that agree with it.
#[derive(Debug, PartialEq, Eq)]
pub struct DocumentLabels {
    pub title: &'static str,
    pub begun: &'static str,
    pub signed: &'static str,
    pub replaces: &'static str,
    pub draft: &'static str,
    pub cancelled: &'static str,
    pub superseded: &'static str,
    pub not_genuine: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_tag() {
        for tag in ["en", "de", "es", "fr"] {
            assert_eq!(tag.parse::<Language>().map(Language::tag), Ok(tag));
        }
        for tag in ["", "EN", "en-GB", "xx"] {
            assert_eq!(tag.parse::<Language>(), Err(UnknownLanguage), "{tag}");
        }
    }
}
