//! What an attack must leave behind: nothing. Taken before it, checked after it.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{home, platform::Platform, scu::Association};

/// How long the server has to give back descriptors and threads.
const CALM_TIMEOUT: Duration = Duration::from_secs(20);
/// How soon the next C-ECHO and `/readyz` must be answered. Machines of tests are busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Descriptors that come and go on their own: connections of the database pool, of clients that are kept alive.
const DESCRIPTORS_SLACK: usize = 16;
/// On the distributed home also those to the bucket, and both pools of PostgreSQL.
const DESCRIPTORS_SLACK_DISTRIBUTED: usize = 48;

/// The state of a server before an attack.
#[derive(Debug)]
pub struct Guard {
    pid: u32,
    memory_bytes: u64,
    descriptors: usize,
    objects: Vec<PathBuf>,
}

impl Platform {
    /// Looks at the server, and begins to watch its peak memory anew.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn guard(&self) -> Guard {
        // 5 sets the peak back to what is used now (proc(5), clear_refs).
        let reset = fs::write(format!("/proc/{}/clear_refs", self.pid()), "5");
        reset.expect("the peak memory of a child can be reset");
        Guard {
            pid: self.pid(),
            memory_bytes: self.peak_memory_bytes(),
            descriptors: self.descriptors(),
            objects: self.stored_objects(),
        }
    }

    /// Open file descriptors of the server's process.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Resident memory of the server's process at this moment (VmRSS).
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// Files of instances on their way in.
    pub fn spool(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.data_directory().join("spool"));
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// Every file and folder below the scratch folder, other than the server's own data: an attack that leaves its
    /// box shows up here.
    pub fn outside_of_data(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.scratch()).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }
}

impl Guard {
    /// The same process is alive and answers, memory grew by less than `growth_max_bytes` at its peak, descriptors are
    /// back, nothing is left in the spool, and no object was added.
    ///
    /// # Panics
    /// Otherwise.
    pub async fn check(&self, platform: &mut Platform, growth_max_bytes: u64) {
        let peak = platform.peak_memory_bytes();
        self.check_alive(platform).await;
        let growth = peak.saturating_sub(self.memory_bytes);
        eprintln!("memory grew by {} KiB at its peak", growth / 1024);
        assert!(growth < growth_max_bytes, "memory grew by {growth} bytes, {growth_max_bytes} are allowed");
        assert_eq!(platform.stored_objects(), self.objects, "objects were added or lost");
    }

    /// As [`Guard::check`], for attacks that may store something.
    ///
    /// # Panics
    /// Otherwise.
    pub async fn check_alive(&self, platform: &mut Platform) {
        assert!(platform.is_alive(), "the server ended:\n{}", platform.log());
        assert_eq!(platform.pid(), self.pid, "another process answers");
        let begin = Instant::now();
        let dicom = platform.dicom();
        let echo = tokio::task::spawn_blocking(move || echo(dicom)).await.expect("an echo does not panic");
        assert_eq!(echo, 0, "status of C-ECHO");
        let ready = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
        assert_eq!(ready.status(), 200, "/readyz");
        assert!(begin.elapsed() < ANSWER_TIMEOUT, "C-ECHO and /readyz took {:?}", begin.elapsed());
        assert!(!platform.log().contains("panicked at"), "a panic in the log");
        let deadline = Instant::now() + CALM_TIMEOUT;
        let slack = if home::is_distributed() { DESCRIPTORS_SLACK_DISTRIBUTED } else { DESCRIPTORS_SLACK };
        loop {
            let (open, spool) = (platform.descriptors(), platform.spool());
            if open <= self.descriptors + slack && spool.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{open} descriptors after {} before; in the spool: {spool:?}",
                self.descriptors
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn echo(peer: SocketAddr) -> u16 {
    let mut association =
        Association::request(peer, "MAXRAY", &[Association::verification()]).expect("an association");
    let status = association.echo().expect("a status");
    association.release().expect("a release");
    status
}
