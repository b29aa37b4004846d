//! PS3.4 C.4.2.2.1: the instances that an Identifier names by the unique keys of its level.

use std::collections::HashSet;

use database::{Attribute, Condition, Level, Matching, MatchingRules, Order, SearchQuery, StoredInstance};
use model::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, access::Scope};

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

/// Instances of one retrieval: their list is in memory while it runs.
const INSTANCES_MAX: usize = 100_000;
/// Studies looked for at once.
const PAGE_ROWS: u32 = 200;

/// Finds them, each study's by series number and instance number.
///
/// # Errors
/// When the Identifier does not name anything, or too much; when the index cannot be asked.
pub async fn select<L: Lookup>(
    lookup: &L,
    scope: &Scope,
    model: InformationModel,
    options: QueryOptions,
    identifier: &Identifier,
) -> Result<Vec<StoredInstance>, Refused> {
    check_hierarchy(model, options, identifier)?;
    let conditions = conditions(identifier)?;
    let one_of = |level: QueryLevel| identifier.values(level.unique_key());
    let (series, images) = (one_of(QueryLevel::Series), one_of(QueryLevel::Image));
    let only_series = only(&series).and_then(|uid| SeriesInstanceUid::parse(uid).ok());
    let only_image = only(&images).and_then(|uid| SopInstanceUid::parse(uid).ok());
    let (series, images): (HashSet<&str>, HashSet<&str>) =
        (series.into_iter().collect(), images.into_iter().collect());
    let mut instances = Vec::new();
    for study in studies(lookup, scope, identifier, conditions).await? {
        let mut found = lookup.instances(scope, &study, only_series.as_ref(), only_image.as_ref()).await?;
        found.retain(|one| {
            (series.is_empty() || series.contains(one.series_instance_uid.as_str()))
                && (images.is_empty() || images.contains(one.sop_instance_uid.as_str()))
        });
        instances.append(&mut found);
        if instances.len() > INSTANCES_MAX {
            let comment = format!("more than {INSTANCES_MAX} instances");
            return Err(Refused::saying(status::MATCHES_NOT_COUNTED, comment));
        }
    }
    Ok(instances)
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
    Ok(conditions)
}

async fn studies<L: Lookup>(
    lookup: &L,
    scope: &Scope,
    identifier: &Identifier,
    conditions: Vec<Condition>,
) -> Result<Vec<StudyInstanceUid>, Refused> {
    let patient_id = identifier.values(QueryLevel::Patient.unique_key());
    let mut query = SearchQuery {
        level: Level::Study,
        conditions,
        order: Order::OldestFirst,
        limit: PAGE_ROWS,
        ..SearchQuery::default()
    };
    let mut studies = Vec::new();
    loop {
        let found = lookup.search(scope, &query).await?;
        query.offset += found.rows.len() as u64;
        // A search takes p1 for P1. Those may be two patients, and nobody gets the other's images.
        let rows = found
            .rows
            .into_iter()
            .filter(|row| only(&patient_id).is_none_or(|asked| row.patient.patient_id.trim() == asked));
        studies.extend(rows.map(|row| row.study.study_instance_uid));
        if !found.more || studies.len() > INSTANCES_MAX {
            return Ok(studies);
        }
    }
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
        let lower = [(0x0020_000D, "1.2"), (0x0020_000E, "1.3"), (0x0010_0020, "P")];
        assert_eq!(
            named(QueryLevel::Study, &lower),
            Ok(vec![Attribute::PatientID, Attribute::StudyInstanceUID]),
            "keys of deeper levels do not count"
        );
    }
}
