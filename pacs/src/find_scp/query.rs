//! PS3.4 C.4.1.2 and C.4.1.3: what an Identifier asks for.

use std::collections::BTreeMap;

use database::{Attribute, Condition, Encoder, Level, Matching, MatchingRules};

use crate::{
    dimse::status,
    query_retrieve::{
        identifier::{Identifier, Key},
        information_model::{InformationModel, QUERY_RETRIEVE_LEVEL, QueryLevel},
        options::QueryOptions,
        response::Refused,
    },
};

/// Request Attributes Sequence: the only one with something in it to match on.
pub const REQUEST_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0275;
/// Attributes that say how to read the rest, and are matched on by nobody: character set, level, retrieve AE title,
/// instance availability, timezone.
pub const NOT_MATCHED: [u32; 5] = [0x0008_0005, QUERY_RETRIEVE_LEVEL, 0x0008_0054, 0x0008_0056, 0x0008_0201];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Where.
    pub level: QueryLevel,
    /// What must match.
    pub conditions: Vec<Condition>,
    /// What was agreed.
    pub options: QueryOptions,
    /// Every key with a value is matched on.
    pub is_fully_matched: bool,
}

impl Query {
    /// Reads an Identifier.
    ///
    /// # Errors
    /// When its level is not one of the model, a unique key of a level above is missing, or a value cannot be read.
    pub fn read(
        model: InformationModel,
        options: QueryOptions,
        identifier: &Identifier,
    ) -> Result<Self, Refused> {
        check_hierarchy(model, options, identifier)?;
        let mut query =
            Self { level: identifier.level, conditions: Vec::new(), options, is_fully_matched: true };
        for (tag, key) in &identifier.keys {
            if *tag == REQUEST_ATTRIBUTES_SEQUENCE {
                query.read_request_attributes(&key.item)?;
            } else if !NOT_MATCHED.contains(tag) {
                query.read_key(*tag, key, is_of_a_sequence)?;
            }
        }
        Ok(query)
    }

    fn read_request_attributes(&mut self, item: &BTreeMap<u32, Key>) -> Result<(), Refused> {
        for (tag, key) in item {
            self.read_key(*tag, key, |attribute| !is_of_a_sequence(attribute))?;
        }
        Ok(())
    }

    fn read_key(&mut self, tag: u32, key: &Key, is_elsewhere: fn(Attribute) -> bool) -> Result<(), Refused> {
        let has_value = !Matching::is_universal(&key.value) || !key.item.is_empty();
        let attribute = Attribute::from_tag(tag).filter(|attribute| !is_elsewhere(*attribute));
        let Some(attribute) = attribute.filter(|one| self.is_in_reach(*one)) else {
            self.is_fully_matched &= !has_value;
            return Ok(());
        };
        let QueryOptions { empty_value, multiple_value, .. } = self.options;
        let rules = MatchingRules { empty_value, multiple_value };
        let matching = Matching::parse(attribute.vr(), &key.value, rules).map_err(|right| {
            let comment = format!("{}: {right}", attribute.keyword());
            Refused::saying(status::UNABLE_TO_PROCESS, comment).at(tag)
        })?;
        self.conditions.extend(matching.map(|matching| Condition { attribute, matching }));
        Ok(())
    }

    /// Keys of deeper levels are matched on when relational queries were agreed on (PS3.4 C.4.1.2.2), those of levels
    /// above always.
    fn is_in_reach(&self, attribute: Attribute) -> bool {
        self.options.relational || level_of(attribute) <= self.level
    }

    /// The level of the search; patients have a search of their own.
    pub fn search_level(&self) -> Level {
        match self.level {
            QueryLevel::Patient | QueryLevel::Study => Level::Study,
            QueryLevel::Series => Level::Series,
            QueryLevel::Image => Level::Instance,
        }
    }

