//! The plans of the usual searches start from an index, with and without statistics: none reads every row.

use database::{Attribute, Condition, Level, Matching, SearchQuery};
use futures_util::{StreamExt as _, stream};
use model::access::Scope;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, doctor_scope, patient, with_uids},
};

on_both_engines!(
    usual_searches_start_from_an_index,
    #[ignore = "stores 100,000 studies"]
    usual_searches_start_from_an_index_in_a_large_archive,
);

/// Stores studies, each with one instance.
async fn fill(home: &Home, studies: std::ops::Range<i32>) {
    stream::iter(studies)
        .map(|study| {
            let mut new =
                with_uids(&format!("1.{study}"), &format!("1.{study}.1"), &format!("1.{study}.1.1"), 1);
            new.header.patient = patient(&format!("P{}", study / 2), &format!("Name{}^Given", study / 2));
            new.header.study.accession_number = format!("A{study}");
            new.header.study.study_date =
                format!("20{:02}{:02}{:02}", study % 20, study % 12 + 1, study % 28 + 1);
            home.store(new)
        })
        .buffer_unordered(512)
        .for_each(|outcome| async move { assert!(outcome.is_ok(), "{outcome:?}") })
        .await;
}

fn query(attribute: Attribute, matching: Matching) -> SearchQuery {
    SearchQuery { conditions: vec![Condition { attribute, matching }], limit: 50, ..SearchQuery::default() }
}

/// Names beginning with `newest` are answered from the newest study on; the others from what is asked for.
fn usual_searches() -> Vec<(&'static str, SearchQuery)> {
    let is = |value: &str| Matching::Equals(value.to_owned());
    let like = |value: &str| Matching::Wildcard(value.to_owned());
    let dates = Matching::Range { from: Some("20100101".to_owned()), to: Some("20101231".to_owned()) };
    let old = Matching::Range { from: None, to: Some("20001231".to_owned()) };
    let uids = Matching::UidList((0..20).map(|n| format!("1.{n}")).collect());
    let at = |level: Level, query: SearchQuery| SearchQuery { level, ..query };
    vec![
        ("newest of all", SearchQuery { limit: 50, ..SearchQuery::default() }),
        ("PatientID", query(Attribute::PatientID, is("p77"))),
        ("StudyInstanceUID", query(Attribute::StudyInstanceUID, is("1.77"))),
        ("StudyInstanceUID list", query(Attribute::StudyInstanceUID, uids)),
        ("AccessionNumber", query(Attribute::AccessionNumber, is("A77"))),
        ("AccessionNumber prefix", query(Attribute::AccessionNumber, like("A777*"))),
        ("StudyDate", query(Attribute::StudyDate, is("20100101"))),
        ("newest of a range", query(Attribute::StudyDate, dates)),
        ("newest before", query(Attribute::StudyDate, old)),
        ("newest with a modality", query(Attribute::ModalitiesInStudy, is("CR"))),
        ("newest with a series of a modality", query(Attribute::Modality, is("CR"))),
        ("PatientName", query(Attribute::PatientName, is("Name77^Given"))),
        ("PatientName prefix", query(Attribute::PatientName, like("name77*"))),
        (
            "PatientName, fuzzy",
            SearchQuery { fuzzy: true, ..query(Attribute::PatientName, is("name77 given")) },
        ),
        ("series of a study", at(Level::Series, query(Attribute::StudyInstanceUID, is("1.77")))),
        ("instances of a study", at(Level::Instance, query(Attribute::StudyInstanceUID, is("1.77")))),
        ("instances of a series", at(Level::Instance, query(Attribute::SeriesInstanceUID, is("1.77.1")))),
        ("one instance", at(Level::Instance, query(Attribute::SOPInstanceUID, is("1.77.1.1")))),
        ("study of a series", query(Attribute::SeriesInstanceUID, is("1.77.1"))),
        ("series of an instance", at(Level::Series, query(Attribute::SOPInstanceUID, is("1.77.1.1")))),
        ("study of an instance", query(Attribute::SOPInstanceUID, is("1.77.1.1"))),
    ]
}

