//! The child's side: it limits itself, then answers requests from standard input until that is closed.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
};

use rustix::process::{getppid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::sandbox::{self, Sandbox};

/// What a child is started with.
#[derive(Debug, Clone, Copy)]
pub struct ChildLimits {
    /// Address space.
    pub memory_max_bytes: u64,
    /// Processor time for one request.
    pub processor_max_seconds: u64,
}

/// What a child could reach, when it tried everything that a stranger inside it would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What the kernel gave.
    pub sandbox: Sandbox,
    /// What was not refused: nothing, when all is well.
    pub within_reach: Vec<String>,
}

/// Limits itself, then answers requests from standard input until it is closed.
///
/// # Errors
/// When a limit cannot be set or a pipe breaks.
pub fn serve_child(limits: ChildLimits, handle: fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    sandbox::enter(limits.memory_max_bytes)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        sandbox::allow_processor_seconds(limits.processor_max_seconds)?;
        let mut request = Vec::new();
        let announced = u64::from(u32::from_le_bytes(length));
        (&mut input).take(announced).read_to_end(&mut request)?;
        let answer = handle(&request);
        let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}

/// Limits itself as [`serve_child`] does, tries to get out, and tells what it could as JSON.
///
/// # Errors
/// When a limit cannot be set or standard output is closed.
pub fn probe_child(limits: ChildLimits) -> io::Result<()> {
    let parent = getppid();
    let environment = std::env::vars_os().count();
    let program = std::env::current_exe()?;
    let sandbox = sandbox::enter(limits.memory_max_bytes)?;
    sandbox::allow_processor_seconds(limits.processor_max_seconds)?;
    let mut within_reach = reach(&program);
    if environment > 0 {
        within_reach.push("environment".to_owned());
    }
    if parent.is_some_and(|parent| !matches!(test_kill_process(parent), Err(rustix::io::Errno::PERM))) {
        within_reach.push("signal_parent".to_owned());
    }
    let probe = Probe { sandbox, within_reach };
    writeln!(io::stdout(), "{}", serde_json::to_string(&probe)?)
}

/// The names of what was not refused. Threads must work: codecs use them.
fn reach(program: &Path) -> Vec<String> {
    let attempts: [(&str, io::Result<()>); 7] = [
        ("read_file", std::fs::File::open(program).map(drop)),
        ("list_directory", std::fs::read_dir("/").map(drop)),
        ("write_file", std::fs::File::create(std::env::temp_dir().join("maxray-decoder-probe")).map(drop)),
        ("tcp", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("udp", UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("unix_socket", UnixDatagram::unbound().map(drop)),
        ("start_process", Command::new(program).arg("--version").spawn().map(drop)),
    ];
    let mut within_reach: Vec<String> = attempts
        .into_iter()
        .filter(
            |(_, outcome)| !matches!(outcome, Err(error) if error.kind() == io::ErrorKind::PermissionDenied),
        )
        .map(|(name, _)| name.to_owned())
        .collect();
    if std::thread::Builder::new()
        .spawn(|| ())
        .map_err(|_| ())
        .and_then(|thread| thread.join().map_err(|_| ()))
        .is_err()
    {
        within_reach.push("no_threads".to_owned());
    }
    within_reach
}
