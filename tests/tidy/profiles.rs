//! Cargo.toml: what the first build compiles quickly is compiled with care in what is shipped.

use std::path::Path;

use toml::{Table, Value};

/// What is wrong with the profiles of the workspace at `root`.
pub fn findings(root: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    check(&manifest.parse().expect("TOML"))
}

fn check(manifest: &Table) -> Vec<String> {
    // `inherits` takes the exceptions of single packages along, and they win over the level of the whole profile.
    let quick = levels(manifest, "release").filter(|(_, level)| *level != Some(3));
    let careful: Vec<&str> =
        levels(manifest, "dist").filter(|(_, level)| *level == Some(3)).map(|(name, _)| name).collect();
    let missing = quick.filter(|(name, _)| !careful.contains(name));
    missing.map(|(name, _)| format!("[profile.dist.package] lacks {name} = {{ opt-level = 3 }}")).collect()
}

fn levels<'a>(manifest: &'a Table, profile: &str) -> impl Iterator<Item = (&'a str, Option<i64>)> + use<'a> {
    let packages = manifest["profile"][profile].get("package").and_then(Value::as_table);
    packages
        .into_iter()
        .flatten()
        .map(|(name, settings)| (name.as_str(), settings.get("opt-level").and_then(Value::as_integer)))
}

#[test]
fn a_package_that_stays_quick_is_found() {
    let manifest = |dist: &str| {
        let text = format!(
            "[profile.release.package]\na = {{ opt-level = 0 }}\nb = {{ opt-level = 3 }}\n\
             c = {{ opt-level = \"s\" }}\n[profile.dist.package]\n{dist}"
        );
        check(&text.parse().expect("TOML"))
    };
    assert_eq!(manifest("").len(), 2);
    assert_eq!(manifest("a = { opt-level = 3 }\nc = { opt-level = 2 }").len(), 1);
    assert!(manifest("a = { opt-level = 3 }\nc = { opt-level = 3 }").is_empty());
}
