//! What `request` must hold.

use super::*;
use crate::query_string;

fn parse_query(query: &str) -> Result<SearchRequest, Problem> {
    parse(&query_string::parse(Some(query)).expect("query"), 1000)
}

#[test]
fn the_list_call_of_ohif() {
    let request = parse_query(
        "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030\
         &PatientName=*x*&00100020=*x*&StudyDate=19700102-20240131&Modality=CR&00080060=",
    )
    .expect("valid");
    assert_eq!((request.limit, request.offset, request.fuzzy), (101, 0, false));
    assert!(request.include.contains(0x0008_0060) && !request.include.contains(0x0008_0061));
    assert!(!request.include.wants_header() && request.not_matched.is_empty());
    let attributes: Vec<Attribute> = request.conditions.iter().map(|c| c.attribute).collect();
    assert_eq!(
        attributes,
        [Attribute::PatientName, Attribute::PatientID, Attribute::StudyDate, Attribute::Modality]
    );
}

#[test]
fn study_uids_joined_with_two_backslashes() {
    let request = parse_query("StudyInstanceUID=1.2%5C%5C3.4").expect("valid");
    assert_eq!(request.conditions[0].matching, Matching::UidList(vec!["1.2".into(), "3.4".into()]));
    let request = parse_query("StudyInstanceUID=1.2&0020000D=3.4&StudyInstanceUID=").expect("valid");
    assert_eq!(request.conditions[0].matching, Matching::UidList(vec!["1.2".into(), "3.4".into()]));
}

#[test]
fn paging_has_limits() {
    for (query, limit) in [("", 1000), ("limit=1000000000", 1000), ("limit=0", 0), ("limit=5", 5)] {
        assert_eq!(parse_query(query).expect("valid").limit, limit, "{query}");
    }
    for query in ["limit=-1", "limit=x", "offset=1.5", "offset=18446744073709551615", "fuzzymatching=2"] {
        assert_eq!(parse_query(query).expect_err(query).status, 400, "{query}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_strange_parameters_are_not() {
    for query in [
        "PatientID=1&00100020=1",
        "NoSuchKeyword=1",
        "StudyDate=yesterday",
        "StudyInstanceUID=1.2*",
        "PatientID.x=1",
        "orderby=NoSuchKeyword",
        "orderby=PatientAge",
        "orderby=--StudyDate",
    ] {
        assert_eq!(parse_query(query).expect_err(query).status, 400, "{query}");
    }
    for query in ["_=123", "accept=application/json", "includefield=nonsense,99999999", "PatientID=*"] {
        assert_eq!(parse_query(query).expect(query).conditions, [], "{query}");
    }
    let keys = ["StudyDate"; SORT_KEYS_MAX + 1].join(",");
    assert_eq!(parse_query(&format!("orderby={keys}")).expect_err("too many").status, 400);
}

#[test]
fn what_is_not_matched_is_told() {
    let request = parse_query("PatientAge=030Y&00101010=031Y&00091001=x&PatientSize=&OtherPatientIDs=*");
    let request = request.expect("valid");
    assert_eq!(request.not_matched, ["PatientAge", "00101010", "00091001"]);
    assert_eq!(request.conditions, []);
    assert!(request.include.contains(0x0010_1010) && request.include.wants_header());
    assert_eq!(
        warning(&request.not_matched).as_deref(),
        Some("These attributes are not matched on and were passed over: PatientAge, 00101010, 00091001")
    );
    assert_eq!(warning(&[]), None);
    let many: Vec<String> = (0..100).map(|n| format!("0009{n:04}")).collect();
    assert!(warning(&many).is_some_and(|text| text.len() < 500 && text.ends_with(" and others")));
    assert!(warning(&["x".repeat(1_000)]).is_some_and(|text| text.len() < 500));
}

#[test]
fn orders() {
    let at = |query: &str, level| order(parse_query(query).expect(query).order, level);
    let key = |attribute, descending| SortKey { attribute, descending };
    assert_eq!(at("", Level::Study).expect("valid"), Order::Standard);
    assert_eq!(at("orderby=-StudyDate", Level::Series).expect("valid"), Order::Standard);
    assert_eq!(at("orderby=00080020", Level::Study).expect("valid"), Order::OldestFirst);
    assert_eq!(
        at("orderby=PatientName,-StudyDate&orderby=StudyTime", Level::Study).expect("valid"),
        Order::By(vec![
            key(Attribute::PatientName, false),
            key(Attribute::StudyDate, true),
            key(Attribute::StudyTime, false)
        ])
    );
    assert!(at("orderby=InstanceNumber", Level::Instance).is_ok());
    for (query, level) in [
        ("orderby=InstanceNumber", Level::Series),
        ("orderby=Modality", Level::Study),
        ("orderby=ModalitiesInStudy", Level::Study),
    ] {
        assert_eq!(at(query, level).expect_err(query).status, 400, "{query}");
    }
}

#[test]
fn included_paths_bring_their_sequence() {
    let request = parse_query(
        "includefield=00400275.00400009&includefield=PatientAge,RequestAttributesSequence.RequestedProcedureID",
    );
    let tags = request.expect("valid").include.tags;
    assert_eq!(tags, [0x0010_1010, 0x0040_0275].into());
}

// threats.md row 37.
#[test]
fn ten_thousand_fields_are_a_set() {
    let list = vec!["00100010"; 10_000].join(",");
    let request = parse_query(&format!("includefield={list}")).expect("valid");
    assert_eq!(request.include.tags.len(), 1);
}
