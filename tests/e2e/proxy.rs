//! HAProxy with the configuration of `deploy/` in front of three nodes, and whom a node believes about addresses.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    ledger::Ledger,
    listener::Listener,
    nodes::Nodes,
    operator::free_port,
    platform::{Options, Platform},
    qido,
    s3::Fault,
    scu::{self, Association, AssociationError, Dialogue, Proposal, identifier},
    session::{self, PASSWORD, Session},
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
    wait,
};

const PROXIES: [(&str, &str); 2] =
    [("MAXRAY_HTTP__PROXIES", "[\"127.0.0.1\"]"), ("MAXRAY_PACS__PROXIES", "[\"127.0.0.1\"]")];
/// A store that says nothing is given up in less than the time that HAProxy has for a check of it.
const QUICK_STORE: [(&str, &str); 2] = [
    ("MAXRAY_OBJECT_STORAGE__S3__REQUEST_TIMEOUT_MS", "2000"),
    ("MAXRAY_OBJECT_STORAGE__S3__OPERATION_TIMEOUT_MS", "4000"),
];
/// Modality Worklist Information Model - FIND, and the command.
const WORKLIST: &str = "1.2.840.10008.5.1.4.31";
const C_FIND: u16 = 0x0020;
/// How long a node that died may still be asked: three checks, two seconds apart, with room for a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);
/// One success may be luck: the proxy has several nodes to choose from.
const SENT_IN_A_ROW: usize = 6;

/// The proxy of `docker-compose.yml`, with these nodes in the place of the names that Docker would resolve.
struct Proxy {
    child: Child,
    folder: tempfile::TempDir,
    web: u16,
    dicom: u16,
}

impl Proxy {
    fn start(nodes: &Nodes) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
        let made =
            Command::new(root.join("deploy/secrets.sh")).arg(folder.path()).stdout(Stdio::null()).status();
        assert!(made.expect("sh runs").success());
        let text = fs::read_to_string(root.join("deploy/haproxy/haproxy.cfg")).expect("haproxy.cfg");
        let (web, dicom) = (free_port(), free_port());
        let mut text = text.replace("/run/secrets", &folder.path().display().to_string());
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "deploy/haproxy/haproxy.cfg has no {from}");
            text = text.replace(from, to);
        };
        replace("bind :8443", &format!("bind 127.0.0.1:{web}"));
        replace("bind :11112", &format!("bind 127.0.0.1:{dicom}"));
        for other in ["bind :8080", "bind :2762", "bind 127.0.0.1:8404"] {
            replace(other, &format!("bind 127.0.0.1:{}", free_port()));
        }
        replace(" init-addr none resolvers docker resolve-prefer ipv4", "");
        let (mut http, mut dimse) = (String::new(), String::new());
        for (number, node) in nodes.all().iter().enumerate() {
            let _ = write!(http, "server node{number} {}\n    ", node.http());
            let _ = write!(dimse, "server node{number} {} port {}\n    ", node.dicom(), node.http().port());
        }
        replace("server-template node 16 maxray:8080", &http);
        replace("server-template node 16 maxray:11112 port 8080", &dimse);
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("a second handle");
        let child = Command::new("haproxy").arg("-f").arg(&file).stdout(log).stderr(errors).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("haproxy: {error}: run ./test, or: apt-get install haproxy"));
        Self { child, folder, web, dicom }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.web)
    }

    fn dicom(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.dicom))
    }

    /// A line for each request and each connection that has ended, with the backend that served it.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Does again and again what needs no object, until these backends have served it, and nothing of it may fail.
    async fn goes_on_by(&self, browser: &Client, backends: [&str; 2]) {
        let since = self.log().len();
        wait::until(&format!("HAProxy to send to {backends:?}"), async || {
            needs_no_object(self, browser).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let log = self.log();
            let now = log.get(since..).unwrap_or_default();
            backends.iter().all(|backend| now.contains(backend)).then_some(())
        })
        .await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("haproxy: {}", self.log());
        }
    }
}

