//! Runs `oracle.py` once over all files.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// pydicom's answer for each file, in the same order.
pub fn read_all(files: &[PathBuf]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("header_oracle/oracle.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts: apt install python3, or name an interpreter in MAXRAY_TEST_PYTHON");
    let mut input = child.stdin.take().expect("stdin is piped");
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let writer = std::thread::spawn(move || input.write_all(list.join("\n").as_bytes()));
    let output = child.wait_with_output().expect("the oracle ends");
    writer.join().expect("the writer ends").expect("the oracle takes the list");
    assert!(output.status.success(), "the oracle needs pydicom 3: pip install pydicom numpy");
    let answers: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    assert_eq!(answers.len(), files.len());
    answers
}

#[expect(clippy::disallowed_methods, reason = "which Python has pydicom is not the server's configuration")]
fn python() -> String {
    std::env::var("MAXRAY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}
