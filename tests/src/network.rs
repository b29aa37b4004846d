//! Networks of their own for servers, as machines of their own have: a server in one is reached, and reaches others, by a
//! line that can be pulled out. All of them lie in a network that the test has for itself, from which no way leads anywhere: no
//! address of the machine is used or changed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

use crate::env;

/// What a test says that cannot have one.
const INSTEAD: &str = "the kernel lets us make no network of our own (network_namespaces(7), veth(4)): run ./test, which \
                       finds out, or set MAXRAY_TEST_NETWORKS=0 to stay on the loopback device";
/// The addresses of every network of [`Network::make`].
pub const ALL: &str = "10.77.0.0/16";

/// Waits for the line, takes its own end of it, and lives until its input ends.
const HOLD: &str = r#"echo made && read -r far near && ip link set lo up && ip address add "$far" peer "$near" dev line \
  && ip link set line up && ip route add default via "$near" && echo ready && read -r _"#;

/// Whether networks are made; `./test` looks whether they can be.
pub fn is_possible() -> bool {
    env::text(env::NETWORKS).as_deref() != Some("0")
}

/// Runs the test that calls this once more in a network for itself: true there, false once that has passed, so that the caller
/// returns. True at once where networks are not made.
///
/// # Panics
/// When the test fails there, or no test of that name exists.
pub fn is_inside(test: &str) -> bool {
    if !is_possible() || env::text(env::INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    // As root PostgreSQL runs as another user, who would not exist among mapped ones.
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    let enter = r#"ip link set lo up && exec setpriv --pdeathsig KILL "$0" "$@""#;
    command.args(["--net", "--", "sh", "-c", enter]);
    command.arg(std::env::current_exe().expect("the test's own program")).args([
        "--exact",
        test,
        "--nocapture",
    ]);
    command.env(env::INSIDE, "1").stdin(Stdio::null()).stdout(Stdio::piped());
    let output = command.spawn().and_then(Child::wait_with_output).expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(said.contains("running 1 test"), "{test} does not run in a network of its own; {INSTEAD}");
    assert!(output.status.success() && said.contains("1 passed"), "{test} failed in its network");
    false
}

/// One network, joined to the test's by a line.
#[derive(Debug)]
pub struct Network {
    /// A process in it: the network is gone with the last one.
    holder: Child,
    device: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Network {
    /// Makes one with addresses that no other one has.
    ///
    /// # Panics
    /// When the kernel does not let us.
    pub fn make() -> Self {
        static MADE: AtomicU8 = AtomicU8::new(1);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self::between(Ipv4Addr::new(10, 77, number, 1), Ipv4Addr::new(10, 77, number, 2))
    }

    /// Makes one that reaches the test as `near`, which can be the same for several, and is reached as `far`.
    ///
    /// # Panics
    /// When the kernel does not let us.
    pub fn between(near: Ipv4Addr, far: Ipv4Addr) -> Self {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--", "sh", "-c", HOLD]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("unshare runs");
        let mut said = BufReader::new(holder.stdout.take().expect("a pipe"));
        let mut says = |expected: &str| {
            let mut line = String::new();
            let _length = said.read_line(&mut line).expect("the holder speaks");
            assert_eq!(line.trim(), expected, "{INSTEAD}");
        };
        says("made");
        let id = holder.id().to_string();
        let mut network = Self { holder, device: format!("line{id}"), near, far };
        ip(&["link", "add", &network.device, "type", "veth", "peer", "name", "line", "netns", &id]);
        let ends = [near.to_string(), far.to_string()];
        ip(&["address", "add", &ends[0], "peer", &ends[1], "dev", &network.device]);
        network.plug_in();
        let input = network.holder.stdin.as_mut().expect("a pipe");
        writeln!(input, "{far} {near}").expect("the holder listens");
        says("ready");
        network
    }

    /// The address by which what is in it reaches the test.
    pub fn near(&self) -> IpAddr {
        self.near.into()
    }

    /// The address by which the test reaches what is in it.
    pub fn far(&self) -> IpAddr {
        self.far.into()
    }

    /// A program in it.
    pub fn command(&self, program: &str) -> Command {
        let [enter, words @ ..] = self.enter();
        let mut command = Command::new(enter);
        command.args(words).arg(program);
        command
    }

    /// The words before a program that make it run in it.
    pub fn enter(&self) -> [String; 3] {
        ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.holder.id()), "--".to_owned()]
    }

    /// Pulls the line out: what is on its way is lost, and who is connected is not told. Who connects to what is in it hears at once that
    /// there is no way.
    ///
    /// # Panics
    /// When the kernel does not let us.
    pub fn unplug(&self) {
        ip(&["link", "set", &self.device, "down"]);
    }

    /// Plugs it in again.
    ///
    /// # Panics
    /// When the kernel does not let us.
    pub fn plug_in(&self) {
        ip(&["link", "set", &self.device, "up"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _status = self.holder.wait();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip runs: ./test installs iproute2");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {said}; {INSTEAD}");
}
