//! What `selection` must hold.

use std::collections::BTreeMap;

use super::*;
use crate::query_retrieve::identifier::Key;

fn identifier(level: QueryLevel, keys: &[(u32, &str)]) -> Identifier {
    let key = |value: &str| Key { value: value.to_owned(), item: BTreeMap::new() };
    let keys = keys.iter().map(|(tag, value)| (*tag, key(value))).collect();
    Identifier { level, keys, character_set: String::new() }
}

/// Attributes that the first search asks by.
fn asked_by(level: QueryLevel, keys: &[(u32, &str)]) -> Result<Vec<Attribute>, u16> {
    let identifier = identifier(level, keys);
    let found = parts(&identifier, &named(&identifier)).map_err(|refused| refused.status)?;
    Ok(found[0].conditions.iter().map(|condition| condition.attribute).collect())
}

#[test]
fn a_list_of_any_length_is_asked_for_in_parts_and_each_uid_once() {
    let uids: Vec<String> = (0..1300).map(|number| format!("1.2.{number}")).collect();
    let list = [uids.clone(), uids[..9].to_vec()].concat().join("\\");
    let keys = [(0x0020_000D, "1.1"), (0x0020_000E, "1.3"), (0x0008_0018, list.as_str())];
    let identifier = identifier(QueryLevel::Image, &keys);
    let parts = parts(&identifier, &named(&identifier)).expect("parts");
    let lengths: Vec<usize> = parts.iter().map(|part| part.images.len()).collect();
    assert_eq!(lengths, [512, 512, 276]);
    assert_eq!(parts.iter().flat_map(|part| &part.images).copied().collect::<Vec<_>>(), uids);
    for part in &parts {
        let of_level = part.conditions.last().expect("conditions");
        let expected = Matching::UidList(part.images.iter().map(ToString::to_string).collect());
        assert_eq!((of_level.attribute, &of_level.matching), (Attribute::SOPInstanceUID, &expected));
        assert_eq!(part.series, ["1.3"]);
    }
    assert_eq!(asked_by(QueryLevel::Image, &[(0x0008_0018, &format!("{list}\\1.2*"))]), Err(0xA900));
}

#[test]
fn what_names_nothing_retrieves_nothing() {
    const REFUSED: Result<Vec<Attribute>, u16> = Err(status::IDENTIFIER_DOES_NOT_MATCH);
    for level in [QueryLevel::Patient, QueryLevel::Study, QueryLevel::Series, QueryLevel::Image] {
        for value in ["", " ", "*", "\\"] {
            let found = asked_by(level, &[(level.unique_key(), value)]);
            if level == QueryLevel::Patient && value == "*" {
                // No Patient ID is a pattern: it is compared as it stands.
                assert_eq!(found, Ok(vec![Attribute::PatientID]));
            } else {
                assert_eq!(found, REFUSED, "{level:?} {value}");
            }
        }
    }
    assert_eq!(asked_by(QueryLevel::Patient, &[(0x0010_0020, "1\\2")]), REFUSED);
    assert_eq!(asked_by(QueryLevel::Patient, &[(0x0010_0020, "1"), (ISSUER_OF_PATIENT_ID, "A\\B")]), REFUSED);
    let lower = [(0x0020_000D, "1.2"), (0x0020_000E, "1.3"), (0x0010_0020, "P")];
    assert_eq!(
        asked_by(QueryLevel::Study, &lower),
        Ok(vec![Attribute::PatientID, Attribute::StudyInstanceUID]),
        "keys of deeper levels do not count"
    );
}
