//! `docs/regressions.md` names tests: each of them exists, each regression stands there, each advisory has one.

use std::collections::BTreeSet;

use crate::source::Source;

const DOCUMENT: &str = "docs/regressions.md";

/// What is wrong with the document.
pub fn check(document: &str, sources: &[Source]) -> Vec<String> {
    let known: BTreeSet<&str> = sources.iter().flat_map(|source| functions(&source.text)).collect();
    let named: BTreeSet<&str> = names(document).collect();
    let mut findings: Vec<String> =
        named.difference(&known).map(|name| format!("{DOCUMENT}: there is no test {name}")).collect();
    for source in sources.iter().filter(|source| source.path.starts_with("tests/e2e/regressions/")) {
        let tests = source.text.split("#[tokio::test]").skip(1).filter_map(|after| functions(after).next());
        findings.extend(
            tests
                .filter(|test| !named.contains(test))
                .map(|test| format!("{}: {DOCUMENT} does not say what {test} is for", source.path)),
        );
    }
    let advisories = section(document, "## Advisories");
    for row in advisories.lines().filter(|line| line.contains("CVE-")) {
        if names(row).next().is_none() {
            findings.push(format!("{DOCUMENT}: no test for {row}"));
        }
    }
    findings
}

/// The names of functions, in their order.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ")
        .skip(1)
        .filter_map(|after| after.split(|one: char| !one.is_alphanumeric() && one != '_').next())
}

/// What stands in backticks and looks like the name of a test.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        text.contains('_')
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.split('`').skip(1).step_by(2).filter(is_name)
}

fn section<'a>(document: &'a str, title: &str) -> &'a str {
    let after = document.split_once(title).map_or("", |(_, after)| after);
    after.split("\n## ").next().unwrap_or_default()
}

#[test]
fn finds_what_is_missing() {
    let source = |path: &str, text: &str| Source::new(path, text);
    let sources =
        [source("tests/e2e/regressions/x.rs", "//! Some words.\n#[tokio::test]\nasync fn it_holds() {}\n")];
    let document = "## Advisories\n| a | CVE-1 | `it_holds` |\n";
    assert_eq!(check(document, &sources), Vec::<String>::new());
    assert_eq!(check("## Advisories\n| a | CVE-1 | `it_held` |\n", &sources).len(), 2);
    assert_eq!(check("## Advisories\n| a | CVE-1 | none |\n| `it_holds` |\n", &sources).len(), 1);
}