    /// The study, when one is named.
    pub fn study(&self) -> Option<String> {
        self.conditions.iter().find_map(|condition| match &condition.matching {
            Matching::UidList(uids) if condition.attribute == Attribute::StudyInstanceUID => {
                match &uids[..] {
                    [uid] => Some(uid.clone()),
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// The conditions, hashed: they may name a patient. The same question has the same hash.
    pub fn filter_hash(&self) -> String {
        let mut encoder = Encoder::new("MaxRay C-FIND 1");
        encoder.text(self.level.as_str());
        for Condition { attribute, matching } in &self.conditions {
            encoder.text(attribute.keyword()).text(&format!("{matching:?}"));
        }
        model::text::hex(&encoder.finish()[..16])
    }
}

/// Attributes that stand in Request Attributes Sequence, and not beside it.
fn is_of_a_sequence(attribute: Attribute) -> bool {
    matches!(attribute, Attribute::ScheduledProcedureStepID | Attribute::RequestedProcedureID)
}

fn level_of(attribute: Attribute) -> QueryLevel {
    match attribute.level() {
        Level::Study if attribute.tag() >> 16 == 0x0010 => QueryLevel::Patient,
        Level::Study => QueryLevel::Study,
        Level::Series => QueryLevel::Series,
        Level::Instance => QueryLevel::Image,
    }
}

/// PS3.4 C.4.1.2.1 and C.4.2.2.1: each level above is named by one value of its unique key. A UID names its study, and
/// so its patient, without the Patient ID, which half of the programs there are leave out.
pub fn check_hierarchy(
    model: InformationModel,
    options: QueryOptions,
    identifier: &Identifier,
) -> Result<(), Refused> {
    let level = identifier.level;
    if !model.levels().contains(&level) {
        let comment = format!("the information model has no level {}", level.as_str());
        return Err(Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, comment).at(QUERY_RETRIEVE_LEVEL));
    }
    if options.relational {
        return Ok(());
    }
    for above in model.levels().iter().filter(|above| **above < level) {
        let key = above.unique_key();
        let is_named = match (above, identifier.values(key).as_slice()) {
            (_, [value]) => !value.contains(['*', '?']),
            (QueryLevel::Patient, []) => true,
            _ => false,
        };
        if !is_named {
            let comment = format!("level {} takes one {} value", level.as_str(), above.as_str());
            return Err(Refused::saying(status::IDENTIFIER_DOES_NOT_MATCH, comment).at(key));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(level: QueryLevel, keys: &[(u32, &str)]) -> Identifier {
        let key = |value: &str| Key { value: value.to_owned(), item: BTreeMap::new() };
        let keys = keys.iter().map(|(tag, value)| (*tag, key(value))).collect();
        Identifier { level, keys, character_set: String::new() }
    }

    fn read(identifier: &Identifier, options: QueryOptions) -> Result<Query, u16> {
        Query::read(InformationModel::StudyRoot, options, identifier).map_err(|refused| refused.status)
    }

    const PATIENT_NAME: u32 = 0x0010_0010;
    const STUDY_UID: u32 = 0x0020_000D;
    const MODALITY: u32 = 0x0008_0060;
    const RELATIONAL: QueryOptions = QueryOptions {
        relational: true,
        date_time: false,
        fuzzy: false,
        empty_value: false,
        multiple_value: false,
    };

    #[test]
    fn levels_above_are_named_unless_the_query_is_relational() {
        let none = identifier(QueryLevel::Series, &[]);
        assert_eq!(read(&none, QueryOptions::default()), Err(status::IDENTIFIER_DOES_NOT_MATCH));
        assert!(read(&none, RELATIONAL).is_ok());
        for (value, good) in [("1.2", true), ("1.2\\1.3", false), ("1.*", false), ("", false)] {
            let one = identifier(QueryLevel::Series, &[(STUDY_UID, value)]);
            assert_eq!(read(&one, QueryOptions::default()).is_ok(), good, "{value}");
        }
        let patients = identifier(QueryLevel::Patient, &[]);
        assert_eq!(read(&patients, RELATIONAL), Err(status::IDENTIFIER_DOES_NOT_MATCH), "not of the model");
        for level in [QueryLevel::Patient, QueryLevel::Study] {
            let model = InformationModel::PatientRoot;
            assert!(Query::read(model, QueryOptions::default(), &identifier(level, &[])).is_ok());
        }
    }

    #[test]
    fn deeper_keys_count_when_that_was_agreed() {
        let asked =
            identifier(QueryLevel::Study, &[(MODALITY, "CR"), (PATIENT_NAME, "DOE*"), (0x0008_0005, "x")]);
        let plain = read(&asked, QueryOptions::default()).expect("a query");
        assert_eq!((plain.conditions.len(), plain.is_fully_matched), (1, false));
        let relational = read(&asked, RELATIONAL).expect("a query");
        assert_eq!((relational.conditions.len(), relational.is_fully_matched), (2, true));
        assert_ne!(plain.filter_hash(), relational.filter_hash());
        assert!(!format!("{:?}", plain.filter_hash()).contains("DOE"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_names_its_element() {
        let asked = identifier(QueryLevel::Study, &[(0x0008_0020, "yesterday")]);
        let refused =
            Query::read(InformationModel::StudyRoot, QueryOptions::default(), &asked).expect_err("refused");
        assert_eq!((refused.status, refused.offending), (status::UNABLE_TO_PROCESS, vec![0x0008_0020]));
        assert!(!refused.comment.contains("yesterday"), "{}", refused.comment);
    }

    #[test]
    fn keys_of_a_sequence_are_matched_in_it() {
        let mut asked = identifier(QueryLevel::Image, &[(STUDY_UID, "1.2"), (0x0020_000E, "1.3")]);
        let inside = [(0x0040_1001, Key { value: "RP1".into(), item: BTreeMap::new() })];
        let sequence = Key { value: String::new(), item: inside.into() };
        asked.keys.insert(REQUEST_ATTRIBUTES_SEQUENCE, sequence);
        let query = read(&asked, QueryOptions::default()).expect("a query");
        let attributes: Vec<_> = query.conditions.iter().map(|one| one.attribute).collect();
        assert!(attributes.contains(&Attribute::RequestedProcedureID) && query.is_fully_matched);
        assert_eq!(query.study().as_deref(), Some("1.2"));
        let beside =
            identifier(QueryLevel::Image, &[(STUDY_UID, "1.2"), (0x0020_000E, "1.3"), (0x0040_1001, "RP1")]);
        assert!(!read(&beside, QueryOptions::default()).expect("a query").is_fully_matched);
    }
}
