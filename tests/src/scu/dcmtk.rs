//! DCMTK, the X-ray machine of most tests: its programs as a hospital runs them.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::tls::{Authority, Identity};

/// How long storescp may take to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(20);

/// A finished program.
#[derive(Debug)]
pub struct Dcmtk {
    /// Exit status 0.
    pub success: bool,
    /// Standard output and error.
    pub text: String,
}

impl Dcmtk {
    /// `echoscu`.
    pub fn echoscu(peer: SocketAddr) -> Self {
        Self::run("echoscu", &["-aec", "MAXRAY"], peer, &[])
    }

    /// `storescu ARGUMENTS peer PATHS`.
    pub fn storescu(peer: SocketAddr, arguments: &[&str], paths: &[PathBuf]) -> Self {
        Self::run("storescu", &[&["-v", "-aec", "MAXRAY"], arguments].concat(), peer, paths)
    }

    /// `dcmsend ARGUMENTS peer PATHS`: proposes each file's own transfer syntax.
    pub fn dcmsend(peer: SocketAddr, arguments: &[&str], paths: &[PathBuf]) -> Self {
        Self::run("dcmsend", &[&["-v", "-aec", "MAXRAY"], arguments].concat(), peer, paths)
    }

    /// `findscu ARGUMENTS peer`.
    pub fn findscu(peer: SocketAddr, arguments: &[&str]) -> Self {
        Self::run("findscu", &[&["-v", "-aec", "MAXRAY"], arguments].concat(), peer, &[])
    }

    /// `getscu +B ARGUMENTS peer`: keeps each data set exactly as it came.
    pub fn getscu(peer: SocketAddr, arguments: &[&str]) -> Self {
        Self::run("getscu", &[&["-v", "-aec", "MAXRAY", "+B"], arguments].concat(), peer, &[])
    }

    /// `movescu -aem DESTINATION ARGUMENTS peer`.
    pub fn movescu(peer: SocketAddr, destination: &str, arguments: &[&str]) -> Self {
        let all = [&["-v", "-aec", "MAXRAY", "-aem", destination], arguments].concat();
        Self::run("movescu", &all, peer, &[])
    }

    /// `dcmdump` of a file, with every value whole.
    ///
    /// # Panics
    /// When DCMTK cannot read it.
    pub fn dcmdump(path: &Path) -> String {
        let output = Command::new("dcmdump").args(["-q", "+L"]).arg(path).output();
        let dump = Self::from_output("dcmdump", output.map_err(|error| error.to_string()));
        assert!(dump.success, "dcmdump {}: {}", path.display(), dump.text);
        dump.text
    }

    fn run(program: &str, arguments: &[&str], peer: SocketAddr, paths: &[PathBuf]) -> Self {
        let output = Command::new(program)
            // Without it DCMTK leaves Nagle's algorithm on: 40 ms for every instance.
            .env("TCP_NODELAY", "1")
            .args(arguments)
            .args([peer.ip().to_string(), peer.port().to_string()])
            .args(paths)
            .stdin(Stdio::null())
            .output();
        Self::from_output(program, output.map_err(|error| error.to_string()))
    }

    fn from_output(program: &str, output: Result<Output, String>) -> Self {
        let output =
            output.unwrap_or_else(|error| panic!("{program}: {error}: run ./test, it installs DCMTK"));
        let text = [output.stdout, output.stderr].concat();
        Self { success: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// The C-STORE status that `storescu -v` shows for one file; `None` when none came.
    pub fn store_status(&self) -> Option<u16> {
        let line = self.text.lines().rev().find(|line| line.contains("Received Store Response"))?;
        let words = line.split_once("Received Store Response")?.1;
        if words.contains("Success") {
            return Some(0);
        }
        let hexadecimal = words.split("0x").nth(1)?;
        u16::from_str_radix(hexadecimal.get(..4)?, 16).ok()
    }
}

/// `storescp +B`: keeps each data set exactly as DCMTK's senders put it on the wire, to compare with.
#[derive(Debug)]
pub struct Reference {
    folder: PathBuf,
    server: Child,
    address: SocketAddr,
}

impl Reference {
    /// Starts one that writes into `folder`.
    ///
    /// # Panics
    /// When storescp is missing or does not listen.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["+xa"])
    }

    /// As [`Self::start`]; it takes the native transfer syntaxes alone.
    ///
    /// # Panics
    /// As there.
    pub fn start_plain(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// As [`Self::start`]; it speaks TLS alone, and demands a certificate that the authority has signed.
    ///
    /// # Panics
    /// As there.
    pub fn start_tls(folder: &Path, authority: &Authority, identity: &Identity) -> Self {
        let paths =
            [&identity.key, &identity.certificate, &authority.file()].map(|path| path.display().to_string());
        let [key, certificate, root] = &paths;
        Self::start_with(folder, &["+xa", "+tls", key, certificate, "+cf", root])
    }

    /// As [`Self::start`]; it is busy for a second after each instance.
    ///
    /// # Panics
    /// As there.
    pub fn start_busy(folder: &Path) -> Self {
        Self::start_with(folder, &["+xa", "--sleep-after", "1"])
    }

    fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let server = Command::new("storescp")
            .env("TCP_NODELAY", "1")
            .args(["+B", "+uf", "--promiscuous", "-q", "-pdu", "131072", "-od"])
            .arg(folder)
            .args(arguments)
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("storescp starts: run ./test, it installs DCMTK");
        let deadline = Instant::now() + LISTEN_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "storescp does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder: folder.to_owned(), server, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The files that came since the last call, which takes them away.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn take(&self) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            files.push(std::fs::read(&path).expect("a file"));
            std::fs::remove_file(&path).expect("a file of ours");
        }
        files
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _gone_already = self.server.kill();
        let _status = self.server.wait();
    }
}
