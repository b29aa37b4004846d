//! What has to be there, and what may change.

use super::*;

fn attributes(json: &str) -> Attributes {
    Attributes::from(json.to_owned())
}

fn element(tag: &str, vr: &str, value: &str) -> String {
    format!(r#""{tag}":{{"vr":"{vr}","Value":[{value}]}}"#)
}

fn whole() -> Vec<String> {
    vec![
        element("00080060", "CS", r#""DX""#),
        element("00400241", "AE", r#""CR1""#),
        element("00400244", "DA", r#""20260131""#),
        element("00400245", "TM", r#""0930""#),
        element("00400252", "CS", r#""IN PROGRESS""#),
        element("00400253", "SH", r#""P1""#),
        element("00400270", "SQ", &format!("{{{}}}", element("0020000D", "UI", r#""1.2.3""#))),
    ]
}

fn join(parts: &[String]) -> Attributes {
    attributes(&format!("{{{}}}", parts.join(",")))
}

#[test]
fn each_attribute_of_type_1_is_asked_for() {
    let begun = join(&whole()).beginning().expect("a step");
    assert_eq!((begun.modality.as_str(), begun.scheduled.len()), ("DX", 1));
    for left_out in 0..whole().len() {
        let mut parts = whole();
        let part = parts.remove(left_out);
        let tag = u32::from_str_radix(&part[1..9], 16).expect("a tag");
        let refusal = join(&parts).beginning().expect_err("missing");
        assert_eq!((refusal.status, refusal.attributes), (status::MISSING_ATTRIBUTE, vec![tag]));
        parts.push(element(&part[1..9], "LO", ""));
        let refusal = join(&parts).beginning().expect_err("empty");
        assert_eq!((refusal.status, refusal.attributes), (status::MISSING_ATTRIBUTE_VALUE, vec![tag]));
    }
}

#[test]
fn a_step_begins_in_progress_and_ends_with_its_end() {
    let mut parts = whole();
    parts[4] = element("00400252", "CS", r#""COMPLETED""#);
    assert_eq!(join(&parts).beginning().expect_err("over").status, status::INVALID_ATTRIBUTE_VALUE);
    let begun = join(&whole());
    let (completed, discontinued) = (PerformedStepStatus::Completed, PerformedStepStatus::Discontinued);
    assert_eq!(begun.check_end(discontinued).expect_err("no end").status, status::MISSING_ATTRIBUTE);
    let end = [element("00400250", "DA", r#""20260131""#), element("00400251", "TM", r#""0940""#)];
    let (ended, left_out) = begun.changed_by(&join(&end)).expect("merged");
    assert!(!left_out && ended.check_end(discontinued).is_ok());
    assert_eq!(ended.check_end(completed).expect_err("no series").attributes, [PERFORMED_SERIES_SEQUENCE]);
    let series = [element("0020000E", "UI", r#""1.2.4""#), element("00181030", "LO", r#""CHEST""#)];
    let series = element("00400340", "SQ", &format!("{{{}}}", series.join(",")));
    let (ended, _) = ended.changed_by(&join(&[series])).expect("merged");
    assert!(ended.check_end(completed).is_ok());
}

#[test]
fn what_is_settled_is_not_changed() {
    let changes = [element("00100020", "LO", r#""OTHER""#), element("00400254", "LO", r#""Chest""#)];
    let (changed, left_out) = join(&whole()).changed_by(&join(&changes)).expect("merged");
    let json = changed.into_json();
    assert!(left_out && json.contains("Chest") && !json.contains("OTHER"), "{json}");
}
