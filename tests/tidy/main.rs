//! The rules of the house that a machine can hold. Each rule has a test of its own that shows it can fail.

mod graph;
mod kill_points;
mod lexer;
mod metrics;
mod mutations;
mod profiles;
mod regressions;
mod rules;
mod source;

use std::path::{Path, PathBuf};

/// Root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

/// Fails with every finding, one a line.
fn check(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

#[test]
fn the_crate_graph_is_the_one_of_architecture_md() {
    let packages = graph::read(&root());
    check(&graph::findings(&packages), "edges that the crate graph does not allow");
}

#[test]
fn sources_keep_the_rules() {
    let sources = source::rust_files(&root());
    assert!(sources.len() > 20, "only {} source files found: is the walk broken?", sources.len());
    let mut findings = Vec::new();
    for (name, rule) in rules::RULES {
        findings.extend(sources.iter().flat_map(rule).map(|finding| format!("{finding}   [{name}]")));
    }
    check(&findings, "rules of the house");
}

#[test]
fn every_kill_point_has_a_mark_and_a_test() {
    check(&kill_points::findings(&source::rust_files(&root())), "kill points");
}

#[test]
fn what_is_shipped_has_no_fail_points() {
    check(&kill_points::fail_points_in_the_default_build(&root()), "fail points in the default build");
}

#[test]
fn what_is_shipped_is_compiled_with_care() {
    check(&profiles::findings(&root()), "Cargo.toml");
}

#[test]
fn every_mutation_still_applies() {
    check(&mutations::findings(&root()), "tests/mutations/list.toml");
}

#[test]
fn the_patch_of_the_bench_still_applies() {
    let apply = ["apply", "--check", "bench/without-encryption.patch"];
    let output = std::process::Command::new("git").args(apply).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let mut findings = Vec::new();
    for path in source::text_files(&root()) {
        let text = std::fs::read(root().join(&path)).unwrap_or_default();
        findings.extend(rules::machine_words(&path, &String::from_utf8_lossy(&text)));
    }
    check(&findings, "paths and names that are nobody else's business");
}

#[test]
fn regressions_name_tests_that_exist() {
    let document = std::fs::read_to_string(root().join("docs/regressions.md")).expect("docs/regressions.md");
    check(&regressions::check(&document, &source::rust_files(&root())), "docs/regressions.md");
}

#[test]
fn dashboards_and_alarms_ask_for_metrics_that_exist() {
    let exported = metrics::exported(&source::rust_files(&root()));
    let files = metrics::files(&root());
    assert!(files.iter().all(|(_, text)| metrics::asked(text).len() > 5), "names are found at all");
    let findings = files.iter().flat_map(|(file, text)| metrics::findings(file, text, &exported));
    check(&findings.collect::<Vec<_>>(), "metrics in deploy/");
}
