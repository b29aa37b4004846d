//! A private Redis on a port of its own of this machine. It keeps nothing on disk, and ends when dropped.

use std::{
    fs::File,
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{operator::free_port, tls::Identity};

/// How long the server may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// What a test that finds no server says.
const INSTALL: &str = "run ./test, or: RUNLEVEL=1 apt-get install --no-install-recommends redis-server";

/// The server.
#[derive(Debug)]
pub struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    /// Of its one certificate, when it speaks TLS alone.
    identity: Option<Identity>,
    server: Option<Child>,
}

impl RedisServer {
    /// Starts one and waits until it takes connections; with a certificate, over TLS alone.
    ///
    /// # Panics
    /// When Redis is not installed or does not start; the text says what to do.
    pub fn start(identity: Option<Identity>) -> Self {
        let folder = tempfile::Builder::new().prefix("maxray-redis-").tempdir().expect("a folder");
        let mut server = Self { folder, port: free_port(), identity, server: None };
        server.start_again();
        server
    }

    /// Starts it where it was: empty.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "secret"]);
        match &self.identity {
            None => command.args(["--port", &port]),
            Some(identity) => command
                .args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file"])
                .arg(&identity.certificate)
                .arg("--tls-key-file")
                .arg(&identity.key),
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        let child = command.stderr(log.try_clone().expect("a log")).stdout(log).spawn();
        self.server = Some(child.unwrap_or_else(|error| panic!("redis-server: {error}: {INSTALL}")));
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(started.elapsed() < START_TIMEOUT, "Redis does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        let scheme = if self.identity.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://:secret@127.0.0.1:{}/0", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// kill -9: what it had is gone.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// It stands still, and answers nothing, until [`Self::resume`].
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on where it stood, with what it was sent meanwhile.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("a running server");
        kill_process(Pid::from_child(server), signal).expect("the server takes it");
    }

    /// Forgets everything.
    ///
    /// # Panics
    /// When it does not.
    pub fn flush(&self) {
        let said = self.ask(&["FLUSHALL"]);
        assert_eq!(said.trim(), "OK");
    }

    /// What it answers to a command, by its own client.
    ///
    /// # Panics
    /// When the client does not run.
    pub fn ask(&self, command: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &port, "--no-auth-warning", "-a", "secret"])
            .args(command)
            .output()
            .unwrap_or_else(|error| panic!("redis-cli: {error}: {INSTALL}"));
        assert!(output.status.success(), "redis-cli: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
