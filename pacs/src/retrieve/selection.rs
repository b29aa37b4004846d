//! PS3.4 C.4.2.2.1: the instances that an Identifier names by the unique keys of its level.

use std::collections::{HashMap, HashSet};

use database::{
    Attribute, Condition, InstanceKeys, Level, Matching, MatchingRules, Order, SearchQuery, SearchRow,
    StoredInstance,
};
use model::{StudyInstanceUid, access::Scope};

use crate::{
    dimse::status,
    find_scp::check_hierarchy,
    query_retrieve::{
        identifier::Identifier,
        information_model::{InformationModel, QueryLevel},
        lookup::Lookup,
        options::QueryOptions,
        response::Refused,
    },
};

/// Studies looked for at once.
const PAGE_ROWS: u32 = 200;
/// Issuer of Patient ID: with it, and not without it, a Patient ID is one patient's.
const ISSUER_OF_PATIENT_ID: u32 = 0x0010_0021;

/// Finds them, each study's by series number and instance number. More than `instances_max` are refused, and not read.
///
/// # Errors
/// When the Identifier does not name anything, or too much; when the index cannot be asked.
pub async fn select<L: Lookup>(
    lookup: &L,
    scope: &Scope,
    model: InformationModel,
    options: QueryOptions,
    identifier: &Identifier,
    instances_max: u64,
) -> Result<Vec<StoredInstance>, Refused> {
    check_hierarchy(model, options, identifier)?;
    let mut query = SearchQuery {
        level: Level::Study,
        conditions: conditions(identifier)?,
        order: Order::OldestFirst,
        limit: PAGE_ROWS,
        ..SearchQuery::default()
    };
    let series = identifier.values(QueryLevel::Series.unique_key());
    let images = identifier.values(QueryLevel::Image.unique_key());
    let mut patients = Patients::of(identifier);
    let mut instances = Vec::new();
    loop {
        let found = lookup.search(scope, &query).await?;
        query.offset += found.rows.len() as u64;
        let studies = patients.studies(found.rows)?;
        if !studies.is_empty() {
            let keys = InstanceKeys { studies: &studies, series: &series, instances: &images };
            // One more than is allowed tells that there are too many.
            let limit = (instances_max + 1).saturating_sub(instances.len() as u64);
            let mut page = lookup.instances(scope, keys, limit).await?;
            let places: HashMap<&str, usize> =
                studies.iter().enumerate().map(|(place, uid)| (uid.as_str(), place)).collect();
            page.sort_by_key(|one| places.get(one.study_instance_uid.as_str()).copied());
            instances.append(&mut page);
        }
        if instances.len() as u64 > instances_max {
            let comment = format!("more than {instances_max} instances");
            return Err(Refused::saying(status::MATCHES_NOT_COUNTED, comment));
        }
        if !found.more {
            return Ok(instances);
        }
    }
}

/// Whose studies are asked for, when a Patient ID is.
struct Patients<'a> {
    id: Option<&'a str>,
    issuer: Option<&'a str>,
    issuers: HashSet<String>,
}

impl<'a> Patients<'a> {
    fn of(identifier: &'a Identifier) -> Self {
        Self {
            id: only(&identifier.values(QueryLevel::Patient.unique_key())),
            issuer: only(&identifier.values(ISSUER_OF_PATIENT_ID)),
            issuers: HashSet::new(),
        }
    }

    /// The studies of the one patient. A search takes p1 for P1, and an ID stands for another person where somebody else
    /// gives them out: nobody gets the other's images.
    fn studies(&mut self, rows: Vec<SearchRow>) -> Result<Vec<StudyInstanceUid>, Refused> {
        let mut studies = Vec::with_capacity(rows.len());
        for SearchRow { patient, study, .. } in rows {
            let issuer = patient.issuer_of_patient_id.trim();
            if self.id.is_some_and(|asked| patient.patient_id.trim() != asked)
                || self.issuer.is_some_and(|asked| issuer != asked)
            {
                continue;
            }
            studies.push(study.study_instance_uid);
            if self.id.is_some() && self.issuers.insert(issuer.to_owned()) && self.issuers.len() > 1 {
                let comment = "the Patient ID is of several issuers: one has to be named";
                let refused = Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, comment);
                return Err(refused.at(ISSUER_OF_PATIENT_ID));
            }
        }
        Ok(studies)
    }
}

