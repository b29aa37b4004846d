//! A node as its image and `docker-compose.yml` make it, without an engine: a root that cannot be written to, with the program and
//! what it is linked to and nothing else, no shell, no rights, secrets as files, and a network of its own.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tests::{network::Network, platform::binary};

/// Makes what the image has, and what Docker puts in, below a folder that only this process sees there, and runs the program in it.
/// As root it is the user of the image, who has no rights; others stay who they are.
const RUN: &str = r#"set -e
root=$1 binary=$2 secrets=$3 data=$4 hosts=$5
shift 5
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir -p usr/local/bin var/lib/maxray tmp run/secrets proc dev etc/ssl/certs
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p ".${library%/*}"
  cp "$library" ".$library"
done
: >usr/local/bin/maxray
mount --bind "$binary" usr/local/bin/maxray
cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ 2>/dev/null || true
echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin' >etc/passwd
echo 'hosts: files dns' >etc/nsswitch.conf
cp "$hosts" etc/hosts
for secret in "$secrets"/*; do
  : >"run/secrets/${secret##*/}"
  mount --bind "$secret" "run/secrets/${secret##*/}"
done
mount --bind "$data" var/lib/maxray
mount -t tmpfs -o mode=1777 none tmp
mount --rbind /proc proc
mount --rbind /dev dev
mount -o remount,ro,mode=755 none "$root"
if [ "$(id -u)" = 0 ]; then
  exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups=65532 "$root" /usr/local/bin/maxray "$@"
fi
exec setpriv --no-new-privs chroot "$root" /usr/local/bin/maxray "$@""#;

/// What nodes are made of.
pub(super) struct Image<'a> {
    /// Of `docker-compose.yml`.
    pub service: &'a Value,
    /// Each secret that the composition gives to a node.
    pub secrets: PathBuf,
    /// The names of other services.
    pub hosts: PathBuf,
}

/// One node.
pub(super) struct Container {
    folder: tempfile::TempDir,
    network: Network,
    server: Option<Child>,
    environment: Vec<(String, String)>,
    secrets: PathBuf,
    hosts: PathBuf,
}

impl Container {
    /// Starts one, which is reached as `address` and reaches everything as `others`.
    pub fn start(image: &Image, others: Ipv4Addr, address: Ipv4Addr) -> Self {
        let folder = tempfile::Builder::new().prefix("maxray-container-").tempdir().expect("a folder");
        for name in ["root", "data"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let data = folder.path().join("data");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&data, Some(65532), Some(65532)).expect("given away");
        }
        let environment = image.service["environment"].as_object().expect("an environment");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let environment = environment.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let (secrets, hosts) = (image.secrets.clone(), image.hosts.clone());
        let network = Network::between(others, address);
        let mut node = Self { folder, network, server: None, environment, secrets, hosts };
        let log = fs::File::create(node.folder.path().join("log")).expect("a log");
        let mut command = node.command(&["serve"]);
        command.stderr(log.try_clone().expect("a second handle")).stdout(log);
        node.server = Some(command.spawn().expect("nsenter runs"));
        node
    }

    /// What `docker compose exec maxray maxray ARGUMENTS` runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.network.command("unshare");
        command.args(["--mount", "--", "sh", "-c", RUN, "sh"]);
        let path = |name: &str| self.folder.path().join(name);
        command.arg(path("root")).arg(binary()).arg(&self.secrets).arg(path("data")).arg(&self.hosts);
        command.args(arguments).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        // As the Dockerfile says.
        command.env("MAXRAY_DATA_DIRECTORY", "/var/lib/maxray");
        command.envs(self.environment.iter().cloned());
        command
    }

    /// The same, which must succeed: what it says.
    pub fn exec(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("nsenter runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "maxray {arguments:?}: {said}");
        said
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("a running server").id()
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone_already = server.kill();
            let _status = server.wait();
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- a node's log ----\n{}", self.log());
        }
    }
}

/// A copy of those secrets that a service is given, each as Docker shows it.
pub(super) fn given(service: &Value, made: &Path, into: &Path) {
    fs::create_dir_all(into).expect("a folder");
    for secret in service["secrets"].as_array().expect("secrets") {
        let name = secret["source"].as_str().or(secret.as_str()).expect("a name");
        fs::copy(made.join(name), into.join(name)).expect("a copy");
    }
}
