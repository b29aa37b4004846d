//! PS3.4 K.6.1.2.2: what the Identifier of a modality asks for.

use std::collections::BTreeMap;

use database::{Encoder, Matching, MatchingRules, WorklistCondition, WorklistKey};
use model::AeTitle;

use super::row::SCHEDULED_PROCEDURE_STEP_SEQUENCE;
use crate::{
    dimse::status,
    query_retrieve::{
        identifier::{Key, Keys},
        response::Refused,
    },
};

/// Attributes that say how to read the rest, and are matched on by nobody: character set, timezone.
pub const NOT_MATCHED: [u32; 2] = [0x0008_0005, 0x0008_0201];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What must match.
    pub conditions: Vec<WorklistCondition>,
    /// Every key with a value is matched on.
    pub is_fully_matched: bool,
}

impl Query {
    /// Reads an Identifier; with a station, only what is scheduled for that.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn read(keys: &Keys, station: Option<&AeTitle>) -> Result<Self, Refused> {
        let mut query = Self { conditions: Vec::new(), is_fully_matched: true };
        for (tag, key) in &keys.keys {
            if *tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE {
                for (tag, key) in &key.item {
                    query.read_key(*tag, key, true)?;
                }
            } else if !NOT_MATCHED.contains(tag) {
                query.read_key(*tag, key, false)?;
            }
        }
        if let Some(station) = station {
            let matching = Matching::Equals(station.to_string());
            query.conditions.push(WorklistCondition { key: WorklistKey::ScheduledStationAETitle, matching });
        }
        Ok(query)
    }

    fn read_key(&mut self, tag: u32, key: &Key, in_step: bool) -> Result<(), Refused> {
        let Some(known) = WorklistKey::of(tag, in_step) else {
            self.is_fully_matched &= !has_value(key);
            return Ok(());
        };
        let matching =
            Matching::parse(known.vr(), &key.value, MatchingRules::default()).map_err(|right| {
                let comment = format!("{}: {right}", known.keyword());
                Refused::saying(status::UNABLE_TO_PROCESS, comment).at(tag)
            })?;
        self.conditions.extend(matching.map(|matching| WorklistCondition { key: known, matching }));
        Ok(())
    }

    /// The conditions, hashed: they may name a patient. The same question has the same hash.
    pub fn filter_hash(&self) -> String {
        let mut encoder = Encoder::new("MaxRay worklist 1");
        for WorklistCondition { key, matching } in &self.conditions {
            encoder.text(key.keyword()).text(&format!("{matching:?}"));
        }
        model::text::hex(&encoder.finish()[..16])
    }
}

/// Keys without values in sequences ask to be told, not to be matched on. The reader bounds how deep they go.
fn has_value(key: &Key) -> bool {
    let mut open: Vec<&BTreeMap<u32, Key>> = vec![&key.item];
    let mut found = !Matching::is_universal(&key.value);
    while let Some(item) = open.pop() {
        found |= item.values().any(|key| !Matching::is_universal(&key.value));
        open.extend(item.values().map(|key| &key.item));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Key {
        Key { value: value.to_owned(), item: BTreeMap::new() }
    }

    fn sequence(item: &[(u32, &str)]) -> Key {
        Key { value: String::new(), item: item.iter().map(|(tag, value)| (*tag, key(value))).collect() }
    }

    fn read(keys: Vec<(u32, Key)>, station: Option<&str>) -> Result<Query, u16> {
        let keys = Keys { keys: keys.into_iter().collect(), character_set: String::new() };
        let station = station.map(|title| AeTitle::parse(title).expect("a title"));
        Query::read(&keys, station.as_ref()).map_err(|refused| refused.status)
    }

    #[test]
    fn keys_inside_and_outside_of_the_step() {
        let step = sequence(&[(0x0040_0001, "CT1"), (0x0040_0002, "20260101-20260102"), (0x0008_0060, "")]);
        let keys = vec![(0x0010_0010, key("DOE*")), (0x0040_0100, step), (0x0020_000D, key(""))];
        let query = read(keys, None).expect("a query");
        let matched: Vec<_> = query.conditions.iter().map(|one| one.key.keyword()).collect();
        assert_eq!(matched, ["PatientName", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"]);
        assert!(query.is_fully_matched);
        // Modality is of the step; outside of it nobody knows it.
        let query = read(vec![(0x0008_0060, key("CT"))], None).expect("a query");
        assert!(query.conditions.is_empty() && !query.is_fully_matched);
    }

    #[test]
    fn a_station_that_is_held_to_its_own_work_cannot_ask_for_others() {
        let step = || sequence(&[(0x0040_0001, "CT1")]);
        let query = read(vec![(0x0040_0100, step())], Some("CT2")).expect("a query");
        let titles: Vec<_> = query.conditions.iter().map(|one| &one.matching).collect();
        let equals = |title: &str| Matching::Equals(title.to_owned());
        assert_eq!(titles, [&equals("CT1"), &equals("CT2")], "both have to hold");
    }

    #[test]
    fn keys_that_only_want_to_be_told_are_not_missed() {
        let code = sequence(&[(0x0008_0100, ""), (0x0008_0102, "*")]);
        assert!(read(vec![(0x0032_1064, code)], None).expect("a query").is_fully_matched);
        let code = sequence(&[(0x0008_0100, "X1")]);
        assert!(!read(vec![(0x0032_1064, code)], None).expect("a query").is_fully_matched);
        let step = sequence(&[(0x0040_0002, "yesterday")]);
        assert_eq!(read(vec![(0x0040_0100, step)], None), Err(status::UNABLE_TO_PROCESS));
    }
}
