//! The true program, `maxray serve`, as a child process on free ports with its own data directory.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    cluster::{Cluster, Durability},
    env,
    home::{self, Bucket},
    postgres::Postgres,
    power_cut::{Loss, Lost, PowerCutDisk},
    random::Random,
    s3::S3Server,
};

/// How long the server may take until `/readyz` says 200. Generous: machines of tests are busy.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a graceful stop may take.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
/// Settings that a test may give itself; then the kit makes neither database nor bucket.
const DATABASE_URL: &str = "MAXRAY_DATABASE__URL";
const OBJECT_STORE: &str = "MAXRAY_OBJECT_STORAGE__BACKEND";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file in the data directory.
    Sqlite,
    /// A private cluster; in a run on the distributed home also a private bucket.
    Postgres,
}

impl Engine {
    /// That of the home that this run is on: for tests that want either. Tests that name an engine get it in any run.
    pub fn of_home() -> Self {
        if home::is_distributed() { Self::Postgres } else { Self::Sqlite }
    }
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which database.
    pub engine: Engine,
    /// PostgreSQL with fsync on: for tests that kill.
    pub fsync: bool,
    /// More settings, as `("MAXRAY_PACS__AE_TITLE", "CR1")`.
    pub environment: Vec<(String, String)>,
    /// PEM certificate that the client trusts: for servers with TLS.
    pub trusted: Option<String>,
    /// Words before `maxray`: [`crate::network::Network::enter`].
    pub enter: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::of_home(),
            fsync: false,
            environment: Vec::new(),
            trusted: None,
            enter: Vec::new(),
        }
    }
}

