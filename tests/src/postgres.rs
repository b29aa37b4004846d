//! One private PostgreSQL for all tests of a process. It ends with the process, however that ends: a shell holds
//! the other end of a pipe and stops the server when the pipe closes. Its commits are not durable: for logic only.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use crate::env;

/// How long the server may take to take connections.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// What a test that finds no server says.
const INSTALL: &str = "run ./test, or: apt-get install --no-install-recommends postgresql";

/// Runs a server in `$1` with the programs of `$2`, as `$3...`, and ends it when its input ends. `initdb` takes
/// longer than most tests: its result is kept in the cache of `./test` and copied. Without autovacuum there are
/// statistics only where a test asks for them.
const SUPERVISE: &str = r#"
folder=$1; programs=$2; shift 2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/maxray
template=$cache/postgres-$("$programs/postgres" --version | tr -cd 0-9.)
if ! cp -a "$template" "$folder/data" 2>"$folder/log"; then
  rm -rf "$folder/data"
  "$@" "$programs/initdb" -D "$folder/data" -U postgres -A trust --no-sync --no-locale -E UTF8 >"$folder/log" 2>&1
  mkdir -p "$cache" && cp -a "$folder/data" "$template.$$" && mv -T "$template.$$" "$template" || rm -rf "$template.$$"
fi
"$@" "$programs/postgres" -D "$folder/data" -c listen_addresses= -c unix_socket_directories="$folder" \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB -c max_connections=300 \
  -c autovacuum=off \
  >>"$folder/log" 2>&1 </dev/null &
server=$!
read -r _
kill -QUIT "$server"
wait "$server"
rm -rf "$folder"
"#;

/// The server of this process.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    /// Its input is the pipe: closed by the kernel when this process ends.
    _supervisor: Child,
    databases: AtomicU32,
}

impl Postgres {
    /// The server, started by the first call.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the text says what to do.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn fresh_database(&self) -> String {
        let name = format!("fresh{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&format!("CREATE DATABASE {name}")).expect("PostgreSQL makes a database");
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.display())
    }

    /// Ends every connection of MaxRay to `url`, whatever it is doing.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn cut_connections(&self, url: &str) {
        let name = url.split(['/', '?']).nth(3).unwrap_or_default();
        self.psql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .expect("PostgreSQL ends connections");
    }

    fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("maxray-postgres-").tempdir().expect("a temporary folder").keep();
        let programs = programs();
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISE, "supervise"]).arg(&folder).arg(&programs);
        if rustix::process::geteuid().is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&folder).status();
            assert!(owned.is_ok_and(|status| status.success()), "there is no user postgres: {INSTALL}");
            command.args(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
        } else {
            command.arg("env");
        }
        let supervisor = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let server = Self { folder, _supervisor: supervisor, databases: AtomicU32::new(0) };
        server.wait();
        server
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        while let Err(error) = self.psql("SELECT 1") {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start ({INSTALL}): {error}\n{log}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn psql(&self, statement: &str) -> Result<(), String> {
        let output = Command::new(programs().join("psql"))
            .args(["-X", "-q", "-U", "postgres", "-d", "postgres", "-c", statement, "-h"])
            .arg(&self.folder)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }
}

/// The programs of the newest installed version.
fn programs() -> PathBuf {
    if let Some(folder) = env::path(env::PG_BIN) {
        return folder;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(|path| number(path))
        .unwrap_or_else(|| panic!("PostgreSQL is not installed: {INSTALL}"))
        .join("bin")
}
