//! Lines that end at any byte, and lines that turn a bit, by the hundred: C-STORE and STOW-RS over TLS. What was acknowledged is
//! there and whole, the rest is whole or not there, and all of it is taken when it comes again. (threats.md row 24)

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::join_all;
use reqwest::Method;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tests::{
    env,
    ledger::retrieve,
    multipart, part10,
    platform::{Options, Platform},
    qido,
    random::Random,
    scu::{Association, Proposal},
    session::Session,
    synthetic::Synthetic,
    tls::Authority,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::cut_transfers::{Fault, Proxy};

/// Transfers of a normal run, of all senders together; `MAXRAY_TEST_FAULTY_TRANSFERS` asks for more. The row has 10,000.
const TRANSFERS: u64 = 240;
/// Half of them by C-STORE, half by STOW-RS; of each, one has a line that turns bits.
const SENDERS: u64 = 8;
/// Beside the object: handshake, association or request, and the end of it.
const AROUND_BYTES: usize = 2_500;
/// For which a token is good: the longest run.
const TOKEN_LIFETIME_SECONDS: &str = "14400";

/// A door through which instances go, over a line that fails when it is told to.
struct Sender {
    proxy: SocketAddr,
    /// Where plain C-STOREs are taken and go on over TLS; none for STOW-RS.
    tunnel: Option<SocketAddr>,
    bytes_left: Arc<AtomicU64>,
    session: Session,
}

impl Sender {
    async fn new(platform: &Platform, session: &Session, number: u64, connector: &TlsConnector) -> Self {
        let fault = if number % SENDERS < SENDERS / 4 { Fault::Turn } else { Fault::Cut };
        let bytes_left = Arc::new(AtomicU64::new(u64::MAX));
        let by_c_store = number.is_multiple_of(2);
        let server = if by_c_store { platform.dicom() } else { platform.http() };
        let proxy = Proxy::start(server, &bytes_left, fault);
        let tunnel = if by_c_store { Some(tunnel(proxy, connector.clone()).await) } else { None };
        let session = session.through(&format!("https://{proxy}"), platform.client());
        Self { proxy, tunnel, bytes_left, session }
    }

    /// Whether it was acknowledged.
    async fn send(&self, instance: &Synthetic) -> bool {
        let Some(tunnel) = self.tunnel else { return self.stow(&instance.part10()).await };
        let instance = instance.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let proposal = Proposal::new(&instance.sop_class_uid, &instance.transfer_syntax_uid);
            let mut association =
                Association::request(tunnel, "MAXRAY", std::slice::from_ref(&proposal)).ok()?;
            let status = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set()).ok();
            // However that ends: the answer has been given.
            let _released = association.release();
            status
        });
        stored.await.expect("a sender does not panic") == Some(0)
    }

    async fn stow(&self, file: &[u8]) -> bool {
        let request = self
            .session
            .request(Method::POST, "/dicomweb/studies")
            .header("Content-Type", multipart::content_type("b"))
            .body(multipart::encode("b", &[file]));
        request.send().await.is_ok_and(|answer| answer.status().as_u16() == 200)
    }

    /// Each instance, and whether it was acknowledged.
    async fn run(&self, mut random: Random, transfers: u64) -> Vec<(Synthetic, bool)> {
        let mut sent = Vec::new();
        for transfer in 1..=transfers {
            let side = 8 << random.below(4);
            let instance = Synthetic::cr(&format!("LINE-{}-{transfer}", self.proxy.port()), side, side);
            let fails_at = random.below(instance.part10().len() + AROUND_BYTES);
            self.bytes_left.store(fails_at as u64, Ordering::SeqCst);
            let acknowledged = self.send(&instance).await;
            sent.push((instance, acknowledged));
        }
        self.bytes_left.store(u64::MAX, Ordering::SeqCst);
        sent
    }
}

