//! A private Orthanc: a modality and an archive of somebody else, driven over its REST interface.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::operator::free_ports;

/// How long it may take to start or to end; idle machines take a second.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Starts, each on other ports, while somebody else takes one of them before Orthanc does.
const STARTS_MAX: u32 = 5;
/// What a test that finds none says.
const INSTALL: &str = "run ./test, or: RUNLEVEL=1 apt-get install --no-install-recommends orthanc";
/// Where Debian has it; `/usr/sbin` is not on every PATH.
const PROGRAM: &str = "/usr/sbin/Orthanc";

/// The server. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Orthanc {
    folder: tempfile::TempDir,
    http_port: u16,
    dicom_port: u16,
    server: Option<Child>,
    client: reqwest::Client,
}

impl Orthanc {
    /// Starts one, with AE title ORTHANC, and waits until it answers.
    ///
    /// # Panics
    /// When Orthanc is not installed or does not start; the text says what to do.
    pub async fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("maxray-orthanc-").tempdir().expect("a temporary folder");
        // Orthanc closes what is idle: each request has its own connection.
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_mins(2))
            .build();
        let client = client.expect("an HTTP client");
        let [http_port, dicom_port] = free_ports();
        let mut orthanc = Self { folder, http_port, dicom_port, server: None, client };
        let mut starts = 1;
        while let Err(why) = orthanc.try_start().await {
            assert!(why.contains("already in use") && starts < STARTS_MAX, "{why}");
            starts += 1;
            [orthanc.http_port, orthanc.dicom_port] = free_ports();
        }
        orthanc
    }

    /// Starts it on the data that it has.
    ///
    /// # Panics
    /// As [`Self::start`]; when it runs.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "stop Orthanc first");
        if let Err(why) = self.try_start().await {
            panic!("{why}");
        }
    }

    async fn try_start(&mut self) -> Result<(), String> {
        let settings = self.folder.path().join("orthanc.json");
        fs::write(&settings, self.settings().to_string()).expect("a file");
        let log = self.folder.path().join("log");
        let output = fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let errors = output.try_clone().expect("a second handle");
        let server = Command::new(PROGRAM)
            // Without it DCMTK, which Orthanc is made of, leaves Nagle's algorithm on.
            .env("TCP_NODELAY", "1")
            .current_dir(self.folder.path())
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn();
        self.server = Some(server.unwrap_or_else(|error| panic!("{PROGRAM}: {error}: {INSTALL}")));
        let deadline = Instant::now() + PATIENCE;
        while self.client.get(self.url("/system")).send().await.is_err() {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("Orthanc does not start ({ended:?}):\n{}", self.log()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Stops it as systemd does, which keeps its data.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&mut self) {
        let mut server = self.server.take().expect("a running Orthanc");
        let pid = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("Orthanc takes SIGTERM");
        let deadline = Instant::now() + PATIENCE;
        while server.try_wait().expect("a child to wait for").is_none() {
            if Instant::now() > deadline {
                let _gone_already = server.kill();
                let _status = server.wait();
                panic!("Orthanc does not stop on SIGTERM:\n{}", self.log());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Where DICOM is from the next start on.
    pub fn move_to(&mut self, dicom_port: u16) {
        self.dicom_port = dicom_port;
    }

    /// Where DICOM is.
    pub fn dicom(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.dicom_port))
    }

    /// Tells it of another AE, which it calls by `name`: what it sends there goes as it is kept.
    ///
    /// # Panics
    /// When it does not take that.
    pub async fn know(&self, name: &str, title: &str, peer: SocketAddr) {
        let modality = json!({
            "AET": title, "Host": peer.ip().to_string(), "Port": peer.port(), "AllowTranscoding": false,
        });
        let path = format!("/modalities/{name}");
        let (status, said) = self.ask(Method::PUT, &path, modality.to_string().into_bytes()).await;
        assert!(status.is_success(), "PUT {path}: {status} {said}");
    }

    /// Gives it an instance; its own identifier of that.
    ///
    /// # Panics
    /// When it does not take it.
    pub async fn upload(&self, file: Vec<u8>) -> String {
        let (status, said) = self.ask(Method::POST, "/instances", file).await;
        assert!(status.is_success() && said["Status"] == "Success", "POST /instances: {status} {said}");
        said["ID"].as_str().expect("an identifier").to_owned()
    }

    /// The file that it keeps of an instance.
    ///
    /// # Panics
    /// When there is none.
    pub async fn file(&self, id: &str) -> Vec<u8> {
        let answer = self.client.get(self.url(&format!("/instances/{id}/file"))).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).expect("a file");
        answer.bytes().await.expect("a body").to_vec()
    }

    /// Every file that it keeps.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn files(&self) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        for id in self.get("/instances").await.as_array().expect("a list") {
            files.push(self.file(id.as_str().expect("an identifier")).await);
        }
        files
    }

    /// Takes everything out of it.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn clear(&self) {
        for id in self.get("/patients").await.as_array().expect("a list") {
            let path = format!("/patients/{}", id.as_str().expect("an identifier"));
            let (status, said) = self.ask(Method::DELETE, &path, Vec::new()).await;
            assert!(status.is_success(), "DELETE {path}: {status} {said}");
        }
    }

    /// GET of JSON.
    ///
    /// # Panics
    /// When it fails.
    pub async fn get(&self, path: &str) -> Value {
        let (status, said) = self.try_get(path).await;
        assert!(status.is_success(), "GET {path}: {status} {said}\n{}", self.log());
        said
    }

    /// GET of JSON, whatever comes of it.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, Vec::new()).await
    }

    /// POST of JSON that must succeed.
    ///
    /// # Panics
    /// With what it says otherwise.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, said) = self.try_post(path, body).await;
        assert!(status.is_success(), "POST {path} {body}: {status} {said}\n{}", self.log());
        said
    }

    /// POST of JSON, whatever comes of it.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, body.to_string().into_bytes()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let answer = self.client.request(method, self.url(path)).body(body).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let said = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, said)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Nothing but its own: no plugins, no transcoding, everything in its folder, REST from this machine alone.
    fn settings(&self) -> Value {
        let storage = self.folder.path().join("storage").display().to_string();
        json!({
            "Name": "tests", "StorageDirectory": storage, "IndexDirectory": storage, "Plugins": [],
            "HttpPort": self.http_port, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
            "WebDavEnabled": false, "DicomAet": "ORTHANC", "DicomPort": self.dicom_port,
            // Whoever queries it is not registered with it.
            "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true,
            "UnknownSopClassAccepted": true, "TranscodeDicomProtocol": false,
            // What it is told of others outlives a restart.
            "DicomModalitiesInDatabase": true, "SynchronousCMove": true, "SyncStorageArea": false,
            "DicomAssociationCloseDelay": 1,
        })
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone_already = server.kill();
            let _status = server.wait();
        }
    }
}