/// Lines of a plan that read a whole table, or a whole index of it.
fn full_reads<'a>(plan: &'a [String], name: &str) -> Vec<&'a String> {
    let tables = ["patient", "study", "series", "instance"];
    // PostgreSQL names the index before the table, and an index of a small table may be named after a large one.
    let table_of =
        |line: &str| line.split_once(" on ").map_or(line.to_owned(), |(_, table)| table.to_owned());
    let of_the_archive = |line: &str| tables.iter().any(|table| table_of(line).contains(table));
    let in_order = |line: &str| name.starts_with("newest") && line.contains("study_by_study_date");
    let reads_all = |index: usize, line: &str| {
        let line = line.trim_start();
        let next = plan.get(index + 1).map_or("", |next| next.trim_start());
        let whole_index = line.contains("Index Scan using") && !next.starts_with("Index Cond");
        line.starts_with("SCAN ") || line.contains("Seq Scan on") || line.contains("AUTOMATIC") || whole_index
    };
    plan.iter()
        .enumerate()
        .filter(|(index, line)| reads_all(*index, line) && of_the_archive(line) && !in_order(line))
        .map(|(_, line)| line)
        .collect()
}

async fn usual_searches_start_from_an_index(home: Home) {
    fill(&home, 0..10_000).await;
    check(home).await;
}

async fn usual_searches_start_from_an_index_in_a_large_archive(home: Home) {
    for part in 0..10 {
        let start = std::time::Instant::now();
        fill(&home, part * 10_000..(part + 1) * 10_000).await;
        eprintln!("{part}0,000 studies and 10,000 more in {:?}", start.elapsed());
    }
    check(home).await;
}

/// Patterns with a wildcard in front start from the trigrams of names where these lead to few patients.
async fn check_names_within(home: &Home) {
    if home.config.url.is_empty() {
        return;
    }
    for (pattern, few) in
        [("*ame77*", true), ("*ame77^given", true), ("*nobody*", true), ("*given*", false), ("*77*", false)]
    {
        for level in [Level::Study, Level::Instance] {
            let name = Matching::Wildcard(pattern.to_owned());
            let query = SearchQuery { level, ..query(Attribute::PatientName, name) };
            let plan = home.database.explain_search(&Scope::internal(), &query).await.expect("a plan");
            let text = plan.join("\n");
            assert_eq!(text.contains("patient_by_name_trigrams"), few, "{pattern} {level:?}\n{text}");
            if few && level == Level::Study {
                let full = full_reads(&plan, pattern);
                assert!(full.is_empty(), "{pattern}: {full:?}\n{text}");
            }
            let start = std::time::Instant::now();
            let found = home.database.search(&Scope::internal(), &query).await.expect("a search");
            eprintln!("{pattern} {level:?}: {} rows in {:?}", found.rows.len(), start.elapsed());
        }
    }
}

async fn check(home: Home) {
    let ann = doctor(&home).await;
    for number in [5, 77, 4_000] {
        book(&home, booking(ann, &format!("P{number}"))).await;
    }
    for statistics in [false, true] {
        if statistics {
            home.database.refresh_statistics().await.expect("statistics");
        }
        check_names_within(&home).await;
        for (name, query) in usual_searches() {
            for scope in [Scope::internal(), doctor_scope(ann)] {
                let plan = home.database.explain_search(&scope, &query).await.expect("a plan");
                let full = full_reads(&plan, name);
                let whose = if scope.is_everything() { "any" } else { "a doctor's" };
                assert!(
                    full.is_empty(),
                    "{whose} {name}, statistics {statistics}: {full:?}\n{}",
                    plan.join("\n")
                );
                let start = std::time::Instant::now();
                let found = home.database.search(&scope, &query).await.expect("a search");
                eprintln!("{whose} {name}: {} rows in {:?}", found.rows.len(), start.elapsed());
            }
        }
    }
}
