//! threats.md rows 10 and 11: peers of the DICOM door by the hundred that dawdle, and by the thousand that say nothing.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tests::{
    env,
    platform::Platform,
    scu::{Association, Proposal},
    synthetic::{CR_IMAGE_STORAGE, Synthetic, new_uid},
};

use super::{EXPLICIT, MIB, PATIENCE, begin_c_store, quiet};

const SLOW_SENDERS: usize = 256;
const GOOD_SENDERS: usize = 8;
/// A slow sender is to be gone by then, whatever `pacs.rate_window_ms` is.
const SLOW_FOR_MAX: Duration = Duration::from_mins(1);
/// The good senders alone, to compare with.
const UNDISTURBED: Duration = Duration::from_secs(3);

/// Connections that say nothing, all at once.
const SILENT: usize = 10_000;
/// Fewer than the queue of the listener takes.
const SILENT_AT_ONCE: usize = 100;
/// Of those that are closed, one in so many waits until the server has closed it, too.
const HEARD_EVERY: u64 = 50;
/// Connections that are made and closed; `MAXRAY_TEST_SHORT_CONNECTIONS` asks for more. The row has 100,000.
const SHORT: u64 = 10_000;
/// Of those that say nothing, so many may be waited for (`pacs.connections_pending_max`).
const PENDING_MAX: usize = 64;
/// Descriptors that a server has open anyhow.
const DESCRIPTORS: usize = 80;
/// What may stay after them.
const LEAK_MAX_BYTES: u64 = MIB;
/// Ours, and those of the test itself.
const DESCRIPTORS_WANTED: u64 = SILENT as u64 + 500;

/// Stores small instances until it is told to stop.
fn good_sender(peer: SocketAddr, stop: Arc<AtomicBool>, stored: Arc<AtomicUsize>) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let proposal = Proposal::new(CR_IMAGE_STORAGE, EXPLICIT);
        let mut association =
            Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).expect("accepted");
        let (mut instance, mut own) = (Synthetic::cr("GOOD", 64, 64), 0);
        while !stop.load(Ordering::Relaxed) {
            let status = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set());
            assert_eq!(status.expect("a status"), 0, "a good sender");
            stored.fetch_add(1, Ordering::Relaxed);
            own += 1;
            instance = instance.next();
        }
        association.release().expect("a release");
        own
    })
}

/// A sender that is in the middle of a data set, and hears what the server says meanwhile.
struct Slow {
    association: Association,
    begun: Instant,
}

impl Slow {
    fn begin(peer: SocketAddr) -> Self {
        let (mut association, _) = begin_c_store(peer, &new_uid()).expect("accepted");
        association.stream().write_all(&[4, 0, 0, 1, 0, 0]).expect("sent");
        association.stream().set_nonblocking(true).expect("an option");
        Self { association, begun: Instant::now() }
    }

    /// One byte more; says whether the server still takes it.
    fn goes_on(&mut self) -> bool {
        let mut answer = [0; 10];
        // It may be gone, which reading tells.
        let _refused = self.association.stream().write(&[0]);
        match self.association.stream().read(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("a slow sender: {error}"),
            Ok(length) => {
                assert_eq!(
                    (length, answer[0], answer[8]),
                    (10, 7, 2),
                    "A-ABORT by the provider: {answer:02x?}"
                );
                false
            }
        }
    }
}

/// Row 10: a byte a second from 256 senders, while eight others work.
#[tokio::test]
async fn trickling_senders_are_let_go_while_others_work() {
    // By default the rate is taken over 30 seconds, and 256 associations are all that there may be, 32 of them of one address.
    let mut options = quiet().with("MAXRAY_PACS__RATE_WINDOW_MS", "6000");
    for limit in ["", "_PER_ADDRESS", "_PER_AE"] {
        options = options.with(&format!("MAXRAY_PACS__ASSOCIATIONS{limit}_MAX"), "280");
    }
    let mut platform = Platform::start(options).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let peer = platform.dicom();
    let (stop, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let good: Vec<_> =
        (0..GOOD_SENDERS).map(|_| good_sender(peer, Arc::clone(&stop), Arc::clone(&stored))).collect();
    tokio::time::sleep(UNDISTURBED).await;
    let undisturbed = stored.load(Ordering::Relaxed) as f64 / UNDISTURBED.as_secs_f64();

    let begin = || (0..SLOW_SENDERS / GOOD_SENDERS).map(|_| Slow::begin(peer)).collect::<Vec<Slow>>();
    let mut slow: Vec<Slow> = std::thread::scope(|scope| {
        let beginning: Vec<_> = (0..GOOD_SENDERS).map(|_| scope.spawn(begin)).collect();
        beginning.into_iter().flat_map(|some| some.join().expect("slow senders")).collect()
    });
    let (begin, before) = (Instant::now(), stored.load(Ordering::Relaxed));
    let mut while_all_were_there = None;
    while !slow.is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        slow.retain_mut(Slow::goes_on);
        if slow.len() < SLOW_SENDERS && while_all_were_there.is_none() {
            while_all_were_there = Some((stored.load(Ordering::Relaxed) - before, begin.elapsed()));
        }
        let longest = slow.iter().map(|one| one.begun.elapsed()).max().unwrap_or_default();
        assert!(longest < SLOW_FOR_MAX, "{} slow senders are still served after {longest:?}", slow.len());
    }
    stop.store(true, Ordering::Relaxed);
    let each: Vec<usize> = good.into_iter().map(|sender| sender.join().expect("a good sender")).collect();
    let (disturbed, time) = while_all_were_there.expect("they have gone");
    eprintln!(
        "{undisturbed:.0} instances a second alone, {:.0} beside {SLOW_SENDERS} slow senders",
        disturbed as f64 / time.as_secs_f64()
    );
    assert!(disturbed >= GOOD_SENDERS, "{disturbed} instances were stored while all slow senders were there");
    guard.check_alive(&mut platform).await;
    let rows = tests::qido::rows(&service, "/instances").await.len();
    assert_eq!(rows, each.iter().sum::<usize>(), "instances");
}

