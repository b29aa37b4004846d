//! Which crate may depend on which.

use std::{path::Path, process::Command};

use serde_json::Value;

/// One edge for each line: who may depend on whom. `maxray` and `tests` may depend on all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("fail-point", &[]),
    ("paper", &["model"]),
    ("dicom-header", &["model"]),
    ("service", &["model", "database"]),
    ("rendering", &["model"]),
    ("database", &["model", "fail-point"]),
    ("object-storage", &["model", "fail-point"]),
    ("archive", &["model", "dicom-header", "database", "object-storage", "fail-point"]),
    ("conversion", &["model", "dicom-header", "database", "archive", "rendering", "service"]),
    ("pacs", &["model", "dicom-header", "database", "archive", "conversion", "service", "fail-point"]),
    ("dicomweb", &["model", "dicom-header", "database", "archive", "conversion", "rendering", "service"]),
    ("doctor-api", &["model", "database", "archive", "conversion", "paper", "rendering", "service"]),
    ("worker", &["model", "database", "archive", "rendering", "service", "fail-point"]),
];

/// Crates from outside that only some may use: (crate, who, why).
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("sqlx", &["database", "tests"], "only database holds SQL"),
    ("sqlx-core", &["database"], "only database holds SQL"),
    ("sqlx-postgres", &["database", "tests"], "only database holds SQL"),
    ("sqlx-sqlite", &["database", "tests"], "only database holds SQL"),
    ("object_store", &["object-storage", "tests"], "only object-storage names S3"),
    ("lapin", &["worker", "tests"], "only worker speaks AMQP"),
];

/// Crates that do no input or output, and what would do it for them.
const PURE: &[&str] = &["model", "dicom-header", "paper", "rendering"];
const INPUT_OUTPUT: &[&str] = &["tokio", "axum", "reqwest", "hyper", "socket2", "rustix", "tempfile"];

/// A package of the workspace and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Normal and build dependencies.
    pub dependencies: Vec<String>,
    /// Dependencies of its tests.
    pub dev_dependencies: Vec<String>,
}

/// Asks cargo.
pub fn read(root: &Path) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = value["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_kind = |dev: bool| {
        all.iter().filter(|one| (one["kind"] == "dev") == dev).map(|one| text(&one["name"])).collect()
    };
    Package { name: text(&value["name"]), dependencies: of_kind(false), dev_dependencies: of_kind(true) }
}

/// What is wrong with the graph.
pub fn findings(packages: &[Package]) -> Vec<String> {
    let is_ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in packages {
        let Package { name, dependencies, dev_dependencies } = package;
        if matches!(name.as_str(), "maxray" | "tests") {
            findings.extend(reserved(name, dependencies));
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| crate_name == name) else {
            findings.push(format!("{name} is not in the crate graph: add it there and in ARCHITECTURE.md"));
            continue;
        };
        let below = below(allowed);
        for dependency in dependencies.iter().filter(|dependency| is_ours(dependency)) {
            if !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{name} -> {dependency}"));
            }
        }
        for dependency in dev_dependencies.iter().filter(|dependency| is_ours(dependency)) {
            if !below.contains(&dependency.as_str()) {
                findings.push(format!("{name} -> {dependency} (in tests)"));
            }
        }
        findings.extend(reserved(name, dependencies));
        if PURE.contains(&name.as_str()) {
            let io = dependencies.iter().filter(|dependency| INPUT_OUTPUT.contains(&dependency.as_str()));
            findings.extend(
                io.map(|dependency| format!("{name} -> {dependency}: {name} does no input or output")),
            );
        }
    }
    findings
}

fn reserved(name: &str, dependencies: &[String]) -> Vec<String> {
    let forbidden = RESERVED.iter().filter(|(reserved, who, _)| {
        dependencies.iter().any(|dependency| dependency == reserved) && !who.contains(&name)
    });
    forbidden.map(|(reserved, _, why)| format!("{name} -> {reserved}: {why}")).collect()
}

/// Everything that lies below these crates, themselves included.
fn below<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut all = names.to_vec();
    for name in names {
        let next =
            ALLOWED.iter().find(|(crate_name, _)| crate_name == name).map_or(&[][..], |(_, next)| next);
        all.extend(below(next));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str], dev_dependencies: &[&str]) -> Package {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package {
            name: name.into(),
            dependencies: owned(dependencies),
            dev_dependencies: owned(dev_dependencies),
        }
    }

    #[test]
    fn finds_each_kind_of_wrong_edge() {
        let packages = [
            package("model", &["serde"], &[]),
            package("dicomweb", &["model", "pacs"], &[]),
            package("pacs", &["model"], &["object-storage"]),
            package("object-storage", &["model", "object_store"], &["archive"]),
            package("archive", &["model", "sqlx"], &[]),
            package("rendering", &["model", "tokio"], &[]),
            package("helpers", &[], &[]),
        ];
        assert_eq!(
            findings(&packages),
            [
                "dicomweb -> pacs",
                "object-storage -> archive (in tests)",
                "archive -> sqlx: only database holds SQL",
                "rendering -> tokio: rendering does no input or output",
                "helpers is not in the crate graph: add it there and in ARCHITECTURE.md",
            ]
        );
    }

    #[test]
    fn takes_the_allowed_graph() {
        let packages: Vec<Package> =
            ALLOWED.iter().map(|(name, allowed)| package(name, allowed, &["model"])).skip(2).collect();
        assert_eq!(findings(&packages), Vec::<String>::new());
    }
}
