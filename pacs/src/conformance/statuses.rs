//! The tables of statuses: what each service answers, and when.

use std::fmt::Write as _;

use super::STATEMENT;
use crate::dimse::service_status::{
    C_ECHO, C_FIND, C_FIND_OF_WORKLIST, C_GET, C_MOVE, C_STORE, FAILURE_REASONS, N_ACTION, N_CREATE, N_SET,
    OTHERS, Statuses,
};

const QUERY_RETRIEVE: &str = include_str!("../../../docs/conformance-query-retrieve.md");
const WORKLIST: &str = include_str!("../../../docs/conformance-worklist.md");
const MPPS: &str = include_str!("../../../docs/conformance-mpps.md");
const STORAGE_COMMITMENT: &str = include_str!("../../../docs/conformance-storage-commitment.md");

/// Each table, its first column, and the document that has it.
const TABLES: &[(&str, Statuses, &str)] = &[
    ("status of C-ECHO", C_ECHO, STATEMENT),
    ("status of C-STORE", C_STORE, STATEMENT),
    ("status of any other command", OTHERS, STATEMENT),
    ("status of C-FIND", C_FIND, QUERY_RETRIEVE),
    ("status of C-GET", C_GET, QUERY_RETRIEVE),
    ("status of C-MOVE", C_MOVE, QUERY_RETRIEVE),
    ("status of C-FIND", C_FIND_OF_WORKLIST, WORKLIST),
    ("status of N-CREATE", N_CREATE, MPPS),
    ("status of N-SET", N_SET, MPPS),
    ("status of N-ACTION", N_ACTION, STORAGE_COMMITMENT),
    ("Failure Reason", FAILURE_REASONS, STORAGE_COMMITMENT),
];

fn table(title: &str, statuses: Statuses) -> String {
    let mut table = format!("| {title} | when |\n|---|---|\n");
    for (status, when) in statuses {
        let _ = writeln!(table, "| 0x{status:04X} | {when} |");
    }
    table
}

#[test]
fn the_documents_have_the_tables_of_statuses() {
    let missing: Vec<String> = TABLES
        .iter()
        .map(|(title, statuses, document)| (table(title, statuses), document))
        .filter(|(table, document)| !document.contains(table.as_str()))
        .map(|(table, _)| table)
        .collect();
    assert!(missing.is_empty(), "put these tables into docs/conformance-*.md:\n\n{}", missing.join("\n"));
}

#[test]
fn a_table_names_each_status_once_and_in_order() {
    for (title, statuses, _) in TABLES {
        assert!(statuses.is_sorted_by(|(one, _), (next, _)| one < next), "{title}");
    }
}
