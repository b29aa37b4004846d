//! Universal and empty value matching (PS3.4 C.2.2.2.3, C.2.2.2.7), and attributes without a value in responses
//! (C.4.1.1.3.2: Type 2).

use std::collections::BTreeSet;

use database::Attribute;
use tests::{platform::Engine, qido};

use super::*;

const ISSUER: u32 = 0x0010_0021;
const STUDY_DATE: u32 = 0x0008_0020;
const ACCESSION_NUMBER: u32 = 0x0008_0050;
const STUDY_DESCRIPTION: u32 = 0x0008_1030;
const REQUEST_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0275;
const RETRIEVE_AE_TITLE: u32 = 0x0008_0054;

/// Matched on and not returned.
const SOP_CLASSES_IN_STUDY: Attribute = Attribute::SOPClassesInStudy;
/// Keys in an item of Request Attributes Sequence, and not beside it.
const OF_THE_SEQUENCE: [Attribute; 2] =
    [Attribute::ScheduledProcedureStepID, Attribute::RequestedProcedureID];

/// With as many values as there are; with as few, empty and absent; and with a name that has no alphabetic group.
fn stored() -> [Synthetic; 3] {
    let full = Synthetic {
        issuer_of_patient_id: "NORTH".to_owned(),
        requested_procedure_id: "RP1".to_owned(),
        scheduled_procedure_step_id: "S1".to_owned(),
        ..Synthetic::cr("P1", 8, 8)
    };
    let bare = Synthetic {
        patient_name: String::new(),
        accession_number: String::new(),
        study_date: String::new(),
        ..Synthetic::cr("P2", 8, 8)
    };
    let ideographic = "=\u{5c71}\u{7530}^\u{592a}\u{90ce}".to_owned();
    [full, bare, Synthetic { patient_name: ideographic, ..Synthetic::cr("P3", 8, 8) }]
}

/// What a response at a level can have: what is matched on there and above, and the counts.
fn known(level: &str) -> BTreeSet<u32> {
    let of = |attribute: &&Attribute| {
        let level_of_it = if attribute.tag() >> 16 == 0x0010 {
            "PATIENT"
        } else {
            match attribute.level() {
                database::Level::Study => "STUDY",
                database::Level::Series => "SERIES",
                database::Level::Instance => "IMAGE",
            }
        };
        let rank = |name: &str| ["PATIENT", "STUDY", "SERIES", "IMAGE"].iter().position(|one| *one == name);
        rank(level_of_it) <= rank(level)
            && **attribute != SOP_CLASSES_IN_STUDY
            && !OF_THE_SEQUENCE.contains(attribute)
    };
    let mut tags: BTreeSet<u32> = Attribute::ALL.iter().filter(of).map(|one| one.tag()).collect();
    match level {
        "PATIENT" => tags.extend([0x0020_1200, 0x0020_1202, 0x0020_1204]),
        _ => tags.extend([0x0020_1206, 0x0020_1208, 0x0008_0056]),
    }
    if matches!(level, "SERIES" | "IMAGE") {
        tags.extend([0x0020_1209, REQUEST_ATTRIBUTES_SEQUENCE]);
    }
    tags
}

async fn keys_of_no_length(engine: Engine) {
    let platform = platform(Options::on(engine), &[("FINDSCU", FINDS)]).await;
    let made = stored();
    store(&platform, &made);
    for (class, level, unique) in [
        (PATIENT_FIND, "PATIENT", PATIENT_ID),
        (PATIENT_FIND, "STUDY", STUDY_UID),
        (STUDY_FIND, "STUDY", STUDY_UID),
        (STUDY_FIND, "SERIES", SERIES_UID),
        (STUDY_FIND, "IMAGE", INSTANCE_UID),
    ] {
        let asked = known(level);
        let mut keys: BTreeMap<u32, &[u8]> = asked.iter().map(|tag| (*tag, &b""[..])).collect();
        keys.insert(LEVEL, level.as_bytes());
        // Relational, so that none of the levels above has to be named.
        let (found, last) = find(&platform, class, &keys.into_iter().collect::<Vec<_>>(), &[1]);
        assert_eq!((found.len(), last.status()), (made.len(), 0), "{level}: each matches");
        for one in &found {
            assert_eq!(one.status(), 0xff00, "{level}: every key is known");
            let mut answered: BTreeSet<u32> = elements(one).into_keys().collect();
            answered.remove(&CHARACTER_SET);
            let mut expected = asked.clone();
            expected.extend([LEVEL, RETRIEVE_AE_TITLE, unique]);
            assert_eq!(answered, expected, "{level}");
        }
        check_values(&found, level);
    }
    // Each once, for a patient of which nothing else is known.
    let keys: &[(u32, &[u8])] = &[(SOP_CLASSES_IN_STUDY.tag(), b""), (LEVEL, b"STUDY"), (PATIENT_ID, b"P2")];
    let (found, _) = find(&platform, STUDY_FIND, keys, &[]);
    assert_eq!(found.iter().map(Message::status).collect::<Vec<_>>(), [0xff01], "matched on alone");
    assert_eq!(value(&found[0], SOP_CLASSES_IN_STUDY.tag()), None);
}

