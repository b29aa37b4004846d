//! FHIR R4 Patient (<http://hl7.org/fhir/R4/patient.html>): what of it is looked at, bounded. What does not have the
//! form of the Standard is no patient; nothing of it is guessed.

use serde::{Deserialize, de::IgnoredAny};

use super::partial_date::PartialDate;

/// Longest text that is kept, in characters.
const TEXT_LENGTH_MAX: usize = 200;
/// Names of a patient that are kept, the best ones.
const NAMES_MAX: usize = 5;
/// Longest logical id (<http://hl7.org/fhir/R4/datatypes.html#id>).
const ID_LENGTH_MAX: usize = 64;

/// Why something is no patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer {0}")]
pub struct Malformed(pub(super) &'static str);

/// Administrative gender (<http://hl7.org/fhir/R4/valueset-administrative-gender.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Neither.
    Other,
    /// Nobody knows.
    Unknown,
}

impl Gender {
    /// The code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// What a name is used for (<http://hl7.org/fhir/R4/valueset-name-use.html>), the best one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameUse {
    /// As on documents.
    Official,
    /// As the person is called.
    Usual,
    /// Nobody said.
    #[serde(skip)]
    Unsaid,
    /// For a while.
    Temp,
    /// Among friends.
    Nickname,
    /// Before a marriage.
    Maiden,
    /// Not in use any more.
    Old,
    /// Not the person's own.
    Anonymous,
}

/// HumanName (<http://hl7.org/fhir/R4/datatypes.html#HumanName>); what is not said is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HumanName {
    /// What it is used for.
    pub name_use: NameUse,
    /// The whole name, as it is written.
    pub text: String,
    /// Before the name.
    pub prefix: String,
    /// Given and middle names.
    pub given: String,
    /// Family name.
    pub family: String,
    /// After the name.
    pub suffix: String,
}

impl HumanName {
    /// As people write it.
    pub fn shown(&self) -> String {
        if !self.text.is_empty() {
            return self.text.clone();
        }
        let parts = [&self.prefix, &self.given, &self.family, &self.suffix];
        let said = parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str);
        said.collect::<Vec<_>>().join(" ")
    }

    /// Whether it is what the person is called now.
    pub fn is_current(&self) -> bool {
        matches!(self.name_use, NameUse::Official | NameUse::Usual | NameUse::Unsaid | NameUse::Temp)
    }
}

/// A logical id that can stand in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalId(String);

impl LogicalId {
    /// Reads one. `.` and `..` have the form of an id, and lead elsewhere as a part of a path.
    pub fn parse(text: &str) -> Option<Self> {
        let is_formed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        let is_id = (1..=ID_LENGTH_MAX).contains(&text.len()) && is_formed && !matches!(text, "." | "..");
        is_id.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A patient as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPatient {
    /// Logical id.
    pub id: LogicalId,
    /// Whether the entry is in use; `None` when the registry does not say.
    pub active: Option<bool>,
    /// Names, the best one first.
    pub names: Vec<HumanName>,
    /// When the patient was born.
    pub birth_date: Option<PartialDate>,
    /// Administrative gender.
    pub gender: Option<Gender>,
    /// Where the entry that is to be used instead is, as the registry says it (`link`, `replaced-by`).
    pub(super) replaced_by: Option<String>,
}

impl RegistryPatient {
    /// The best name.
    pub fn name(&self) -> Option<String> {
        self.names.first().map(HumanName::shown)
    }
}

/// Patient as it comes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patient {
    resource_type: String,
    id: Option<String>,
    active: Option<bool>,
    #[serde(default)]
    name: Vec<Name>,
    birth_date: Option<String>,
    gender: Option<Gender>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    #[serde(default)]
    link: Vec<Link>,
    #[serde(default)]
    modifier_extension: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "use")]
    purpose: Option<NameUse>,
    text: Option<String>,
    family: Option<String>,
    #[serde(default)]
    given: Vec<Option<String>>,
    #[serde(default)]
    prefix: Vec<Option<String>>,
    #[serde(default)]
    suffix: Vec<Option<String>>,
    period: Option<Period>,
}

#[derive(Deserialize)]
struct Period {
    end: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "type")]
    link_type: String,
    other: Reference,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

impl Patient {
    /// Whether the patient has this identifier, to the letter.
    pub(super) fn has(&self, (system, value): (&str, &str)) -> bool {
        self.identifier.iter().any(|one| {
            one.system.as_deref() == Some(system) && one.value.as_deref().map(str::trim) == Some(value.trim())
        })
    }

    /// What is kept of it.
    pub(super) fn read(self) -> Result<RegistryPatient, Malformed> {
        if self.resource_type != "Patient" {
            return Err(Malformed("is no Patient"));
        }
        if !self.modifier_extension.is_empty() {
            // FHIR 2.1.0.5.2: it may say that the rest means something else.
            return Err(Malformed("has a modifier extension that is not known here"));
        }
        let id = self.id.as_deref().and_then(LogicalId::parse).ok_or(Malformed("has no logical id"))?;
        let birth_date = match self.birth_date.as_deref() {
            None => None,
            Some(text) => Some(PartialDate::parse(text).ok_or(Malformed("has a birth date that is none"))?),
        };
        let mut names: Vec<(bool, HumanName)> = self.name.into_iter().map(Name::read).collect();
        names.retain(|(_, name)| !name.shown().is_empty());
        names.sort_by_key(|(is_over, name)| (*is_over, name.name_use));
        names.truncate(NAMES_MAX);
        let replaced_by = self.link.into_iter().find(|link| link.link_type == "replaced-by");
        Ok(RegistryPatient {
            id,
            active: self.active,
            names: names.into_iter().map(|(_, name)| name).collect(),
            birth_date,
            gender: self.gender,
            replaced_by: replaced_by
                .map(|link| link.other.reference.unwrap_or_default().chars().take(TEXT_LENGTH_MAX).collect()),
        })
    }
}

impl Name {
    /// Whether its time is over, and the name.
    fn read(self) -> (bool, HumanName) {
        let joined = |parts: Vec<Option<String>>| {
            let said: Vec<String> = parts.into_iter().flatten().collect();
            clean(&said.join(" "))
        };
        let name = HumanName {
            name_use: self.purpose.unwrap_or(NameUse::Unsaid),
            text: clean(&self.text.unwrap_or_default()),
            prefix: joined(self.prefix),
            given: joined(self.given),
            family: clean(&self.family.unwrap_or_default()),
            suffix: joined(self.suffix),
        };
        (self.period.is_some_and(|period| period.end.is_some()), name)
    }
}

/// One line, bounded, without what would show it in another order than it has.
fn clean(text: &str) -> String {
    let is_shown =
        |one: &char| !one.is_control() && !matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let spaced = text.chars().map(|one| if one.is_whitespace() { ' ' } else { one });
    let kept: String = spaced.filter(is_shown).take(TEXT_LENGTH_MAX).collect();
    kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