impl Options {
    /// On one engine, everything else default.
    pub fn on(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// One more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The settings, by name and value.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What `serve` writes into `run.json` once its listeners are bound.
#[derive(Debug, Clone, Deserialize)]
struct Run {
    http: SocketAddr,
    https: bool,
    dicom: Option<SocketAddr>,
    pid: u32,
}

/// A server and everything it needs. Dropping it kills the server and removes its data.
#[derive(Debug)]
pub struct Platform {
    folder: tempfile::TempDir,
    data: PathBuf,
    environment: Vec<(String, String)>,
    enter: Vec<String>,
    server: Option<Child>,
    run: Option<Run>,
    cluster: Option<Cluster>,
    bucket: Option<Bucket>,
    client: reqwest::Client,
    /// Where the data directory lies, when its power can be cut. Last: it outlives those who use it.
    disk: Option<PowerCutDisk>,
}

impl Platform {
    /// Starts a server on new data and waits until it is ready.
    ///
    /// # Panics
    /// With the server's log when it does not get ready.
    pub async fn start(options: Options) -> Self {
        let mut platform = Self::prepare(options);
        platform.restart().await;
        platform
    }

    /// A platform whose server was never started, its data directory (and the PostgreSQL cluster, durable) on a disk
    /// whose power can be cut. Only the server's own first start is still to come: everything else has settled.
    ///
    /// # Panics
    /// When the disk cannot be mounted or PostgreSQL does not start.
    pub fn prepare_on_disk(options: Options) -> Self {
        let disk = PowerCutDisk::mount();
        Self::prepare_with(Options { fsync: true, ..options }, Some(disk))
    }

    /// Everything but the server: [`Self::restart`] starts it for the first time.
    ///
    /// # Panics
    /// When PostgreSQL does not start.
    pub fn prepare(options: Options) -> Self {
        Self::prepare_with(options, None)
    }

    fn prepare_with(options: Options, disk: Option<PowerCutDisk>) -> Self {
        let folder = tempfile::Builder::new().prefix("maxray-test-").tempdir().expect("a temporary folder");
        let data = disk.as_ref().map_or(folder.path(), PowerCutDisk::path).join("data");
        let mut environment = vec![
            setting("MAXRAY_DATA_DIRECTORY", &data.display()),
            setting("MAXRAY_HTTP__LISTEN", &"127.0.0.1:0"),
            setting("MAXRAY_PACS__LISTEN", &"127.0.0.1:0"),
        ];
        let durability = if options.fsync { Durability::Fsync } else { Durability::Unsafe };
        let is_given = |name: &str| options.settings().any(|(given, _)| given == name);
        let wants_database = options.engine == Engine::Postgres && !is_given(DATABASE_URL);
        let wants_bucket =
            home::is_distributed() && options.engine == Engine::Postgres && !is_given(OBJECT_STORE);
        // Where nobody kills it, all servers of a test share one PostgreSQL: to make one takes longer than most tests.
        let shares = home::is_distributed() && disk.is_none() && !options.fsync;
        let cluster = (wants_database && !shares).then(|| match &disk {
            Some(disk) => Cluster::start_in(disk.path(), durability),
            None => Cluster::start(durability),
        });
        if wants_database {
            let url = cluster.as_ref().map(|cluster| cluster.create_database("maxray"));
            let url = url.unwrap_or_else(|| Postgres::shared().fresh_database());
            environment.push(setting(DATABASE_URL, &url));
            if durability == Durability::Unsafe {
                environment.push(setting("MAXRAY_DATABASE__ALLOW_UNSAFE", &true));
            }
        }
        let bucket = wants_bucket.then(Bucket::start);
        environment.extend(bucket.iter().flat_map(|bucket| bucket.server().settings()));
        environment.extend(options.environment);
        let enter = options.enter;
        let client = client(options.trusted.as_deref());
        if let Some(disk) = &disk {
            disk.settle();
        }
        Self { folder, data, environment, enter, server: None, run: None, cluster, bucket, client, disk }
    }

    /// Starts the server again on the same data, with new ports.
    ///
    /// # Panics
    /// As [`Self::start`]; when it is running.
    pub async fn restart(&mut self) {
        self.begin_start();
        self.wait_until_ready().await;
    }

    /// Starts the server without waiting for it.
    ///
    /// # Panics
    /// When it is running or cannot be started.
    pub fn begin_start(&mut self) {
        let command = self.command(&["serve"]);
        self.spawn(command);
    }

    /// Starts the server again with a clock that shows another time than the machine's, as `+300s`; how long things take
    /// stays as it is.
    ///
    /// # Panics
    /// As [`Self::restart`], and when libfaketime is not installed.
    pub async fn restart_at(&mut self, offset: &str) {
        let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let preloaded = libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
        let preloaded = preloaded.into_iter().find(|path| path.exists());
        let preloaded = preloaded.expect("there is no libfaketime: run ./test, it installs it");
        let mut command = self.command(&["serve"]);
        command.env("LD_PRELOAD", preloaded).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        self.spawn(command);
        self.wait_until_ready().await;
    }

    /// Starts the server by a command that ends in `maxray serve`, and does not wait.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        assert!(self.server.is_none(), "kill or stop the server first");
        let _absent_at_first = fs::remove_file(self.run_file());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a log file");
        let errors = log.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.server = Some(command.spawn().expect("maxray starts"));
    }

    /// The server's process, for what ends it in its own ways.
    pub(crate) fn server(&mut self) -> &mut Option<Child> {
        &mut self.server
    }

    /// Takes the power away from a disk of [`Self::prepare_on_disk`] and from every program on it, then gives it back:
    /// PostgreSQL runs again, the server waits for [`Self::restart`].
    ///
    /// # Panics
    /// When there is no such disk, or what was left on it does not start.
    pub fn cut_power(&mut self, loss: Loss, random: &mut Random) -> Lost {
        let disk = self.disk.as_mut().expect("a platform of prepare_on_disk");
        disk.cut();
        if let Some(server) = &mut self.server {
            let _gone_already = server.kill();
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.kill_all();
        }
        disk.release();
        self.kill();
        if let Some(cluster) = &mut self.cluster {
            cluster.wait_for_end();
        }
        let disk = self.disk.as_mut().expect("a platform of prepare_on_disk");
        let lost = disk.restore(loss, random);
        if let Some(cluster) = &mut self.cluster {
            cluster.start_again();
        }
        lost
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if self.is_ready().await {
                return;
            }
            let gone = self.server.as_mut().and_then(|server| server.try_wait().ok().flatten());
            assert!(gone.is_none(), "maxray serve ended ({gone:?}):\n{}", self.log());
            assert!(Instant::now() < deadline, "maxray serve is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn is_ready(&mut self) -> bool {
        let pid = self.server.as_ref().map(Child::id);
        // As the server sees it: its disk may be one that only it has.
        let root = pid.map(|pid| PathBuf::from(format!("/proc/{pid}/root")));
        let file = self.run_file();
        let file = root.zip(file.strip_prefix("/").ok()).map(|(root, file)| root.join(file));
        let text = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        self.run = serde_json::from_str::<Run>(&text).ok().filter(|run| Some(run.pid) == pid);
        if self.run.is_none() {
            return false;
        }
        let answer = self.client.get(self.url("/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone_already = server.kill();
            let _status = server.wait();
        }
        self.run = None;
    }

    /// The server stands still, as a machine does whose host has no time for it, and does not know.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// It goes on where it stood.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let server = rustix::process::Pid::from_child(self.server.as_ref().expect("a running server"));
        rustix::process::kill_process(server, signal).expect("the server takes signals");
    }

    /// SIGTERM, and the exit status once associations and requests have drained.
    ///
    /// # Panics
    /// When the server does not end.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut server = self.server.take().expect("a running server");
        self.run = None;
        let pid = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the server takes SIGTERM");
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = server.try_wait().expect("a child to wait for") {
                return status;
            }
            if Instant::now() > deadline {
                let _gone_already = server.kill();
                let _status = server.wait();
                panic!("maxray serve does not stop on SIGTERM:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `maxray ARGUMENTS` with this platform's settings, standard input closed.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.enter.split_first() {
            None => Command::new(binary()),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(binary());
                command
            }
        };
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        for name in ["PATH", "HOME", "LANG", "TZ", "RUST_LOG"] {
            if let Some(value) = env::text(name) {
                command.env(name, value);
            }
        }
        command.env("RUST_BACKTRACE", "1").envs(self.environment.iter().cloned());
        command
    }

    /// Changes a setting from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A setting as it was given.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// Whether the server's process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.server.as_mut().is_some_and(|server| matches!(server.try_wait(), Ok(None)))
    }

