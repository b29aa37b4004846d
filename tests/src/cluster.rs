//! A private PostgreSQL cluster on a socket in its own folder, a child of the test: it dies with it.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::env;

/// How long a cluster may take to take connections.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Whether a commit reaches stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// fsync off: quick, for tests of logic.
    Unsafe,
    /// As in production, for tests that kill.
    Fsync,
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    data: PathBuf,
    server: Child,
    /// Processes of a killed server, until they are gone.
    dying: Vec<rustix::process::Pid>,
    durability: Durability,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start(durability: Durability) -> Self {
        let folder = new_folder();
        let data = folder.path().join("data");
        Self::start_with(folder, data, durability)
    }

    /// The same with its data below `root`, which may be a file system of its own; the socket stays elsewhere.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_in(root: &Path, durability: Durability) -> Self {
        let room = root.join("postgres");
        fs::create_dir(&room).expect("a folder for PostgreSQL");
        give_to_postgres(&room);
        Self::start_with(new_folder(), room.join("data"), durability)
    }

    fn start_with(folder: tempfile::TempDir, data: PathBuf, durability: Durability) -> Self {
        let mut initdb = as_postgres("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8"]);
        if durability == Durability::Unsafe {
            initdb.arg("--no-sync");
        }
        let output = initdb.output().expect("initdb starts");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let server = Self::server(folder.path(), &data, durability);
        let mut cluster = Self { folder, data, server, dying: Vec::new(), durability };
        cluster.wait();
        cluster
    }

    /// A new, empty database: its URL.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub fn create_database(&self, name: &str) -> String {
        let output = self.psql("postgres", &format!("CREATE DATABASE \"{name}\""));
        assert!(output.is_ok(), "CREATE DATABASE {name}: {output:?}");
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.path().display())
    }

    /// A user with a database of the same name, as PostgreSQL's image makes them.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub fn create_user(&self, name: &str) {
        for statement in [
            format!("CREATE ROLE \"{name}\" LOGIN SUPERUSER"),
            format!("CREATE DATABASE \"{name}\" OWNER \"{name}\""),
        ] {
            let output = self.psql("postgres", &statement);
            assert!(output.is_ok(), "{statement}: {output:?}");
        }
    }

    /// What `pg_dump` makes of a database, beside whoever works on it.
    ///
    /// # Panics
    /// With what it says when it fails.
    pub fn dump(&self, name: &str) -> Vec<u8> {
        let mut command = as_postgres("pg_dump");
        command.args(["--format=custom", "-U", "postgres", "-d", name, "-h"]).arg(self.folder.path());
        let output = command.output().expect("pg_dump starts");
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A new database of such a dump: its URL.
    ///
    /// # Panics
    /// With what `pg_restore` says when it fails.
    pub fn restore(&self, name: &str, dump: &[u8]) -> String {
        let url = self.create_database(name);
        let mut command = as_postgres("pg_restore");
        command.args(["--exit-on-error", "-U", "postgres", "-d", name, "-h"]).arg(self.folder.path());
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("pg_restore starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(dump).expect("pg_restore reads");
        drop(input);
        let output = child.wait_with_output().expect("a child to wait for");
        assert!(output.status.success(), "pg_restore: {}", String::from_utf8_lossy(&output.stderr));
        url
    }

    /// Whether the server must be told that losing commits is fine.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Where its server takes connections.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Stops it as an operator does, who does not wait for clients, and starts it again.
    pub fn restart(&mut self) {
        self.stop(rustix::process::Signal::INT);
        self.start_again();
    }

    /// Changes a setting of the server, which starts again with it.
    ///
    /// # Panics
    /// When the server refuses it or does not start.
    pub fn set(&mut self, name: &str, value: &str) {
        let output = self.psql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
        assert!(output.is_ok(), "{name} = {value}: {output:?}");
        self.restart();
    }

    /// Kills every process of the cluster as a crash would, then starts it again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.stop(rustix::process::Signal::QUIT);
        self.start_again();
    }

    /// Stops it and starts it again as a standby, which reads and writes nothing: what is left of a server after another one has
    /// taken its place.
    ///
    /// # Panics
    /// When it does not start.
    pub fn demote(&mut self) {
        self.stop(rustix::process::Signal::INT);
        let signal = self.data.join("standby.signal");
        fs::write(&signal, "").expect("a file of the server");
        give_to_postgres(&signal);
        self.start_again();
    }

    /// Makes it a server that writes again.
    ///
    /// # Panics
    /// When it refuses.
    pub fn promote(&self) {
        assert_eq!(self.psql("postgres", "SELECT pg_promote()").as_deref(), Ok("t"), "a standby is promoted");
    }

    /// SIGKILL for every process of the cluster, without waiting: [`Self::wait_for_end`] does.
    pub fn kill_all(&mut self) {
        use rustix::process::{Signal, kill_process};
        let server = rustix::process::Pid::from_child(&self.server);
        // Stopped, it starts no more of them while they are listed.
        let _gone_already = kill_process(server, Signal::STOP);
        let children = format!("/proc/{0}/task/{0}/children", server.as_raw_nonzero());
        let children = fs::read_to_string(children).unwrap_or_default();
        let numbers = children.split_whitespace().filter_map(|number| number.parse().ok());
        self.dying = numbers.filter_map(rustix::process::Pid::from_raw).collect();
        for process in self.dying.iter().chain([&server]) {
            let _gone_already = kill_process(*process, Signal::KILL);
        }
    }

    /// Waits for the processes of [`Self::kill_all`].
    ///
    /// # Panics
    /// When one of them does not end.
    pub fn wait_for_end(&mut self) {
        let _status = self.server.wait();
        let deadline = Instant::now() + START_TIMEOUT;
        while self.dying.iter().any(|process| is_running(*process)) {
            assert!(Instant::now() < deadline, "a killed PostgreSQL process does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.dying.clear();
    }

    /// Starts a stopped or killed cluster on its data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        // The server refuses to start over an empty pid file, which is what a power cut may leave of it.
        let pid_file = self.data.join("postmaster.pid");
        if fs::metadata(&pid_file).is_ok_and(|file| file.len() == 0) {
            fs::remove_file(&pid_file).expect("an empty postmaster.pid can be removed");
        }
        self.server = Self::server(self.folder.path(), &self.data, self.durability);
        self.wait();
    }

    fn server(folder: &Path, data: &Path, durability: Durability) -> Child {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log file");
        let mut command = as_postgres("postgres");
        command.arg("-D").arg(data);
        let socket = format!("unix_socket_directories={}", folder.display());
        let settings = ["listen_addresses=", &socket, "shared_buffers=64MB", "max_connections=100"];
        let unsafe_settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        let chosen: &[&str] = if durability == Durability::Unsafe { &unsafe_settings } else { &[] };
        for setting in settings.iter().chain(chosen) {
            command.args(["-c", setting]);
        }
        let errors = log.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("postgres starts")
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        while let Err(error) = self.psql("postgres", "SELECT 1") {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(matches!(self.server.try_wait(), Ok(None)), "PostgreSQL stopped:\n{log}");
            assert!(Instant::now() < deadline, "PostgreSQL takes no connections: {error}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn psql(&self, database: &str, statement: &str) -> Result<String, String> {
        let output = Command::new(programs().join("psql"))
            .args(["-X", "-q", "-t", "-A", "-U", "postgres", "-d", database, "-c", statement, "-h"])
            .arg(self.folder.path())
            .output()
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn stop(&mut self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.server);
        let _gone_already = rustix::process::kill_process(pid, signal);
        let _status = self.server.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(rustix::process::Signal::QUIT);
    }
}

fn new_folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("maxray-pg-").tempdir().expect("a temporary folder");
    give_to_postgres(folder.path());
    folder
}

/// As root the server runs as another user, who owns its data.
fn give_to_postgres(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let owned = Command::new("chown").arg("postgres").arg(folder).status();
        assert!(
            owned.is_ok_and(|status| status.success()),
            "no user postgres: run ./test, it installs PostgreSQL"
        );
    }
}

/// Neither gone nor a zombie that whoever adopted it has not collected.
fn is_running(process: rustix::process::Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// A PostgreSQL program; as root it runs as the user `postgres`, because the server refuses root.
fn as_postgres(program: &str) -> Command {
    let path = programs().join(program);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/");
    command
}

/// The folder of the newest installed PostgreSQL.
///
/// # Panics
/// When none is installed.
pub fn programs() -> PathBuf {
    if let Some(folder) = env::path(env::PG_BIN) {
        return folder;
    }
    let newest = newest_version(Path::new("/usr/lib/postgresql"));
    newest.unwrap_or_else(|error| {
        panic!("no PostgreSQL under /usr/lib/postgresql ({error}): run ./test, it installs it")
    })
}

fn newest_version(root: &Path) -> io::Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path().join("bin");
        let number = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
        if let (Some(number), true) = (number, path.join("postgres").exists()) {
            versions.push((number, path));
        }
    }
    versions.sort();
    versions.pop().map(|(_, path)| path).ok_or_else(|| io::Error::other("only clients"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_makes_a_database_and_survives_a_crash() {
        let mut cluster = Cluster::start(Durability::Fsync);
        assert!(cluster.create_database("one").contains("host=/"));
        cluster.psql("one", "CREATE TABLE t AS SELECT 7 AS n").expect("a table");
        cluster.crash_and_restart();
        assert_eq!(cluster.psql("one", "SELECT n FROM t").as_deref(), Ok("7"));
    }
}
