//! Dashboards and alarms ask for metrics by name: a name that the program does not export is an alarm that never comes.

use std::{collections::BTreeSet, fs, path::Path};

use crate::source::Source;

/// What the names of ours begin with.
const PREFIXES: [&str; 3] = ["maxray_", "audit_", "database_"];
/// What Prometheus adds to a histogram.
const ENDINGS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Names that the program exports: the first literal after `counter!(` and its kin.
pub fn exported(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_product()) {
        for kind in ["counter!(", "gauge!(", "histogram!("] {
            let calls = source.text.split(kind).skip(1);
            let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            names.extend(literals.map(str::to_owned));
        }
    }
    names
}

/// Names in an expression of Prometheus.
pub fn asked(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).map(str::to_owned).collect()
}

/// Every name that a file asks for and nobody exports.
pub fn findings(file: &str, text: &str, exported: &BTreeSet<String>) -> Vec<String> {
    let is_known = |name: &String| {
        let plain = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        exported.contains(name) || plain.is_some_and(|plain| exported.contains(plain))
    };
    let unknown = asked(text).into_iter().filter(|name| !is_known(name));
    unknown.map(|name| format!("{file} asks for {name}, which the program does not export")).collect()
}

/// The files below `deploy/` that ask.
pub fn files(root: &Path) -> Vec<(String, String)> {
    ["grafana/dashboards/maxray.json", "prometheus/alerts.yml"]
        .into_iter()
        .map(|file| {
            let path = root.join("deploy").join(file);
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (file.to_owned(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_found() {
        let source = Source::new(
            "a/src/b.rs",
            "metrics::counter!(\n  \"maxray_a_total\").x(); histogram!(\"audit_b\")",
        );
        let exported = exported(&[source]);
        assert_eq!(exported.len(), 2);
        let good = "sum(rate(maxray_a_total{x=\"y\"}[5m])) / audit_b_sum";
        assert_eq!(findings("f", good, &exported), Vec::<String>::new());
        assert_eq!(findings("f", "maxray_a + audit_b_bucket + up", &exported).len(), 1);
    }
}
