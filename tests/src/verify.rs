//! `maxray verify` and what it found.

use std::{path::Path, process::Stdio};

use serde_json::Value;

use crate::platform::Platform;

/// What one run said.
#[derive(Debug)]
pub struct Verified {
    /// Exit code: 0 when all is well, 2 when something is wrong, 1 when it could not be checked.
    pub code: Option<i32>,
    /// The JSON object.
    pub report: Value,
    /// What it said on standard error.
    pub errors: String,
}

impl Verified {
    /// One invariant by its number, as `I2`.
    ///
    /// # Panics
    /// When there is no such invariant.
    pub fn invariant(&self, id: &str) -> &Value {
        let all = self.report["invariants"].as_array().expect("a list of invariants");
        all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id} in {}", self.report))
    }

    /// How many violations of one invariant were found.
    ///
    /// # Panics
    /// As [`Self::invariant`].
    pub fn violations(&self, id: &str) -> u64 {
        self.invariant(id)["violations"].as_u64().expect("a number of violations")
    }
}

impl Platform {
    /// Runs `maxray verify --deep --json` with more arguments, beside the server or without it.
    ///
    /// # Panics
    /// When it prints no report.
    pub fn verify(&self, arguments: &[&str]) -> Verified {
        let mut command = self.command(&["verify", "--deep", "--json"]);
        let output = command.args(arguments).stdin(Stdio::null()).output().expect("maxray starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("maxray verify: {error}: {}\n{errors}", String::from_utf8_lossy(&output.stdout))
        });
        Verified { code: output.status.code(), report, errors }
    }

    /// Runs it and expects that all is well.
    ///
    /// # Panics
    /// With the report otherwise.
    pub fn assert_verified(&self, ledger: Option<&Path>, when: &str) {
        let ledger = ledger.map(|path| path.display().to_string());
        let arguments: Vec<&str> = ledger.iter().flat_map(|path| ["--ledger", path.as_str()]).collect();
        let found = self.verify(&arguments);
        assert_eq!(found.code, Some(0), "{when}: {:#}\n{}", found.report, found.errors);
    }
}
