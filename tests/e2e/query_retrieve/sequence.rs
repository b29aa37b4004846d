//! Sequence matching (PS3.4 C.2.2.2.6): series by what was asked for with them, by findscu, pynetdicom and QIDO-RS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};
use tests::{platform::Engine, qido, scu::Dcmtk, session::Session, synthetic::new_uid};

use super::{pynetdicom::find as pynetdicom_find, *};

/// Request Attributes Sequence.
const SEQUENCE: &str = "00400275";
const STEP_ID: &str = "00400009";
const PROCEDURE_ID: &str = "00401001";

/// Requested Procedure ID and Scheduled Procedure Step ID of the series of one study; the third was not asked for.
const SERIES: [(&str, &str); 4] = [("RP1", "S1"), ("RP1", "S2"), ("", ""), ("RP2", "")];

/// Keys for both, and the series that they find.
const CASES: [(&str, &str, &[usize]); 8] = [
    ("RP1", "", &[0, 1]),
    ("RP1", "S2", &[1]),
    ("", "S1", &[0]),
    ("RP?", "", &[0, 1, 3]),
    ("rp1", "s*", &[0, 1]),
    ("RP2", "S1", &[]),
    ("RP9", "", &[]),
    ("", "", &[0, 1, 2, 3]),
];

/// A series and the IDs of its item; none without one.
type Found = BTreeMap<String, Option<(String, String)>>;

fn study() -> Vec<Synthetic> {
    let first = Synthetic::cr("P1", 8, 8);
    let of = |(index, (procedure, step)): (usize, &(&str, &str))| Synthetic {
        series_instance_uid: new_uid(),
        sop_instance_uid: new_uid(),
        seed: index as u64,
        requested_procedure_id: (*procedure).to_owned(),
        scheduled_procedure_step_id: (*step).to_owned(),
        ..first.clone()
    };
    SERIES.iter().enumerate().map(of).collect()
}

fn expected(made: &[Synthetic], indices: &[usize]) -> Found {
    let item = |index: usize| {
        let (procedure, step) = SERIES[index];
        ((procedure, step) != ("", "")).then(|| (procedure.to_owned(), step.to_owned()))
    };
    indices.iter().map(|index| (made[*index].series_instance_uid.clone(), item(*index))).collect()
}

/// Rows in DICOM JSON.
fn found(rows: &[Value]) -> Found {
    let of = |row: &Value| {
        let item = row[SEQUENCE]["Value"].get(0);
        let ids = item.map(|item| (qido::text(item, PROCEDURE_ID), qido::text(item, STEP_ID)));
        (qido::text(row, qido::SERIES_INSTANCE_UID), ids)
    };
    rows.iter().map(of).collect()
}

/// An Identifier in DICOM JSON at series level, with an item of these keys.
fn keys(study: &str, item: &Value) -> Value {
    json!({
        "00080052": { "vr": "CS", "Value": ["SERIES"] },
        "0020000D": { "vr": "UI", "Value": [study] },
        "0020000E": { "vr": "UI" },
        SEQUENCE: { "vr": "SQ", "Value": [item] },
    })
}

fn key(value: &str) -> Value {
    if value.is_empty() { json!({ "vr": "SH" }) } else { json!({ "vr": "SH", "Value": [value] }) }
}

fn both(procedure: &str, step: &str) -> Value {
    json!({ STEP_ID: key(step), PROCEDURE_ID: key(procedure) })
}

/// By findscu: which of the series, from what it prints.
fn findscu(platform: &Platform, made: &[Synthetic], item: &[String]) -> BTreeSet<usize> {
    let study = format!("0020,000d={}", made[0].study_instance_uid);
    let mut arguments = vec!["-S", "-k", "0008,0052=SERIES", "-k", &study, "-k", "0020,000e"];
    arguments.extend(item.iter().flat_map(|key| ["-k", key.as_str()]));
    let asked = Dcmtk::findscu(platform.dicom(), &arguments);
    assert!(asked.success, "{}", asked.text);
    let is_there = |(_, one): &(usize, &Synthetic)| asked.text.contains(&one.series_instance_uid);
    let found: BTreeSet<usize> = made.iter().enumerate().filter(is_there).map(|(index, _)| index).collect();
    assert_eq!(asked.text.matches("(Pending)").count(), found.len(), "{}", asked.text);
    found
}

async fn qido_rs(session: &Session, study: &str, procedure: &str, step: &str) -> Found {
    let mut path = format!("/studies/{study}/series?");
    let _ = write!(path, "{SEQUENCE}.{PROCEDURE_ID}={procedure}&");
    let _ = write!(path, "RequestAttributesSequence.ScheduledProcedureStepID={step}");
    found(&qido::rows(session, &path).await)
}