    /// Where the web answers, with a path.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn url(&self, path: &str) -> String {
        let run = self.run();
        format!("{}://{}{path}", if run.https { "https" } else { "http" }, run.http)
    }

    /// Where the web answers.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn http(&self) -> SocketAddr {
        self.run().http
    }

    /// Where DICOM answers.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn dicom(&self) -> SocketAddr {
        self.run().dicom.expect("it listens for DICOM")
    }

    /// Whether it has an address for DICOM.
    pub fn listens_for_dicom(&self) -> bool {
        self.run().dicom.is_some()
    }

    /// Process id of the server.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn pid(&self) -> u32 {
        self.run().pid
    }

    /// A client without a token.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The PostgreSQL cluster, on that engine; none where servers share one ([`Postgres::shared`]).
    pub fn cluster(&mut self) -> Option<&mut Cluster> {
        self.cluster.as_mut()
    }

    /// The bucket that the kit made for it.
    pub(crate) fn bucket(&self) -> Option<&S3Server> {
        self.bucket.as_ref().map(Bucket::server)
    }

    /// Whether its database is a file in the data directory.
    pub fn is_on_sqlite(&self) -> bool {
        self.setting(DATABASE_URL).is_none()
    }

    /// The server's data.
    pub fn data_directory(&self) -> PathBuf {
        self.data.clone()
    }

    /// A folder for the test's own files, gone with the platform.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Everything the server has logged since the first start.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Peak resident memory of the server's process in bytes (VmHWM).
    pub fn peak_memory_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// A size in the status of the server's process (proc(5)).
    pub(crate) fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) * 1024
    }

    fn run(&self) -> &Run {
        self.run.as_ref().expect("the server runs")
    }

    fn run_file(&self) -> PathBuf {
        self.data_directory().join("run.json")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(8 * 1024);
            let from = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(0);
            eprintln!(
                "---- end of the server's log ----\n{}\n---------------------------------",
                &log[from..]
            );
        }
    }
}

/// The server closes connections that are idle for long or whose request it refused half-read; a client that takes such a
/// one up again cannot know whether a POST was taken. So each request has its own.
fn client(trusted: Option<&str>) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    let mut client = client.timeout(Duration::from_mins(2));
    if let Some(pem) = trusted {
        let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        client = client.tls_certs_only([root]);
    }
    client.build().expect("an HTTP client")
}

fn setting(name: &str, value: &impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// The program under test: `MAXRAY_TEST_BINARY`, else the one beside the test executable.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = env::path(env::BINARY) {
        assert!(path.exists(), "{}={} does not exist", env::BINARY, path.display());
        return path;
    }
    let executable = std::env::current_exe().expect("a test knows its own path");
    let beside = executable.parent().and_then(Path::parent).map(|folder| folder.join("maxray"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| {
        panic!("no maxray beside {}: run ./test, or `cargo build -p maxray` first", executable.display())
    })
}
