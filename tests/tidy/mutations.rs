//! The list of mutations still fits the code: a line that was changed must be changed there as well, or it would be
//! tested no more.

use std::path::Path;

use serde::Deserialize;

/// Fewer would not cover what the durability promise stands on.
const MUTATIONS_MIN: usize = 20;

#[derive(Deserialize)]
struct List {
    mutation: Vec<Mutation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    what: String,
    file: String,
    line: String,
    becomes: String,
    build: String,
    test: String,
}

/// One sentence for each entry that does not apply.
pub fn findings(root: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root.join("tests/mutations/list.toml")).unwrap_or_default();
    let list: List = match toml::from_str(&text) {
        Ok(list) => list,
        Err(error) => return vec![format!("tests/mutations/list.toml: {error}")],
    };
    let mut findings = Vec::new();
    if list.mutation.len() < MUTATIONS_MIN {
        findings.push(format!("tests/mutations/list.toml: only {} entries", list.mutation.len()));
    }
    let tests = test_names(root);
    for mutation in &list.mutation {
        let source = std::fs::read_to_string(root.join(&mutation.file)).unwrap_or_default();
        findings.extend(wrong(mutation, &source, &tests));
    }
    findings
}

fn wrong(mutation: &Mutation, source: &str, tests: &str) -> Option<String> {
    let Mutation { what, file, line, becomes, build, test } = mutation;
    let found = source.lines().filter(|one| one.trim() == line).count();
    let names = test.split("test(").skip(1).filter_map(|rest| rest.split(')').next());
    let unknown =
        names.map(|name| name.rsplit("::").next().unwrap_or(name)).find(|name| !tests.contains(name));
    if found != 1 {
        Some(format!("{what}: {found} lines of {file} read `{line}`"))
    } else if line == becomes {
        Some(format!("{what}: changes nothing"))
    } else if !["lib", "database", "e2e"].contains(&build.as_str()) {
        Some(format!("{what}: there is no build {build}"))
    } else {
        unknown.map(|name| format!("{what}: no test is called {name}"))
    }
}

/// Every line that names a function.
fn test_names(root: &Path) -> String {
    let mut names = String::new();
    for source in crate::source::rust_files(root) {
        for line in source.text.lines().filter(|line| line.contains("fn ")) {
            names.push_str(line);
            names.push('\n');
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_does_not_apply_is_found() {
        let entry = |line: &str, test: &str| Mutation {
            what: "a sync".into(),
            file: "a.rs".into(),
            line: line.into(),
            becomes: String::new(),
            build: "lib".into(),
            test: test.into(),
        };
        let (source, tests) = ("fn a() {\n    sync();\n}\n", "fn it_is_synced() {");
        assert_eq!(wrong(&entry("sync();", "test(it_is_synced)"), source, tests), None);
        assert!(wrong(&entry("sync()", "test(it_is_synced)"), source, tests).is_some());
        assert!(wrong(&entry("sync();", "test(sqlite::it_is_not)"), source, tests).is_some());
        assert!(wrong(&entry("sync();", "test(it_is_synced)"), &source.repeat(2), tests).is_some());
    }
}