fn only<'a>(values: &[&'a str]) -> Option<&'a str> {
    if let [value] = values { Some(value) } else { None }
}

/// Conditions of the unique keys. That of the level itself has to be there, or everything would be sent.
fn conditions(identifier: &Identifier) -> Result<Vec<Condition>, Refused> {
    let attributes = [
        (QueryLevel::Patient, Attribute::PatientID),
        (QueryLevel::Study, Attribute::StudyInstanceUID),
        (QueryLevel::Series, Attribute::SeriesInstanceUID),
        (QueryLevel::Image, Attribute::SOPInstanceUID),
    ];
    let mut conditions = Vec::new();
    for (level, attribute) in attributes.into_iter().filter(|(level, _)| *level <= identifier.level) {
        let key = level.unique_key();
        let values = identifier.values(key);
        let wrong = |why: &str| {
            let comment = format!("{}: {why}", attribute.keyword());
            Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, comment).at(key)
        };
        let matching = match (level, values.as_slice()) {
            (_, []) if level == identifier.level => return Err(wrong("a value is needed")),
            (_, []) => continue,
            (QueryLevel::Patient, [value]) => Matching::Equals((*value).to_owned()),
            (QueryLevel::Patient, _) => return Err(wrong("one value")),
            (_, values) => match Matching::parse("UI", &values.join("\\"), MatchingRules::default()) {
                Ok(Some(matching)) => matching,
                Ok(None) => return Err(wrong("UIDs, not *")),
                Err(right) => return Err(wrong(&right)),
            },
        };
        conditions.push(Condition { attribute, matching });
    }
    match identifier.values(ISSUER_OF_PATIENT_ID).as_slice() {
        [] => {}
        [issuer] => conditions.push(Condition {
            attribute: Attribute::IssuerOfPatientID,
            matching: Matching::Equals((*issuer).to_owned()),
        }),
        _ => {
            let refused = Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, "IssuerOfPatientID: one value");
            return Err(refused.at(ISSUER_OF_PATIENT_ID));
        }
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::query_retrieve::identifier::Key;

    fn named(level: QueryLevel, keys: &[(u32, &str)]) -> Result<Vec<Attribute>, u16> {
        let key = |value: &str| Key { value: value.to_owned(), item: BTreeMap::new() };
        let keys = keys.iter().map(|(tag, value)| (*tag, key(value))).collect();
        let identifier = Identifier { level, keys, character_set: String::new() };
        let found = conditions(&identifier).map_err(|refused| refused.status)?;
        Ok(found.into_iter().map(|condition| condition.attribute).collect())
    }

    #[test]
    fn what_names_nothing_retrieves_nothing() {
        const REFUSED: Result<Vec<Attribute>, u16> = Err(status::IDENTIFIER_DOES_NOT_MATCH);
        for level in [QueryLevel::Patient, QueryLevel::Study, QueryLevel::Series, QueryLevel::Image] {
            for value in ["", " ", "*", "\\"] {
                let found = named(level, &[(level.unique_key(), value)]);
                if level == QueryLevel::Patient && value == "*" {
                    // No Patient ID is a pattern: it is compared as it stands.
                    assert_eq!(found, Ok(vec![Attribute::PatientID]));
                } else {
                    assert_eq!(found, REFUSED, "{level:?} {value}");
                }
            }
        }
        assert_eq!(named(QueryLevel::Patient, &[(0x0010_0020, "1\\2")]), REFUSED);
        assert_eq!(
            named(QueryLevel::Patient, &[(0x0010_0020, "1"), (ISSUER_OF_PATIENT_ID, "A\\B")]),
            REFUSED
        );
        let lower = [(0x0020_000D, "1.2"), (0x0020_000E, "1.3"), (0x0010_0020, "P")];
        assert_eq!(
            named(QueryLevel::Study, &lower),
            Ok(vec![Attribute::PatientID, Attribute::StudyInstanceUID]),
            "keys of deeper levels do not count"
        );
    }
}
