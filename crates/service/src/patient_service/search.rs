//! FHIR R4 3.1.1, search by identifier: how it is asked for, and what an answer to it says.

use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::resource::{LogicalId, Malformed, Patient, RegistryPatient};

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Matches {
    None,
    One(Box<RegistryPatient>),
    /// Nobody chooses.
    Several,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    resource_type: String,
    #[serde(rename = "type")]
    kind: String,
    total: Option<u64>,
    #[serde(default)]
    link: Vec<BundleLink>,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct BundleLink {
    relation: String,
}

#[derive(Deserialize)]
struct Entry {
    resource: Option<Box<RawValue>>,
    search: Option<EntrySearch>,
}

#[derive(Deserialize)]
struct EntrySearch {
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    resource_type: String,
}

/// `BASE/Patient?identifier=SYSTEM|VALUE`.
pub(super) fn search_url(base: &Url, (system, value): (&str, &str)) -> Url {
    let mut url = of_type(base, &[]);
    let token = format!("{}|{}", escaped(system), escaped(value));
    url.query_pairs_mut().append_pair("identifier", &token);
    url
}

/// `BASE/Patient/ID`.
pub(super) fn read_url(base: &Url, id: &LogicalId) -> Url {
    of_type(base, &[id.as_str()])
}

fn of_type(base: &Url, more: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("Patient").extend(more);
    }
    url
}

/// FHIR R4 3.1.1.4.0.1: what parts values and parameters is escaped inside of them.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '|' | ',' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The logical id that a reference leads to, when it is on the same server.
pub(super) fn local_id(base: &Url, reference: &str) -> Option<LogicalId> {
    let base = base.as_str().trim_end_matches('/');
    let relative = match reference.strip_prefix(base) {
        Some(rest) => rest.strip_prefix('/')?,
        None => reference,
    };
    let mut parts = relative.strip_prefix("Patient/")?.split('/');
    let id = parts.next().and_then(LogicalId::parse)?;
    let is_known_form =
        matches!((parts.next(), parts.next(), parts.next()), (None, ..) | (Some("_history"), Some(_), None));
    is_known_form.then_some(id)
}

