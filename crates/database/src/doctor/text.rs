//! The texts of a profile on their way into columns, and into what the filters search.

use model::{
    clinical::{DoctorDetails, Specialty},
    text::fold,
};

use crate::text::clean;

/// `|a|b|`, folded: what the filters search.
pub(super) fn list_folded(list: &[String]) -> String {
    let folded: Vec<String> = list.iter().map(|text| fold(text).replace('|', " ")).collect();
    format!("|{}|", folded.join("|"))
}

/// A LIKE pattern for `text` anywhere; `!` escapes.
pub(super) fn anywhere(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

pub(super) fn clean_list(list: &[String]) -> Vec<String> {
    list.iter().map(|text| clean(text)).collect()
}

pub(super) fn clean_specialties(list: Vec<Specialty>) -> Vec<Specialty> {
    list.into_iter()
        .map(|one| Specialty { text: clean(&one.text), system: clean(&one.system), code: clean(&one.code) })
        .collect()
}

/// NUL in any of its texts would be refused by PostgreSQL, also as JSON.
pub(super) fn clean_details(mut details: DoctorDetails) -> DoctorDetails {
    for text in [&mut details.email, &mut details.phone, &mut details.photo_url] {
        *text = clean(text);
    }
    for licence in &mut details.licences {
        (licence.number, licence.issuer) = (clean(&licence.number), clean(&licence.issuer));
    }
    if let Some(fee) = &mut details.fee {
        fee.currency = clean(&fee.currency);
    }
    details
}

/// What a filter finds of the specialties: words and codes.
pub(super) fn specialties_folded(list: &[Specialty]) -> String {
    let texts: Vec<String> = list.iter().flat_map(|one| [one.text.clone(), one.code.clone()]).collect();
    list_folded(&texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>())
}
