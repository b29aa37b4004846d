//! Scripts for independent clients: pydicom, pynetdicom, dicomweb-client.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::env;

/// The Python that `./test` prepared.
///
/// # Panics
/// When there is none; a missing client is a failure, never a skip.
pub fn interpreter() -> PathBuf {
    if let Some(path) = env::path(env::PYTHON) {
        return path;
    }
    let cached = env::path("XDG_CACHE_HOME")
        .or_else(|| env::path("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("maxray/venv/bin/python"));
    cached.filter(|path| path.exists()).unwrap_or_else(|| {
        panic!(
            "{} is not set and ~/.cache/maxray/venv does not exist: run ./test once, it makes it",
            env::PYTHON
        )
    })
}

/// Runs a script and gives its standard output.
///
/// # Panics
/// With both outputs when the script fails.
pub fn run(script: &Path, arguments: &[&str]) -> String {
    output(Command::new(interpreter()).arg(script).args(arguments), &script.display().to_string())
}

/// Runs a script given as text.
///
/// # Panics
/// As [`run`].
pub fn run_text(script: &str, arguments: &[&str]) -> String {
    output(Command::new(interpreter()).arg("-c").arg(script).args(arguments), "inline script")
}

/// A program of pynetdicom, as `python -m pynetdicom echoscu ...`: whether it went well, and all that it said.
///
/// # Panics
/// When there is no Python.
pub fn pynetdicom(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(interpreter()).args(["-m", "pynetdicom"]).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("pynetdicom: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn output(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}