/// What is empty or absent in the instance has length zero, the rest its value.
fn check_values(found: &[Message], level: &str) {
    let of = |patient: &str| found.iter().find(|one| text(one, PATIENT_ID) == patient).expect(patient);
    let (full, bare) = (of("P1"), of("P2"));
    assert_eq!((text(full, ISSUER), value(bare, ISSUER)), ("NORTH".into(), Some(vec![])), "{level}");
    assert_eq!((text(full, PATIENT_NAME), value(bare, PATIENT_NAME)), ("Synthetic^P1".into(), Some(vec![])));
    if level == "PATIENT" {
        return;
    }
    for (tag, expected) in
        [(STUDY_DATE, "20260115"), (ACCESSION_NUMBER, "AP1"), (STUDY_DESCRIPTION, "Chest PA")]
    {
        assert_eq!(text(full, tag), expected, "{level}");
    }
    for tag in [STUDY_DATE, ACCESSION_NUMBER] {
        assert_eq!(value(bare, tag), Some(vec![]), "{level}");
    }
    if level == "STUDY" {
        return;
    }
    assert_eq!(value(bare, REQUEST_ATTRIBUTES_SEQUENCE), Some(vec![]), "{level}: no item");
    assert_ne!(value(full, REQUEST_ATTRIBUTES_SEQUENCE), Some(vec![]), "{level}: an item");
    // Number of Frames: neither has it.
    let frames = (level == "IMAGE").then(Vec::new);
    assert_eq!([full, bare].map(|one| value(one, 0x0028_0008)), [frames.clone(), frames]);
}

#[tokio::test]
async fn keys_of_no_length_find_and_tell_everything_on_sqlite() {
    keys_of_no_length(Engine::Sqlite).await;
}

#[tokio::test]
async fn keys_of_no_length_find_and_tell_everything_on_postgres() {
    keys_of_no_length(Engine::Postgres).await;
}

/// Nothing was agreed on; relational queries; those with empty values; and with fuzzy names in addition.
const PLAIN: &[u8] = &[];
const EMPTY: &[u8] = &[1, 0, 0, 0, 0, 1];
const EMPTY_AND_FUZZY: &[u8] = &[1, 0, 1, 0, 0, 1];

/// Level, key, value, options, last status, patients that are found.
type Case<'a> = (&'a str, u32, &'a str, &'a [u8], u16, &'a [&'a str]);

