//! A server that dies at a fail point, or at a call of the system.

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    process::Command,
    time::{Duration, Instant},
};

use crate::platform::{Platform, READY_TIMEOUT};

impl Platform {
    /// Starts the server with one fail point armed, and waits until it is ready or dead.
    ///
    /// # Panics
    /// When it is neither, or when the program under test was built without fail points.
    pub async fn restart_armed(&mut self, fail_point: &str) {
        assert!(
            fail_point::ENABLED && has_fail_points(),
            "the program under test has no fail points: build it together with the tests \
             (cargo build -p maxray -p tests --bins), as ./test does"
        );
        let mut command = self.command(&["serve"]);
        command.env("TEST_MAXRAY_FAIL_POINT", fail_point);
        self.spawn(command);
        self.wait_until_ready_or_dead().await;
    }

    /// Starts the server under strace, which makes calls of the system fail or kill, and waits until it is ready or
    /// dead. The arguments say which calls.
    ///
    /// # Panics
    /// When it is neither, or when there is no strace.
    pub async fn restart_traced(&mut self, arguments: &[&str]) {
        let found = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
        assert!(found, "there is no strace: run ./test, it installs it");
        // -D: the server is our child and strace is the one beside it.
        let mut traced = vec!["strace", "-D", "-f", "-qq", "-o", "/dev/null"];
        traced.extend_from_slice(arguments);
        let command = self.wrapped(&traced, &["serve"]);
        self.spawn(command);
        self.wait_until_ready_or_dead().await;
    }

    /// Starts the server with its data directory on a new disk of this size that only it sees, and waits until it is
    /// ready. The disk is gone with the server.
    ///
    /// # Panics
    /// When it does not get ready, or when the kernel does not let us mount.
    pub async fn restart_on_disk_of(&mut self, bytes: u64) {
        let data = self.data_directory();
        std::fs::create_dir_all(&data).expect("a data directory");
        let mount = format!("mount -t tmpfs -o size={bytes} none '{}' && exec \"$0\" \"$@\"", data.display());
        let command = self
            .wrapped(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &mount], &["serve"]);
        self.spawn(command);
        self.wait_until_ready_or_dead().await;
        assert!(self.is_alive(), "maxray serve on a disk of its own ended:\n{}", self.log());
    }

    /// Changes the size of the disk of [`Self::restart_on_disk_of`].
    ///
    /// # Panics
    /// When the kernel refuses.
    pub fn resize_disk(&self, bytes: u64) {
        let data = self.data_directory().display().to_string();
        let status = self.inside(&["mount", "-o", &format!("remount,size={bytes}"), &data]).status();
        assert!(status.is_ok_and(|status| status.success()), "the disk keeps its size");
    }

    /// A command that sees the disk of [`Self::restart_on_disk_of`].
    pub fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args([
            "--target",
            &self.pid().to_string(),
            "--user",
            "--mount",
            "--preserve-credentials",
            "--",
        ]);
        inside.args(command);
        inside
    }

    /// `maxray ARGUMENTS` as the last words of another command.
    ///
    /// # Panics
    /// Without a word of the other command.
    pub fn wrapped(&self, words: &[&str], arguments: &[&str]) -> Command {
        let plain = self.command(arguments);
        let (program, before) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(before).arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(plain.get_current_dir().expect("a working directory"));
        command
    }

    async fn wait_until_ready_or_dead(&mut self) {
        let deadline = Instant::now() + READY_TIMEOUT;
        while self.is_alive() && !self.is_ready().await {
            assert!(Instant::now() < deadline, "maxray serve is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where DICOM answers, unless the server is dead already.
    pub fn dicom_if_alive(&mut self) -> Option<SocketAddr> {
        self.is_alive().then(|| self.dicom())
    }

    /// Waits until the server has killed itself.
    ///
    /// # Panics
    /// When it lives on, or ended in another way.
    pub async fn await_death(&mut self, timeout: Duration, when: &str) {
        let deadline = Instant::now() + timeout;
        while self.is_alive() {
            assert!(Instant::now() < deadline, "{when}: the program never came there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let status = self.server().as_mut().map(|server| server.wait().expect("a child to wait for"));
        let signal = status.and_then(|status| status.signal());
        assert_eq!(signal, Some(9), "{when}: the server ended with {status:?}:\n{}", self.log());
        self.kill();
    }

    /// Waits until the server has ended by itself: its exit code.
    ///
    /// # Panics
    /// When it lives on.
    pub async fn await_end(&mut self, timeout: Duration) -> Option<i32> {
        let deadline = Instant::now() + timeout;
        while self.is_alive() {
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let status = self.server().as_mut().map(|server| server.wait().expect("a child to wait for"));
        self.kill();
        status.and_then(|status| status.code())
    }

    /// SIGTERM, without waiting.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn terminate(&mut self) {
        let server = self.server().as_ref().expect("a running server");
        let pid = rustix::process::Pid::from_child(server);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the server takes SIGTERM");
    }
}

/// The name of the variable stands in the program only when it has fail points.
fn has_fail_points() -> bool {
    static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *FOUND.get_or_init(|| {
        let mut grep = Command::new("grep");
        grep.args(["-q", "-a", "TEST_MAXRAY_FAIL_POINT"]).arg(crate::platform::binary());
        grep.status().is_ok_and(|status| status.success())
    })
}
