//! PS3.4 C.4.2.2.1: the instances that an Identifier names by the unique keys of its level.

use std::collections::{HashMap, HashSet};

use database::{
    Attribute, Condition, InstanceKeys, Level, MATCHING_UIDS_MAX, Matching, MatchingRules, Order,
    SearchQuery, SearchRow, StoredInstance,
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
    let named = named(identifier);
    if named.len() as u64 > instances_max {
        return Err(too_many(instances_max));
    }
    let parts = parts(identifier, &named)?;
    let is_in_parts = parts.len() > 1;
    let mut found = Found { patients: Patients::of(identifier), instances: Vec::new(), instances_max };
    for part in parts {
        found.add(lookup, scope, part).await?;
    }
    if is_in_parts {
        put_in_order(&mut found.instances);
    }
    Ok(found.instances)
}

fn too_many(instances_max: u64) -> Refused {
    Refused::saying(status::MATCHES_NOT_COUNTED, format!("more than {instances_max} instances"))
}

/// What is named by the unique key of the level, each UID once: nothing is sent twice.
fn named(identifier: &Identifier) -> Vec<&str> {
    let mut named = identifier.values(identifier.level.unique_key());
    if identifier.level != QueryLevel::Patient {
        let mut seen = HashSet::new();
        named.retain(|uid| seen.insert(*uid));
    }
    named
}

/// As many UIDs of the level as one search takes, and what else is asked for.
struct Part<'a> {
    conditions: Vec<Condition>,
    series: Vec<&'a str>,
    images: Vec<&'a str>,
}

impl<'a> Part<'a> {
    fn of(identifier: &'a Identifier, named: &[&'a str]) -> Result<Self, Refused> {
        let uids = |level: QueryLevel| {
            if level == identifier.level { named.to_vec() } else { identifier.values(level.unique_key()) }
        };
        Ok(Self {
            conditions: conditions(identifier, named)?,
            series: uids(QueryLevel::Series),
            images: uids(QueryLevel::Image),
        })
    }
}

/// A list of UIDs may be as long as an Identifier (PS3.4 C.4.2.2.1 has no bound), what one search takes is bounded.
fn parts<'a>(identifier: &'a Identifier, named: &[&'a str]) -> Result<Vec<Part<'a>>, Refused> {
    if named.is_empty() {
        // Which is refused.
        return Ok(vec![Part::of(identifier, named)?]);
    }
    named.chunks(MATCHING_UIDS_MAX).map(|uids| Part::of(identifier, uids)).collect()
}

/// What has been found by now.
struct Found<'a> {
    patients: Patients<'a>,
    instances: Vec<StoredInstance>,
    instances_max: u64,
}

impl Found<'_> {
    /// Adds what a part names.
    async fn add<L: Lookup>(&mut self, lookup: &L, scope: &Scope, part: Part<'_>) -> Result<(), Refused> {
        let Part { conditions, series, images } = part;
        let order = Order::OldestFirst;
        let mut query = SearchQuery {
            level: Level::Study,
            conditions,
            order,
            limit: PAGE_ROWS,
            ..SearchQuery::default()
        };
        loop {
            let found = lookup.search(scope, &query).await?;
            query.offset += found.rows.len() as u64;
            let studies = self.patients.studies(found.rows)?;
            if !studies.is_empty() {
                let keys = InstanceKeys { studies: &studies, series: &series, instances: &images };
                // One more than is allowed tells that there are too many.
                let limit = (self.instances_max + 1).saturating_sub(self.instances.len() as u64);
                let mut page = lookup.instances(scope, keys, limit).await?;
                let places: HashMap<&str, usize> =
                    studies.iter().enumerate().map(|(place, uid)| (uid.as_str(), place)).collect();
                page.sort_by_key(|one| places.get(one.study_instance_uid.as_str()).copied());
                self.instances.append(&mut page);
            }
            if self.instances.len() as u64 > self.instances_max {
                return Err(too_many(self.instances_max));
            }
            if !found.more {
                return Ok(());
            }
        }
    }
}

/// As if one search had found all of them: a study's together, by series number and instance number.
fn put_in_order(instances: &mut [StoredInstance]) {
    let mut places: HashMap<String, usize> = HashMap::new();
    for one in instances.iter() {
        let next = places.len();
        places.entry(one.study_instance_uid.to_string()).or_insert(next);
    }
    let place = |one: &StoredInstance| places.get(one.study_instance_uid.as_str()).copied();
    instances.sort_by(|one, other| (place(one), in_study(one)).cmp(&(place(other), in_study(other))));
}

/// What a study's instances are sorted by: missing numbers last.
fn in_study(one: &StoredInstance) -> (bool, Option<i32>, &str, bool, Option<i32>, &str) {
    let (series, instance) = (one.series_number, one.instance_number);
    let (series_uid, instance_uid) = (one.series_instance_uid.as_str(), one.sop_instance_uid.as_str());
    (series.is_none(), series, series_uid, instance.is_none(), instance, instance_uid)
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

/// Conditions of the unique keys, that of the level for these values: it has to be there, or everything would be sent.
fn conditions(identifier: &Identifier, named: &[&str]) -> Result<Vec<Condition>, Refused> {
    let attributes = [
        (QueryLevel::Patient, Attribute::PatientID),
        (QueryLevel::Study, Attribute::StudyInstanceUID),
        (QueryLevel::Series, Attribute::SeriesInstanceUID),
        (QueryLevel::Image, Attribute::SOPInstanceUID),
    ];
    let mut conditions = Vec::new();
    for (level, attribute) in attributes.into_iter().filter(|(level, _)| *level <= identifier.level) {
        let key = level.unique_key();
        let values = if level == identifier.level { named.to_vec() } else { identifier.values(key) };
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
mod tests;