async fn what_values_without_a_value_ask_for(engine: Engine) {
    let platform = platform(Options::on(engine), &[("FINDSCU", FINDS)]).await;
    store(&platform, &stored());
    let all = &["P1", "P2", "P3"][..];
    let cases: &[Case<'_>] = &[
        // Universal, of any value representation, and of what has no value as well.
        ("STUDY", PATIENT_NAME, "*", PLAIN, 0, all),
        ("STUDY", ACCESSION_NUMBER, "**", PLAIN, 0, all),
        ("STUDY", STUDY_DATE, "*", PLAIN, 0, all),
        ("STUDY", STUDY_UID, "*", PLAIN, 0, all),
        ("STUDY", PATIENT_ID, "*", PLAIN, 0, all),
        // One character at least.
        ("STUDY", ACCESSION_NUMBER, "?*", PLAIN, 0, &["P1", "P3"]),
        // A value like any other, until it is agreed on that it is none.
        ("STUDY", PATIENT_NAME, "\"\"", PLAIN, 0, &[]),
        ("STUDY", ACCESSION_NUMBER, "\"\"", PLAIN, 0, &[]),
        ("STUDY", STUDY_DATE, "\"\"", PLAIN, 0xc001, &[]),
        ("STUDY", ACCESSION_NUMBER, "\"\"", EMPTY, 0, &["P2"]),
        ("STUDY", STUDY_DATE, "\"\"", EMPTY, 0, &["P2"]),
        ("STUDY", ISSUER, "\"\"", EMPTY, 0, &["P2", "P3"]),
        ("STUDY", PATIENT_NAME, "\"\"", EMPTY, 0, &["P2"]),
        ("STUDY", PATIENT_NAME, "\"\"", EMPTY_AND_FUZZY, 0, &["P2"]),
        ("STUDY", PATIENT_NAME, "*", EMPTY_AND_FUZZY, 0, all),
        ("STUDY", STUDY_DESCRIPTION, "\"\"", EMPTY, 0, &[]),
        ("STUDY", PATIENT_ID, "\"\"", EMPTY, 0, &[]),
        ("IMAGE", 0x0028_0008, "\"\"", EMPTY, 0, all),
        ("IMAGE", 0x0020_0013, "\"\"", EMPTY, 0, &[]),
        ("IMAGE", 0x0018_5101, "\"\"", EMPTY, 0, &[]),
        ("IMAGE", 0x0008_0023, "\"\"", EMPTY, 0, all),
    ];
    for (level, tag, asked, options, status, expected) in cases {
        let mut keys: BTreeMap<u32, &[u8]> = [(PATIENT_ID, &b""[..]), (*tag, asked.as_bytes())].into();
        keys.insert(LEVEL, level.as_bytes());
        let (found, last) = find(&platform, STUDY_FIND, &keys.into_iter().collect::<Vec<_>>(), options);
        let case = format!("{level} {tag:08x} {asked} {options:?}");
        assert_eq!((texts(&found, PATIENT_ID), last.status()), (owned(expected), *status), "{case}");
        assert!(found.iter().all(|one| one.status() == 0xff00), "{case}");
        assert_eq!(offending(&last), (*status != 0).then_some(*tag), "{case}");
    }
    let inside = |value: &[u8], options: &[u8]| {
        let item = identifier(&[(0x0040_0009, value)]);
        let item = [&b"\xfe\xff\x00\xe0"[..], &(item.len() as u32).to_le_bytes(), &item].concat();
        let keys = [(LEVEL, &b"SERIES"[..]), (PATIENT_ID, b""), (REQUEST_ATTRIBUTES_SEQUENCE, &item)];
        texts(&find(&platform, STUDY_FIND, &keys, options).0, PATIENT_ID)
    };
    assert_eq!(inside(b"*", &[1]), owned(all));
    assert_eq!(inside(b"\"\"", &[1]), owned(&[]));
    assert_eq!(inside(b"\"\"", EMPTY), owned(&["P2", "P3"]), "no item is no value");
    by_qido_rs(&platform, cases).await;
}

/// The same question there has the same answer; what is refused here is refused there.
async fn by_qido_rs(platform: &Platform, cases: &[Case<'_>]) {
    let viewer = platform.user("viewer", "service").await;
    for (level, tag, asked, options, status, expected) in cases {
        let resource = if *level == "IMAGE" { "instances" } else { "studies" };
        let agreed = |byte: usize| options.get(byte) == Some(&1);
        let path = format!(
            "/{resource}?{tag:08X}={}&emptyvaluematching={}&fuzzymatching={}&includefield=00100020",
            asked.replace('"', "%22"),
            agreed(5),
            agreed(2),
        );
        if *status != 0 {
            let answer = viewer.get(&format!("/dicomweb{path}")).await;
            assert_eq!(answer.status().as_u16(), 400, "{path}");
            continue;
        }
        let rows = qido::rows(&viewer, &path).await;
        let mut found: Vec<String> = rows.iter().map(|row| qido::text(row, "00100020")).collect();
        found.sort();
        assert_eq!(found, owned(expected), "{path}");
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn no_value_is_asked_for_as_it_was_agreed_on_sqlite() {
    what_values_without_a_value_ask_for(Engine::Sqlite).await;
}

#[tokio::test]
async fn no_value_is_asked_for_as_it_was_agreed_on_postgres() {
    what_values_without_a_value_ask_for(Engine::Postgres).await;
}
