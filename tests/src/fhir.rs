//! A FHIR R4 server (fhirstarter, PyPI) over the patients of a file: the Patient Service of the tests.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{platform::Options, python, tls::Identity};

/// What it wants to be shown.
const TOKEN: &str = "a-token-of-the-tests";

/// The server. Dropping it ends it.
#[derive(Debug)]
pub struct FhirServer {
    folder: tempfile::TempDir,
    port: u16,
    tls: Option<Identity>,
    child: Option<Child>,
}

impl FhirServer {
    /// Starts it with these patients, on a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(patients: &Value) -> Self {
        Self::start_with(patients, None)
    }

    /// Starts it with this certificate.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_over_tls(patients: &Value, identity: Identity) -> Self {
        Self::start_with(patients, Some(identity))
    }

    fn start_with(patients: &Value, tls: Option<Identity>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("token"), format!("{TOKEN}\n")).expect("a file");
        let mut server = Self { folder, port: 0, tls, child: None };
        server.holds(patients);
        server.start_again();
        server
    }

    /// These are its patients from now on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn holds(&self, patients: &Value) {
        // Put into place at once: a request may read it meanwhile.
        let new = self.folder.path().join("new.json");
        fs::write(&new, patients.to_string()).expect("a file");
        fs::rename(new, self.file()).expect("a file");
    }

    /// Ends it; nobody listens on its port then.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone_already = child.kill();
            let _status = child.wait();
        }
    }

    /// Starts it on the port of before.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/python/fhir_server.py");
        let mut command = Command::new(python::interpreter());
        command.arg(script).arg(self.file()).args([TOKEN, &self.port.to_string()]);
        if let Some(tls) = &self.tls {
            command.arg(&tls.certificate).arg(&tls.key);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("the FHIR server speaks");
        self.child = Some(child);
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        self.port = port.unwrap_or_else(|| {
            panic!("the FHIR server said {line:?}: run ./test once, it installs fhirstarter")
        });
    }

    /// Settings that make it the Patient Service.
    pub fn options(&self, system: &str) -> Options {
        let token = self.folder.path().join("token").display().to_string();
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Options::default()
            .with("MAXRAY_PATIENT_SERVICE__URL", &format!("{scheme}://127.0.0.1:{}", self.port))
            .with("MAXRAY_PATIENT_SERVICE__IDENTIFIER_SYSTEM", system)
            .with("MAXRAY_PATIENT_SERVICE__TOKEN_FILE", &token)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("patients.json")
    }
}

impl Drop for FhirServer {
    fn drop(&mut self) {
        self.stop();
    }
}