/// Reads the answer to a search. Servers may pass over parameters that they do not know, so what they answer is a match
/// only if it has what was asked for.
pub(super) fn matches(body: &[u8], identifier: (&str, &str)) -> Result<Matches, Malformed> {
    let bundle: Bundle = serde_json::from_slice(body).map_err(|_| Malformed("is no Bundle"))?;
    if bundle.resource_type != "Bundle" || bundle.kind != "searchset" {
        return Err(Malformed("is no Bundle of a search"));
    }
    let mut found: Vec<RegistryPatient> = Vec::new();
    let mut others = 0_usize;
    for entry in bundle.entry {
        let mode = entry.search.and_then(|search| search.mode);
        if mode.is_some_and(|mode| mode != "match") {
            continue;
        }
        let resource = entry.resource.ok_or(Malformed("has an entry without a resource"))?;
        let kind: Kind = serde_json::from_str(resource.get())
            .map_err(|_| Malformed("has an entry that is no resource"))?;
        if kind.resource_type == "OperationOutcome" {
            continue;
        }
        let patient: Patient =
            serde_json::from_str(resource.get()).map_err(|_| Malformed("has an entry that is no Patient"))?;
        let is_match = patient.has(identifier);
        let patient = patient.read()?;
        if !is_match {
            others += 1;
        } else if !found.iter().any(|known| known.id == patient.id) {
            found.push(patient);
        }
    }
    let is_whole = !bundle.link.iter().any(|link| link.relation == "next")
        && bundle.total.is_none_or(|total| total <= (found.len() + others) as u64);
    match found.pop() {
        Some(one) if found.is_empty() && is_whole => Ok(Matches::One(Box::new(one))),
        Some(_) => Ok(Matches::Several),
        None if others == 0 && is_whole => Ok(Matches::None),
        None if others == 0 => Err(Malformed("does not show whom it found")),
        None => Err(Malformed("is of patients who were not asked for")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ASKED: (&str, &str) = ("urn:oid:1.2.3", "P1");

    fn patient(id: &str, value: &str) -> Value {
        json!({ "resource": { "resourceType": "Patient", "id": id,
                              "identifier": [{ "system": "urn:oid:1.2.3", "value": value }] } })
    }

    fn bundle(entry: &[Value]) -> Value {
        json!({ "resourceType": "Bundle", "type": "searchset", "entry": entry })
    }

    fn read(bundle: &Value) -> Result<Matches, Malformed> {
        matches(bundle.to_string().as_bytes(), ASKED)
    }

    #[test]
    fn addresses_are_escaped_twice_and_cannot_lead_elsewhere() {
        let base = Url::parse("https://fhir.example.org/r4/").expect("a URL");
        let url = search_url(&base, ("urn:a", "P|1,2\\3$ &x=é#/.."));
        assert_eq!(
            url.as_str(),
            "https://fhir.example.org/r4/Patient?identifier=urn%3Aa%7CP%5C%7C1%5C%2C2%5C%5C3%5C%24+%26x%3D%C3%A9%23%2F.."
        );
        let asked: Vec<_> = url.query_pairs().collect();
        assert_eq!((asked.len(), &*asked[0].1), (1, "urn:a|P\\|1\\,2\\\\3\\$ &x=é#/.."));
        let bare = Url::parse("https://fhir.example.org").expect("a URL");
        let id = LogicalId::parse("a-1.b").expect("an id");
        assert_eq!(read_url(&bare, &id).as_str(), "https://fhir.example.org/Patient/a-1.b");
        assert_eq!(read_url(&base, &id).as_str(), "https://fhir.example.org/r4/Patient/a-1.b");
    }

    #[test]
    fn references_are_followed_on_the_same_server_alone() {
        let base = Url::parse("https://fhir.example.org/r4").expect("a URL");
        for good in ["Patient/b", "https://fhir.example.org/r4/Patient/b", "Patient/b/_history/3"] {
            assert_eq!(local_id(&base, good), LogicalId::parse("b"), "{good}");
        }
        for bad in [
            "",
            "b",
            "Patient/",
            "Patient/..",
            "Patient/b/c",
            "Patient/b/_history",
            "Practitioner/b",
            "#b",
            "urn:uuid:b",
            "https://elsewhere.example.org/r4/Patient/b",
            "https://fhir.example.org/r4evil/Patient/b",
            "/Patient/b",
        ] {
            assert_eq!(local_id(&base, bad), None, "{bad}");
        }
    }

    #[test]
    fn one_is_found_several_are_ambiguous_and_others_are_not_taken() {
        let one = bundle(&[patient("a", "P1")]);
        assert!(matches!(read(&one), Ok(Matches::One(found)) if found.id.as_str() == "a"));
        assert_eq!(read(&bundle(&[])), Ok(Matches::None));
        assert_eq!(
            read(&json!({ "resourceType": "Bundle", "type": "searchset", "total": 0 })),
            Ok(Matches::None)
        );
        assert_eq!(read(&bundle(&[patient("a", "P1"), patient("b", "P1")])), Ok(Matches::Several));
        assert!(matches!(read(&bundle(&[patient("a", "P1"), patient("a", "P1")])), Ok(Matches::One(_))));
        // A server that passes over the parameter answers with whomever it has.
        assert!(read(&bundle(&[patient("a", "P2")])).is_err());
        assert!(read(&bundle(&[patient("a", "p1")])).is_err());
        assert!(matches!(read(&bundle(&[patient("a", "P2"), patient("b", "P1")])), Ok(Matches::One(_))));
        let mut included = patient("b", "P1");
        included["search"] = json!({ "mode": "include" });
        let outcome =
            json!({ "resource": { "resourceType": "OperationOutcome" }, "search": { "mode": "outcome" } });
        assert!(matches!(read(&bundle(&[patient("a", "P1"), included, outcome])), Ok(Matches::One(_))));
    }

    #[test]
    fn what_is_not_shown_is_not_passed_over() {
        let mut more = bundle(&[patient("a", "P1")]);
        more["total"] = json!(2);
        assert_eq!(read(&more), Ok(Matches::Several));
        let mut paged = bundle(&[patient("a", "P1")]);
        paged["link"] =
            json!([{ "relation": "self", "url": "x" }, { "relation": "next", "url": "https://elsewhere" }]);
        assert_eq!(read(&paged), Ok(Matches::Several));
        paged["entry"] = json!([]);
        assert!(read(&paged).is_err());
        assert!(read(&json!({ "resourceType": "Bundle", "type": "searchset", "total": 1 })).is_err());
    }

    #[test]
    fn what_is_no_answer_to_a_search_is_refused() {
        for bad in [
            json!({ "resourceType": "Bundle", "type": "history", "entry": [patient("a", "P1")] }),
            json!({ "resourceType": "OperationOutcome" }),
            patient("a", "P1")["resource"].clone(),
            bundle(&[json!({ "fullUrl": "x" })]),
            bundle(&[json!({ "resource": { "resourceType": "Observation", "id": "x" } })]),
            bundle(&[json!({ "resource": "x" })]),
            json!([]),
            json!(null),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        let deep = format!("{{\"resourceType\":{}", "[".repeat(100_000));
        for bad in ["", "<html>", "{", &deep] {
            assert!(matches(bad.as_bytes(), ASKED).is_err());
        }
    }
}