/// Its certificate is one for trying. `from` is an address of this machine that requests come from.
fn client(from: Ipv4Addr) -> Client {
    let builder =
        Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).pool_max_idle_per_host(0);
    let builder = builder.local_address(std::net::IpAddr::from(from)).timeout(Duration::from_mins(1));
    builder.build().expect("an HTTP client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn haproxy_stands_in_front_of_three_nodes() {
    let mut nodes = Nodes::start(3, &PROXIES).await;
    let proxy = Proxy::start(&nodes);
    let browser = client(Ipv4Addr::LOCALHOST);
    wait::until("HAProxy finds a node", async || {
        let answer = browser.get(proxy.url("/readyz")).send().await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    let hidden = browser.get(proxy.url("/metrics")).send().await.expect("an answer");
    assert_eq!(hidden.status(), StatusCode::NOT_FOUND, "metrics are not for everybody");
    let viewer = nodes.node(0).user("viewer", "viewer").await.through(&proxy.url(""), &browser);
    let admin = nodes.node(0).user("administrator", "admin").await.through(&proxy.url(""), &browser);
    let mut heard = Listener::open(&viewer, None).await;

    let first = Synthetic::cr("PAT-1", 64, 64);
    let ledger = Ledger::default();
    for instance in first.series(6) {
        assert_eq!(scu::send_files(proxy.dicom(), &[instance.part10()]).expect("an association"), [0]);
        ledger.acknowledge_synthetic(&instance, &instance.data_set());
    }
    assert_eq!(
        heard.wait_for("instance.stored").await["study_instance_uid"],
        json!(first.study_instance_uid)
    );
    ledger.check(&viewer, "through the proxy").await;
    // Retrieve URL leads to the proxy, which took TLS off, whatever a client says of another one.
    let asking = viewer.request(Method::GET, "/dicomweb/studies");
    let asking = asking.header("X-Forwarded-Port", "1").header("X-Forwarded-Prefix", "/elsewhere");
    let studies = session::json(asking.send().await.expect("an answer")).await;
    let place = proxy.url(&format!("/dicomweb/studies/{}", first.study_instance_uid));
    assert_eq!(qido::text(&studies[0], "00081190"), place);
    let mut stored = 0;
    for node in nodes.all() {
        let answer = node.client().get(node.url("/metrics")).send().await.expect("an answer");
        stored += usize::from(answer.text().await.expect("metrics").contains("maxray_dimse_c_store_total"));
    }
    assert!(stored > 1, "all went to one node");

    // The trail names who asked, not the proxy.
    let guess = json!({ "username": "nobody", "password": "not the password" });
    let guessing = client(Ipv4Addr::new(127, 0, 0, 5)).post(proxy.url("/sessions")).json(&guess);
    assert_eq!(guessing.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    let trail = admin.get_json("/audit?source_address=127.0.0.5").await;
    assert!(trail.to_string().contains("127.0.0.5"), "{trail}");

    nodes.node_mut(0).kill();
    let killed = Instant::now();
    let instance = Synthetic::cr("PAT-2", 64, 64);
    let mut in_a_row = 0;
    while in_a_row < SENT_IN_A_ROW {
        let sent = scu::send_files(proxy.dicom(), &[instance.part10()]);
        in_a_row = if sent.is_ok_and(|statuses| statuses == [0]) { in_a_row + 1 } else { 0 };
        assert!(killed.elapsed() < NOTICED_WITHIN, "senders still come to the node that died");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ledger.acknowledge_synthetic(&instance, &instance.data_set());
    ledger.check(&viewer, "after a node died").await;
}

fn order(patient_id: &str, step_id: &str) -> Value {
    let step = json!({
        "scheduled_procedure_step_id": step_id, "scheduled_station_ae_title": "CR1", "modality": "DX",
        "scheduled_procedure_step_start_date": "20260131", "scheduled_procedure_step_start_time": "0930"
    });
    json!({ "patient_id": patient_id, "patient_name": "Doe^Jane", "scheduled_procedure_step_sequence": [step] })
}

/// A sign-in, a list over REST, C-ECHO and the worklist: what comes of the last.
async fn needs_no_object(proxy: &Proxy, browser: &Client) -> usize {
    let his = Session::open(&proxy.url(""), browser, "his", PASSWORD).await;
    his.get_json("/worklist").await;
    let echo = Association::request(proxy.dicom(), "MAXRAY", &[Association::verification()]);
    let mut echo = echo.expect("an association");
    assert_eq!(echo.echo().expect("an answer"), 0);
    echo.release().expect("released");
    let mut asking = Dialogue::open(proxy.dicom(), "CR1", &[(WORKLIST, IMPLICIT_VR_LITTLE_ENDIAN)], &[]);
    asking.write(&Dialogue::request(C_FIND, WORKLIST, None, &identifier(&[(0x0010_0010, b"")])));
    let (found, last) = asking.responses();
    asking.release();
    assert_eq!(last.status(), 0);
    found.len()
}

fn store_through(proxy: &Proxy, instance: &Synthetic) -> u16 {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &instance.transfer_syntax_uid);
    let association = Association::request(proxy.dicom(), "MAXRAY", std::slice::from_ref(&proposal));
    let mut association = association.expect("an association, whatever the bucket does");
    let status = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set());
    let status = status.expect("a status, and no closed connection");
    association.release().expect("released");
    status
}

/// threats.md row "S3 down": whoever needs no object is served, and a modality is refused in DICOM's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn while_the_bucket_is_away_all_goes_on_that_needs_no_object() {
    let nodes = Nodes::start(3, &[PROXIES, QUICK_STORE].concat()).await;
    nodes.node(0).register_ae("CR1", &["--operation", "worklist"]);
    let proxy = Proxy::start(&nodes);
    let browser = client(Ipv4Addr::LOCALHOST);
    wait::until("HAProxy finds a node", async || {
        let answer = browser.get(proxy.url("/readyz")).send().await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    let his = nodes.node(0).user("his", "service").await.through(&proxy.url(""), &browser);
    his.post_json("/worklist", &order("P1", "S1")).await;
    proxy.goes_on_by(&browser, ["web~ nodes/node", "dicom_plain dicom/node"]).await;

    // It takes connections and says nothing: the check that waits for it must hold up nobody.
    nodes.bucket().fail(Fault::Silent);
    let without = ["web~ nodes_without_storage/node", "dicom_plain dicom_without_storage/node"];
    proxy.goes_on_by(&browser, without).await;
    his.post_json("/worklist", &order("P2", "S2")).await;
    assert_eq!(needs_no_object(&proxy, &browser).await, 2);
    let instance = Synthetic::cr("P1", 64, 64);
    assert_eq!(store_through(&proxy, &instance), 0xA700);
    let node = nodes.node(0);
    let whole = node.client().get(node.url("/readyz")).send().await.expect("an answer");
    assert_eq!(whole.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(whole.text().await.expect("a reason").contains("object store"));
    assert!(!node.operate(&["health", "--timeout-ms", "20000"]).0);
    assert!(node.operate(&["health", "--without-storage"]).0, "nobody starts it anew for that");

    nodes.bucket().heal();
    proxy.goes_on_by(&browser, ["web~ nodes/node", "dicom_plain dicom/node"]).await;
    assert_eq!(store_through(&proxy, &instance), 0);
}

/// What a proxy says first when it speaks for an address (PROXY protocol, version 2, over IPv4).
pub(crate) fn speaking_for(address: [u8; 4]) -> Vec<u8> {
    let ends = [&address[..], &[127, 0, 0, 1], &[0xc0, 0, 0x2b, 0x68]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x21, 0x11, 0, 12], &ends].concat()
}

#[tokio::test]
async fn a_proxy_is_believed_and_nobody_else() {
    const OURS: [u8; 4] = [192, 0, 2, 17];
    let proposals = [Proposal::new(CR_IMAGE_STORAGE, "1.2.840.10008.1.2.1")];
    let options = PROXIES.iter().fold(Options::default(), |options, (name, value)| options.with(name, value));
    let platform = Platform::start(options).await;
    let ask = |platform: &Platform, address: [u8; 4]| {
        Association::request_behind(&speaking_for(address), platform.dicom(), "MAXRAY", &proposals)
    };
    platform.ae(&["add", "MAXRAY_TEST", "192.0.2.17"]);
    ask(&platform, OURS).expect("an AE at its address").release().expect("released");
    // Calling AE title not recognized: it is one of this machine's no more.
    let elsewhere = ask(&platform, [192, 0, 2, 18]);
    assert!(matches!(elsewhere, Err(AssociationError::Rejected(1, 1, 3))), "{elsewhere:?}");
    // The proxy itself, in DICOM as in HTTP.
    Association::request(platform.dicom(), "MAXRAY", &proposals)
        .expect("no header")
        .release()
        .expect("released");

    // To others such bytes are what they are in DICOM: a PDU of no known type.
    let platform = Platform::start(Options::default()).await;
    platform.ae(&["add", "MAXRAY_TEST", "192.0.2.17"]);
    let claimed = ask(&platform, OURS);
    assert!(matches!(claimed, Err(AssociationError::Aborted(..) | AssociationError::Io(_))), "{claimed:?}");
}
