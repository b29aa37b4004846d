//! The words of the form, in each language that it comes in.

use std::str::FromStr;

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
pub(crate) struct Labels {
    pub prescription: &'static str,
    pub licence: &'static str,
    pub until: &'static str,
    pub contact: &'static str,
    pub patient: &'static str,
    pub birth_date: &'static str,
    pub patient_id: &'static str,
    pub issuer: &'static str,
    pub signed: &'static str,
    pub begun: &'static str,
    pub replaces: &'static str,
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
    pub draft: &'static str,
    pub cancelled: &'static str,
    pub superseded: &'static str,
    pub not_genuine: &'static str,
}

const ENGLISH: Labels = Labels {
    prescription: "Prescription",
    licence: "Licence",
    until: "until",
    contact: "Contact",
    patient: "Patient",
    birth_date: "Date of birth",
    patient_id: "Patient ID",
    issuer: "Issuer of patient ID",
    signed: "Signed electronically",
    begun: "Begun",
    replaces: "Replaces",
    dose: "Dose",
    route: "Route",
    frequency: "Frequency",
    as_needed: "as needed",
    duration: "Duration (days)",
    until_used_up: "until used up",
    quantity: "Quantity",
    refills: "Refills",
    substitution: "Substitution",
    allowed: "allowed",
    not_allowed: "not allowed",
    instructions: "Instructions",
    allergies: "Allergies told of",
    none_declared: "none",
    note: "To the pharmacy",
    remark: "Remark",
    content_hash: "SHA-256 of content",
    key: "Key of doctor",
    check_code: "Check code",
    check_at: "Check at",
    page: "Page",
    draft: "DRAFT, NOT VALID: it is not signed",
    cancelled: "CANCELLED, NOT VALID: it was taken back",
    superseded: "SUPERSEDED, NOT VALID: another prescription took its place",
    not_genuine: "NOT GENUINE, NOT VALID: its signature does not match its content",
};

const GERMAN: Labels = Labels {
    prescription: "Rezept",
    licence: "Zulassung",
    until: "bis",
    contact: "Kontakt",
    patient: "Patient",
    birth_date: "Geburtsdatum",
    patient_id: "Patienten-ID",
    issuer: "Vergeben von",
    signed: "Elektronisch signiert",
    begun: "Begonnen",
    replaces: "Ersetzt",
    dose: "Dosis",
    route: "Anwendung",
    frequency: "Häufigkeit",
    as_needed: "bei Bedarf",
    duration: "Dauer (Tage)",
    until_used_up: "bis aufgebraucht",
    quantity: "Menge",
    refills: "Wiederholungen",
    substitution: "Austausch",
    allowed: "erlaubt",
    not_allowed: "nicht erlaubt",
    instructions: "Anweisungen",
    allergies: "Genannte Allergien",
    none_declared: "keine",
    note: "An die Apotheke",
    remark: "Bemerkung",
    content_hash: "SHA-256 des Inhalts",
    key: "Schlüssel",
    check_code: "Prüfcode",
    check_at: "Prüfen unter",
    page: "Seite",
    draft: "ENTWURF, NICHT GÜLTIG: nicht signiert",
    cancelled: "STORNIERT, NICHT GÜLTIG: es wurde zurückgenommen",
    superseded: "ERSETZT, NICHT GÜLTIG: ein anderes Rezept ist an seine Stelle getreten",
    not_genuine: "NICHT ECHT, NICHT GÜLTIG: Signatur und Inhalt passen nicht zusammen",
};

const SPANISH: Labels = Labels {
    prescription: "Receta",
    licence: "Colegiación",
    until: "hasta",
    contact: "Contacto",
    patient: "Paciente",
    birth_date: "Fecha de nacimiento",
    patient_id: "ID del paciente",
    issuer: "Emisor del ID",
    signed: "Firmada electrónicamente",
    begun: "Iniciada",
    replaces: "Sustituye a",
    dose: "Dosis",
    route: "Vía",
    frequency: "Frecuencia",
    as_needed: "si es necesario",
    duration: "Duración (días)",
    until_used_up: "hasta agotarse",
    quantity: "Cantidad",
    refills: "Repeticiones",
    substitution: "Sustitución",
    allowed: "permitida",
    not_allowed: "no permitida",
    instructions: "Instrucciones",
    allergies: "Alergias declaradas",
    none_declared: "ninguna",
    note: "A la farmacia",
    remark: "Observación",
    content_hash: "SHA-256 del contenido",
    key: "Clave",
    check_code: "Código de verificación",
    check_at: "Verificar en",
    page: "Página",
    draft: "BORRADOR, NO VÁLIDA: no está firmada",
    cancelled: "ANULADA, NO VÁLIDA: fue retirada",
    superseded: "SUSTITUIDA, NO VÁLIDA: otra receta ocupa su lugar",
    not_genuine: "NO AUTÉNTICA, NO VÁLIDA: la firma no corresponde al contenido",
};

const FRENCH: Labels = Labels {
    prescription: "Ordonnance",
    licence: "N° d’autorisation",
    until: "jusqu’au",
    contact: "Contact",
    patient: "Patient",
    birth_date: "Date de naissance",
    patient_id: "ID du patient",
    issuer: "Émetteur de l’ID",
    signed: "Signée électroniquement",
    begun: "Commencée",
    replaces: "Remplace",
    dose: "Dose",
    route: "Voie",
    frequency: "Fréquence",
    as_needed: "si nécessaire",
    duration: "Durée (jours)",
    until_used_up: "jusqu’à épuisement",
    quantity: "Quantité",
    refills: "Renouvellements",
    substitution: "Substitution",
    allowed: "autorisée",
    not_allowed: "non autorisée",
    instructions: "Instructions",
    allergies: "Allergies signalées",
    none_declared: "aucune",
    note: "À la pharmacie",
    remark: "Remarque",
    content_hash: "SHA-256 du contenu",
    key: "Clé",
    check_code: "Code de contrôle",
    check_at: "Vérifier sur",
    page: "Page",
    draft: "PROJET, NON VALABLE : non signée",
    cancelled: "ANNULÉE, NON VALABLE : elle a été retirée",
    superseded: "REMPLACÉE, NON VALABLE : une autre ordonnance a pris sa place",
    not_genuine: "NON AUTHENTIQUE, NON VALABLE : la signature ne correspond pas au contenu",
};

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