/// Connections that are made and closed. Now and then one waits until it has been heard, so that the queue of the listener does not
/// overflow: nothing reaches the server of what the kernel drops.
fn knock_and_go(peer: SocketAddr, times: u64) {
    for time in 0..times {
        let mut stream = knock(peer);
        if time % HEARD_EVERY == 0 {
            stream.shutdown(Shutdown::Write).expect("half closed");
            // The server has nothing to say.
            let _ended = stream.read(&mut [0; 1]);
        }
    }
}

/// A connection; when no port is free for it at the moment, a little later.
fn knock(peer: SocketAddr) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(peer) {
            Ok(stream) => return stream,
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
            Err(error) => panic!("a connection: {error}"),
        }
        assert!(Instant::now() < deadline, "no port is free");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option");
    match stream.peek(&mut [0; 1]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Row 11, CVE-2026-50254: connections without a word, and connections by the thousand.
#[tokio::test]
async fn silent_and_short_connections_cost_nothing_that_stays() {
    raise_descriptor_limit();
    let options = quiet().with("MAXRAY_PACS__ARTIM_TIMEOUT_MS", "2000");
    let mut platform = Platform::start(options).await;
    let peer = platform.dicom();
    // What grows once is not what leaks.
    knock_and_go(peer, 1_000);
    wait_for_room(&platform).await;
    let guard = platform.guard();
    let begin = Instant::now();
    let mut silent = Vec::new();
    while silent.len() < SILENT {
        silent.extend((0..SILENT_AT_ONCE).map(|_| knock(peer)));
        // What the listener has no room for is dropped by the kernel and comes a second later.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eprintln!("{SILENT} connections that say nothing after {:?}", begin.elapsed());
    let held = platform.descriptors();
    assert!(held < PENDING_MAX + DESCRIPTORS, "{held} descriptors are held for connections that say nothing");
    tests::wait::until("the end of all that say nothing", async || {
        silent.iter().all(is_closed).then_some(())
    })
    .await;
    eprintln!("all are ended after {:?}", begin.elapsed());
    drop(silent);
    wait_for_room(&platform).await;
    guard.check(&mut platform, 8 * MIB).await;

    // As many as are measured, until the allocator has settled: it grows by some MiB over the first hundred thousand, and by
    // a tenth of that over the next.
    let short = env::number(env::SHORT_CONNECTIONS, SHORT);
    knock_and_go(peer, short);
    let (before, begin) = (platform.memory_bytes(), Instant::now());
    knock_and_go(peer, short);
    eprintln!("{short} short connections in {:?}", begin.elapsed());
    wait_for_room(&platform).await;
    guard.check(&mut platform, 8 * MIB).await;
    let after = platform.memory_bytes();
    eprintln!("{} KiB before {short} short connections, {} KiB after them", before / 1024, after / 1024);
    assert!(after.saturating_sub(before) < LEAK_MAX_BYTES, "{} bytes stay", after - before);
}

/// Each connection is a descriptor here, too.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= DESCRIPTORS_WANTED);
    assert!(enough(limit.maximum), "at most {:?} descriptors: raise `ulimit -Hn`", limit.maximum);
    if !enough(limit.current) {
        let raised = Rlimit { current: Some(DESCRIPTORS_WANTED), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("below the hard limit");
    }
}

/// While a flood waits in the listener's queue, a newcomer may be dropped with it. It comes again, as modalities do, and
/// is heard within seconds.
/// While the server has no time for them: a department that is switched on, a proxy that comes back.
#[tokio::test]
async fn many_may_connect_at_the_same_moment() {
    const AT_ONCE: usize = 500;
    let platform = Platform::start(quiet()).await;
    platform.pause();
    for address in [platform.dicom(), platform.http()] {
        let waiting: Vec<_> = (0..AT_ONCE)
            .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok())
            .collect();
        assert_eq!(waiting.len(), AT_ONCE, "connections that wait at {address}");
    }
    platform.resume();
    assert_eq!(platform.client().get(platform.url("/readyz")).send().await.expect("an answer").status(), 200);
}

async fn wait_for_room(platform: &Platform) {
    let peer = platform.dicom();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let heard = tokio::task::spawn_blocking(move || {
            let asked = Association::request(peer, "MAXRAY", &[Association::verification()]);
            asked.is_ok_and(|association| association.release().is_ok())
        });
        if heard.await.expect("asking does not panic") {
            return;
        }
        assert!(Instant::now() < deadline, "nobody is heard after a flood of short connections");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