async fn series_are_found(engine: Engine) {
    let platform = platform(Options::on(engine), &[("FINDSCU", FINDS), ("PYNET", FINDS)]).await;
    let made = study();
    // Of somebody else, with the same IDs: hierarchical queries name their study.
    let other = Synthetic { requested_procedure_id: "RP1".to_owned(), ..Synthetic::cr("P2", 8, 8) };
    store(&platform, &[&made[..], std::slice::from_ref(&other)].concat());
    let viewer = platform.user("viewer", "service").await;
    let study = made[0].study_instance_uid.as_str();
    let queries: Vec<Value> = CASES
        .iter()
        .map(|(procedure, step, _)| {
            json!({ "class": STUDY_FIND, "options": [], "keys": keys(study, &both(procedure, step)) })
        })
        .collect();
    let answers = pynetdicom_find(&platform, &Value::from(queries));
    for ((procedure, step, indices), answer) in CASES.into_iter().zip(&answers) {
        let expected = expected(&made, indices);
        let case = format!("{procedure:?} {step:?}");
        let rows = answer["answers"].as_array().expect("answers");
        assert_eq!(found(rows), expected, "{case} by pynetdicom");
        assert_eq!(answer["last"], 0, "{case}");
        assert!(answer["statuses"].as_array().expect("statuses").iter().all(|one| *one == 0xff00), "{case}");
        let item = [("RequestedProcedureID", procedure), ("ScheduledProcedureStepID", step)]
            .map(|(name, value)| format!("RequestAttributesSequence[0].{name}={value}"));
        assert_eq!(findscu(&platform, &made, &item), indices.iter().copied().collect(), "{case} by findscu");
        assert_eq!(qido_rs(&viewer, study, procedure, step).await, expected, "{case} by QIDO-RS");
    }
    what_is_answered(&platform, &viewer, &made, &other).await;
}

/// What of a sequence is answered, and what is said of keys that are not known.
async fn what_is_answered(platform: &Platform, viewer: &Session, made: &[Synthetic], other: &Synthetic) {
    const DESCRIPTION: &str = "00400007";
    let study = made[0].study_instance_uid.as_str();
    let query = |item: &Value| json!({ "class": STUDY_FIND, "options": [], "keys": keys(study, item) });
    // Without a study, by what was agreed on.
    let anywhere = json!({
        "class": STUDY_FIND, "options": [1], "keys": {
            "00080052": { "vr": "CS", "Value": ["SERIES"] },
            "0020000E": { "vr": "UI" },
            SEQUENCE: { "vr": "SQ", "Value": [both("RP1", "")] },
        },
    });
    let queries = json!([
        query(&json!({})),
        query(&json!({ PROCEDURE_ID: key("RP1") })),
        query(&json!({ PROCEDURE_ID: key("RP1"), DESCRIPTION: { "vr": "LO" } })),
        query(&json!({ PROCEDURE_ID: key("RP9"), DESCRIPTION: { "vr": "LO" } })),
        query(&json!({ PROCEDURE_ID: key("RP1"), DESCRIPTION: { "vr": "LO", "Value": ["Chest"] } })),
        anywhere,
    ]);
    let answers = pynetdicom_find(platform, &queries);
    let rows = |index: usize| answers[index]["answers"].as_array().expect("answers");
    let statuses = |index: usize| answers[index]["statuses"].clone();
    // An item without keys asks for the whole of it; where there is none the sequence comes without an item.
    assert_eq!(found(rows(0)), expected(made, &[0, 1, 2, 3]));
    assert!(rows(0).iter().all(|row| row.get(SEQUENCE).is_some()), "{:?}", rows(0));
    assert_eq!(statuses(0), json!([0xff00, 0xff00, 0xff00, 0xff00]));
    // An item has what was asked for.
    let only = json!([{ PROCEDURE_ID: { "vr": "SH", "Value": ["RP1"] } }]);
    assert!(rows(1).len() == 2 && rows(1).iter().all(|row| row[SEQUENCE]["Value"] == only), "{:?}", rows(1));
    // What is not known in it is told, with a value and without (PS3.4 C.4.1.1.4).
    for index in [2, 4] {
        assert_eq!(statuses(index), json!([0xff01, 0xff01]), "{:?}", answers[index]);
        assert!(rows(index).iter().all(|row| row[SEQUENCE]["Value"] == only), "{:?}", rows(index));
    }
    assert_eq!((statuses(3), &answers[3]["last"]), (json!([]), &json!(0)));
    let everywhere = found(rows(5));
    assert_eq!(everywhere.len(), 3, "{everywhere:?}");
    assert!(everywhere.contains_key(&other.series_instance_uid));
    let path = format!("/series?{SEQUENCE}.{PROCEDURE_ID}=RP1");
    assert_eq!(found(&qido::rows(viewer, &path).await), everywhere);
    // findscu asks for the whole sequence without an item.
    let whole = findscu(platform, made, &["RequestAttributesSequence".to_owned()]);
    assert_eq!(whole.len(), made.len());
}

#[tokio::test]
async fn series_are_found_by_what_was_asked_for_with_them_on_sqlite() {
    series_are_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn series_are_found_by_what_was_asked_for_with_them_on_postgres() {
    series_are_found(Engine::Postgres).await;
}
