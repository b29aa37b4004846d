//! A private Ceph of this machine: one monitor, one OSD on a sparse file, one RADOS gateway that speaks S3. The programs end with
//! the test's process, however that ends: a shell holds the other end of a pipe and kills them when the pipe closes. It costs some ten seconds to start.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::clock::Clock;

use crate::{operator::free_port, platform::Options};

/// How long one step of the start may take; a machine that builds at the same time needs most of it.
const STEP_TIMEOUT: Duration = Duration::from_mins(3);
/// How often the monitor is started, and how long it has to answer each time, in seconds.
const MONITOR_ATTEMPTS_MAX: u32 = 4;
const MONITOR_TIMEOUT_S: &str = "40";
/// What a test that finds no Ceph says.
const INSTALL: &str =
    "run ./test, or: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw uuid-runtime";
const BUCKET: &str = "maxray";
const ACCESS_KEY: &str = "maxraytest";
const SECRET_KEY: &str = "maxraytestsecret";

/// Runs what lines on its input name: a line `NAME PROGRAM...` starts it, `kill NAME` kills it at once, the end kills all.
const SUPERVISE: &str = r#"
folder=$1
while read -r name program; do
  if [ "$name" = kill ]; then
    kill -9 "$(cat "$folder/$program.pid-of")" 2>/dev/null; wait "$(cat "$folder/$program.pid-of")" 2>/dev/null
    rm "$folder/$program.pid-of"
  else
    $program >>"$folder/$name.out" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid-of"
  fi