/// Takes plain connections, and carries each over TLS.
async fn tunnel(to: SocketAddr, connector: TlsConnector) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect(to).await?;
                let mut encrypted = connector.connect(ServerName::from(to.ip()), server).await?;
                tokio::io::copy_bidirectional(&mut plain, &mut encrypted).await
            });
        }
    });
    address
}

fn connector(authority: &Authority) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("a certificate");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// What is visible is what was sent; gives how many are.
async fn check_visible(reader: &Session, sent: &BTreeMap<String, (Synthetic, bool)>) -> usize {
    let rows = qido::rows(reader, "/instances").await;
    let visible: BTreeMap<String, _> =
        rows.into_iter().map(|row| (qido::text(&row, qido::SOP_INSTANCE_UID), row)).collect();
    for (uid, row) in &visible {
        let (instance, _) = sent.get(uid).unwrap_or_else(|| panic!("{uid} was never sent"));
        let place = tests::ledger::Acknowledged {
            study_instance_uid: qido::text(row, qido::STUDY_INSTANCE_UID),
            series_instance_uid: qido::text(row, qido::SERIES_INSTANCE_UID),
            data_set_sha256: String::new(),
        };
        let file = retrieve(reader, &place, uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        assert!(part10::data_set(&file) == instance.data_set(), "{uid} is not what was sent");
    }
    for (uid, (_, acknowledged)) in sent {
        assert!(visible.contains_key(uid) || !acknowledged, "{uid} was acknowledged and is not there");
    }
    visible.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_fail_anywhere_leave_nothing_half() {
    let mut random = Random::from_environment("lines");
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "site");
    let ours = authority.issue("127.0.0.1", |_| {});
    let mut options = Options::default().with_tls(&authority, &ours).with("MAXRAY_WORKER__PREVIEWS", "false");
    // A bit of a length may have been turned: what was announced then never comes.
    for name in ["PACS__ARTIM", "PACS__ASSOCIATION_IDLE", "HTTP__HEADER", "DICOMWEB__STORE_IDLE"] {
        options = options.with(&format!("MAXRAY_{name}_TIMEOUT_MS"), "2000");
    }
    let options = options
        .with("MAXRAY_PACS__RATE_WINDOW_MS", "2000")
        .with("MAXRAY_IDENTITY__ACCESS_TOKEN_LIFETIME_SECONDS", TOKEN_LIFETIME_SECONDS);
    let platform = Platform::start(options).await;
    let session = platform.user("sender", "service").await;
    let connector = connector(&authority);
    let transfers = env::number(env::FAULTY_TRANSFERS, TRANSFERS).div_ceil(SENDERS);
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(Sender::new(&platform, &session, number, &connector).await);
    }
    let runs = senders.iter().map(|sender| sender.run(Random::new(random.next_u64()), transfers));
    let runs: Vec<Vec<(Synthetic, bool)>> = join_all(runs).await;
    let sent: BTreeMap<String, (Synthetic, bool)> = runs
        .iter()
        .flatten()
        .map(|(instance, acknowledged)| {
            (instance.sop_instance_uid.clone(), (instance.clone(), *acknowledged))
        })
        .collect();
    let acknowledged = sent.values().filter(|(_, acknowledged)| *acknowledged).count();
    let visible = check_visible(&session, &sent).await;
    eprintln!("{} transfers, {acknowledged} acknowledged, {visible} visible", sent.len());
    assert!(acknowledged > 0 && acknowledged < sent.len(), "{acknowledged} of {} acknowledged", sent.len());
    super::kill_points::assert_spool_is_empty(&platform);

    let again = senders.iter().zip(&runs).map(async |(sender, run)| {
        for (instance, _) in run {
            assert!(sender.send(instance).await, "{} sent again", instance.sop_instance_uid);
        }
    });
    join_all(again).await;
    assert_eq!(check_visible(&session, &sent).await, sent.len());
    platform.assert_verified(None, "after lines that failed");
}
