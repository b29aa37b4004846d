//! What must hold for any bytes that a registry answers with, and for any text that is asked for: see `fuzz/README.md`.

use reqwest::Url;
use serde_json::Value;

use super::{
    resource::RegistryPatient,
    search::{Matches, local_id, matches, read_url, search_url},
};

const ASKED: (&str, &str) = ("urn:a", "P1");
/// Longest text of a name, in characters.
const SHOWN_LENGTH_MAX: usize = 4 * 200 + 3;

/// Any bytes as the answer to a search, as a reference, and as the identifier that is asked for.
///
/// # Panics
/// When somebody is taken who was not asked for, or an address leads elsewhere.
pub fn registry(input: &[u8]) {
    if let Ok(Matches::One(patient)) = matches(input, ASKED) {
        check(&patient);
        // Other code may refuse numbers that nobody looked at.
        if let Ok(bundle) = serde_json::from_slice::<Value>(input) {
            let ids = ids_of_matches(&bundle);
            assert!(!ids.is_empty() && ids.iter().all(|id| *id == patient.id.as_str()), "{ids:?}");
        }
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let base = Url::parse("https://fhir.example.org/r4").expect("a URL");
    let url = search_url(&base, (text, text));
    let asked: Vec<String> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    assert_eq!((url.origin(), url.path(), asked.len()), (base.origin(), "/r4/Patient", 1));
    let parts = unescaped(&asked[0]);
    assert_eq!(parts, [text, text], "{url}");
    if let Some(id) = local_id(&base, text) {
        let url = read_url(&base, &id);
        let path = format!("/r4/Patient/{}", id.as_str());
        assert_eq!((url.origin(), url.path(), url.query()), (base.origin(), path.as_str(), None), "{text}");
    }
}

fn check(patient: &RegistryPatient) {
    for name in &patient.names {
        let shown = name.shown();
        assert!(!shown.is_empty() && shown.chars().count() <= SHOWN_LENGTH_MAX, "{shown}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

/// Ids of the patients of a Bundle who have the identifier, read naively.
fn ids_of_matches(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let shown = entries.filter(|entry| matches!(entry["search"]["mode"].as_str(), None | Some("match")));
    let has = |resource: &&Value| {
        let mut all = resource["identifier"].as_array().into_iter().flatten();
        all.any(|one| one["system"] == ASKED.0 && one["value"].as_str().map(str::trim) == Some(ASKED.1))
    };
    let found = shown.map(|entry| &entry["resource"]).filter(has);
    found.map(|resource| resource["id"].as_str().expect("a patient has an id")).collect()
}

/// The parts of a token between bars, and what stands for each.
fn unescaped(token: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = token.chars();
    while let Some(one) = characters.next() {
        let last = parts.last_mut().expect("there is one");
        match one {
            '\\' => last.extend(characters.next()),
            '|' => parts.push(String::new()),
            ',' | '$' => panic!("{one} parts values"),
            _ => last.push(one),
        }
    }
    parts
}