done
for file in "$folder"/*.pid-of; do kill -9 "$(cat "$file")" 2>/dev/null; done
wait
rm -rf "$folder"
"#;

/// The cluster.
#[derive(Debug)]
pub struct Ceph {
    folder: PathBuf,
    port: u16,
    supervisor: Child,
}

impl Ceph {
    /// Starts one with an empty bucket.
    ///
    /// # Panics
    /// When Ceph is not installed or does not start; the text says what to do.
    pub fn start() -> Self {
        assert!(Path::new("/usr/bin/radosgw").exists(), "there is no Ceph: {INSTALL}");
        let folder = tempfile::Builder::new().prefix("maxray-ceph-").tempdir().expect("a folder").keep();
        for name in ["osd", "run", "rgw"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", SUPERVISE, "ceph"]).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let supervisor = shell.stderr(Stdio::null()).spawn().expect("sh runs");
        let mut ceph = Self { folder, port: free_port(), supervisor };
        ceph.start_monitor();
        ceph.start_osd();
        ceph.start_gateway();
        ceph.make_bucket();
        ceph
    }

    fn configure(&self) {
        let (fsid, [one, two]) = (uuid(), [free_port(), free_port()]);
        let text = SETTINGS
            .replace("FSID", &fsid)
            .replace("FOLDER", &self.folder.display().to_string())
            .replace("GATEWAY", &self.port.to_string())
            .replace("MON_ONE", &one.to_string())
            .replace("MON_TWO", &two.to_string());
        fs::write(self.folder.join("ceph.conf"), text).expect("a file");
        let keyring = self.path("keyring");
        let key = |name: &str, caps: &[&str], make: &[&str]| {
            let mut tool = Command::new("ceph-authtool");
            tool.args(make).args([keyring.as_str(), "--gen-key", "-n", name]);
            for cap in caps.chunks(2) {
                tool.arg("--cap").args(cap);
            }
            said(&mut tool);
        };
        key("mon.", &["mon", "allow *"], &["-C"]);
        key("client.admin", &["mon", "allow *", "osd", "allow *", "mgr", "allow *"], &[]);
        key("client.rgw.a", &["mon", "allow rwx", "osd", "allow rwx"], &[]);
        key("osd.0", &["mon", "allow profile osd", "osd", "allow *"], &[]);
        let addresses = format!("[v2:127.0.0.1:{one},v1:127.0.0.1:{two}]");
        said(
            Command::new("monmaptool")
                .args(["--create", "--clobber", "--addv", "a", &addresses, "--fsid", &fsid])
                .arg(self.path("monmap")),
        );
    }

    /// Again with other ports when it does not answer: somebody may have taken one of them meanwhile.
    fn start_monitor(&mut self) {
        let (conf, map, keyring) = (self.path("ceph.conf"), self.path("monmap"), self.path("keyring"));
        for _ in 0..MONITOR_ATTEMPTS_MAX {
            self.configure();
            drop(fs::remove_dir_all(self.folder.join("mon")));
            fs::create_dir(self.folder.join("mon")).expect("a folder");
            said(self.tool("ceph-mon").args(["--mkfs", "-i", "a", "--monmap", &map, "--keyring", &keyring]));
            self.order(&format!("mon ceph-mon -i a -f -c {conf}"));
            let mut ask = Command::new("timeout");
            ask.args([MONITOR_TIMEOUT_S, "ceph", "-c", &conf, "mon", "stat"]).stdin(Stdio::null());
            if ask.output().is_ok_and(|answer| answer.status.success()) {
                return;
            }
            self.order("kill mon");
            let running = self.folder.join("mon.pid-of");
            self.wait_for("the monitor's end", || !running.exists());
        }
        let log = fs::read_to_string(self.folder.join("mon.out")).unwrap_or_default();
        panic!(
            "the monitor does not answer (it ends where less than a twentieth of the disk is free): {log}"
        );
    }

    fn start_osd(&mut self) {
        let (id, keyring) = (uuid(), self.path("keyring"));
        said(self.tool("timeout").args(["60", "ceph", "-c", &self.path("ceph.conf"), "osd", "new", &id]));
        said(self.tool("timeout").args([
            "60",
            "ceph",
            "-c",
            &self.path("ceph.conf"),
            "auth",
            "import",
            "-i",
            &keyring,
        ]));
        said(self.tool("ceph-osd").args(["-i", "0", "--mkfs", "--osd-uuid", &id, "--keyring", &keyring]));
        self.order(&format!("osd ceph-osd -i 0 -f -c {}", self.path("ceph.conf")));
        let conf = self.path("ceph.conf");
        self.wait_for("the OSD", || {
            said(Command::new("timeout").args(["10", "ceph", "-c", &conf, "osd", "stat"])).contains("1 up")
        });
    }

    /// Starts the gateway, for the first time or again.
    ///
    /// # Panics
    /// When it does not take connections within minutes.
    pub fn start_gateway(&mut self) {
        let (port, conf) = (self.port, self.path("ceph.conf"));
        self.order(&format!("gateway radosgw -f -n client.rgw.a -c {conf}"));
        self.wait_for("the gateway", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// kill -9 of the gateway: what it was asked for is done, half done or not done.
    pub fn kill_gateway(&mut self) {
        self.order("kill gateway");
    }

    fn make_bucket(&self) {
        let user = ["user", "create", "--uid", "maxray", "--display-name", "MaxRay"];
        let keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY];
        said(self.tool("radosgw-admin").args(["-n", "client.rgw.a"]).args(user).args(keys));
        // Signed in the old way of S3 (version 2), which is one line.
        let date = Clock::system().now().format("%a, %d %b %Y %H:%M:%S GMT");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET_KEY.as_bytes());
        let signature = hmac::sign(&key, format!("PUT\n\n\n{date}\n/{BUCKET}").as_bytes());
        let signature = BASE64_STANDARD.encode(signature);
        let mut gateway = TcpStream::connect(("127.0.0.1", self.port)).expect("the gateway");
        write!(
            gateway,
            "PUT /{BUCKET} HTTP/1.0\r\nHost: 127.0.0.1\r\nDate: {date}\r\nContent-Length: 0\r\n\
             Authorization: AWS {ACCESS_KEY}:{signature}\r\n\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        gateway.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// The settings of a server that keeps its objects here.
    #[must_use]
    pub fn options(&self, mut options: Options) -> Options {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let settings = [
            ("BACKEND", "s3"),
            ("S3__ENDPOINT", &endpoint),
            ("S3__BUCKET", BUCKET),
            ("S3__ACCESS_KEY_ID", ACCESS_KEY),
            ("S3__SECRET_ACCESS_KEY", SECRET_KEY),
            ("S3__ALLOW_HTTP", "true"),
        ];
        let settings =
            settings.map(|(name, value)| (format!("MAXRAY_OBJECT_STORAGE__{name}"), value.to_owned()));
        options.environment.extend(settings);
        options
    }

    /// Where its gateway listens, on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// One of Ceph's programs with our settings.
    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if program != "timeout" {
            command.args(["-c", &self.path("ceph.conf")]);
        }
        command
    }

    fn order(&mut self, line: &str) {
        let pipe = self.supervisor.stdin.as_mut().expect("a pipe");
        writeln!(pipe, "{line}").expect("the supervisor lives");
    }

    fn wait_for(&self, what: &str, mut is_there: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_there() {
            if began.elapsed() > STEP_TIMEOUT {
                let logs = ["mon.out", "osd.out", "gateway.out"]
                    .map(|name| fs::read_to_string(self.folder.join(name)).unwrap_or_default());
                panic!("{what} does not come: {logs:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

fn uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// What a program says that must succeed.
fn said(command: &mut Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: {INSTALL}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

// Without `tcp_nodelay` each small answer waits 40 ms for what the client says of the one before.
const SETTINGS: &str = "[global]
fsid = FSID
mon_host = [v2:127.0.0.1:MON_ONE,v1:127.0.0.1:MON_TWO]
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = FOLDER/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 1
osd_crush_chooseleaf_type = 0
mon_data = FOLDER/mon
osd_data = FOLDER/osd
run_dir = FOLDER/run
log_file = FOLDER/$name.log
pid_file = FOLDER/$name.pid
admin_socket = FOLDER/run/$name.$pid.asok
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
mon_warn_on_insecure_global_id_reclaim = false
osd_objectstore = bluestore
bluestore_block_size = 17179869184
bluestore_block_db_create = false
bluestore_block_wal_create = false
osd_max_object_name_len = 460
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_memory_target = 939524096
rgw_crypt_require_ssl = false
rgw_data = FOLDER/rgw
rgw_frontends = beast endpoint=127.0.0.1:GATEWAY tcp_nodelay=1
";
