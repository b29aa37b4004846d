//! The TLS connection is cut in the middle of an object, at any byte: the sender hears of a failure, nothing half is
//! there, and the same object is taken when it comes again. (threats.md row 24)

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tests::{
    env,
    platform::{Options, Platform},
    qido,
    random::Random,
    scu::Dcmtk,
    session::PASSWORD,
    synthetic::Synthetic,
    tls::Authority,
};

/// Cuts in a normal run; `MAXRAY_TEST_CRASH_ROUNDS` asks for more.
const ROUNDS: u64 = 30;
/// What a sender has sent before the first byte of the object: hello, certificate, association request.
const HANDSHAKE_BYTES: usize = 4_000;

/// What befalls a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Both connections are gone.
    Cut,
    /// One bit comes as another, and the line goes on.
    Turn,
}

/// Passes bytes on until the sender has sent so many; then the fault.
#[derive(Debug)]
pub(super) struct Proxy {
    server: SocketAddr,
    bytes_left: Arc<AtomicU64>,
    fault: Fault,
}

impl Proxy {
    pub(super) fn start(server: SocketAddr, bytes_left: &Arc<AtomicU64>, fault: Fault) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Arc::new(Self { server, bytes_left: Arc::clone(bytes_left), fault });
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let proxy = Arc::clone(&proxy);
                std::thread::spawn(move || proxy.serve(&client));
            }
        });
        address
    }

    /// Unless the sender has set the next place meanwhile.
    fn leave(&self, seen: u64, left: u64) {
        let _changed = self.bytes_left.compare_exchange(seen, left, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn serve(&self, mut client: &TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.server) else { return };
        let (mut answers, mut back) =
            (server.try_clone().expect("a second handle"), client.try_clone().expect("a second handle"));
        let answering = std::thread::spawn(move || std::io::copy(&mut answers, &mut back).is_ok());
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let left = self.bytes_left.load(Ordering::SeqCst);
            let mut passed = length.min(usize::try_from(left).unwrap_or(usize::MAX));
            if passed < length && self.fault == Fault::Turn {
                buffer[passed] ^= 1;
                self.leave(left, u64::MAX);
                passed = length;
            } else {
                self.leave(left, left - passed as u64);
            }
            if server.write_all(&buffer[..passed]).is_err() || passed < length {
                break;
            }
        }
        let _closed = (server.shutdown(Shutdown::Both), client.shutdown(Shutdown::Both));
        let _ended = answering.join();
    }
}

#[tokio::test]
async fn a_cut_in_the_middle_leaves_nothing_half() {
    let mut random = Random::from_environment("cut");
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "site");
    let ours = authority.issue("127.0.0.1", |_| {});
    let platform = Platform::start(Options::default().with_tls(&authority, &ours)).await;
    platform.add_user("reader", "viewer");
    let bytes_left = Arc::new(AtomicU64::new(u64::MAX));
    let proxy = Proxy::start(platform.dicom(), &bytes_left, Fault::Cut);
    let root = authority.file().display().to_string();
    let rounds = env::number(env::CRASH_ROUNDS, ROUNDS);
    let mut failed = 0;
    for round in 1..=rounds {
        let instance = Synthetic::cr(&format!("TLS-CUT-{round}"), 200, 200);
        let part10 = instance.part10();
        let path = platform.scratch().join("cut.dcm");
        std::fs::write(&path, &part10).expect("a file");
        let send = || Dcmtk::storescu(proxy, &["+tla", "+cf", &root], std::slice::from_ref(&path));
        // Anywhere: in the handshake, in the object, after it, and after the release.
        let cut_at = random.below(HANDSHAKE_BYTES + part10.len() + 1_000);
        bytes_left.store(cut_at as u64, Ordering::SeqCst);
        let acknowledged = send().store_status() == Some(0);
        let reader = platform.sign_in("reader", PASSWORD).await;
        let uid = &instance.sop_instance_uid;
        let found = qido::locate(&reader, uid).await;
        assert!(
            found.is_some() || !acknowledged,
            "round {round}, cut at {cut_at}: acknowledged and not there"
        );
        if cut_at < part10.len() {
            failed += 1;
            assert!(found.is_none(), "round {round}: cut at {cut_at} of {} and there", part10.len());
        }
        if let Some(place) = found {
            let file = tests::ledger::retrieve(&reader, &place, uid).await.expect("it is whole");
            assert_eq!(tests::part10::data_set(&file), instance.data_set(), "round {round}, cut at {cut_at}");
        }
        bytes_left.store(u64::MAX, Ordering::SeqCst);
        assert_eq!(send().store_status(), Some(0), "round {round}: sent again\n{}", platform.log());
    }
    assert!(failed > 0, "no object was cut");
    platform.assert_verified(None, "after the cuts");
    super::kill_points::assert_spool_is_empty(&platform);
}
