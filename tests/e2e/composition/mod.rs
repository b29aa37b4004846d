//! The platform of `docker-compose.yml` without an engine: three nodes in containers as the composition describes them, HAProxy and
//! Prometheus with their configurations as they are, the names and addresses that Docker would give, and an X-ray machine and people
//! who reach the proxy alone.

mod bucket;
mod container;
mod house;
mod watch;

use std::{
    fs,
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use tests::{
    fixtures,
    ledger::Ledger,
    listener::Listener,
    network::{self, Network},
    qido,
    session::{self, PASSWORD, Session},
    synthetic::Synthetic,
    wait,
};

use self::{house::House, watch::Watch};

/// Three checks, two seconds apart, and a time for each, on a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(40);

// Bucket, names and lines are served by this process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_docker_compose_starts_takes_xrays_and_shows_them() {
    if !network::is_possible() {
        // `./test` has said so: there is no such test without networks.
        return;
    }
    if !network::is_inside("composition::what_docker_compose_starts_takes_xrays_and_shows_them") {
        return;
    }
    let mut house = House::start().await;
    let client = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).pool_max_idle_per_host(0);
    let client = client.timeout(Duration::from_mins(1)).build().expect("an HTTP client");
    house.wait_until_ready(&client).await;
    let watch = Watch::start(&house).await;
    nodes_have_no_rights(&house);
    doors_are_what_they_should_be(&house, &client).await;

    // As the first lines of docker-compose.yml say.
    let told: Vec<String> = house.nodes.iter().filter_map(|node| password_in(&node.log())).collect();
    assert_eq!(told.len(), 1, "nodes that told the administrator's password");
    let admin = Session::open(&house.url(""), &client, "admin", &told[0]).await;
    let machine = Network::make();
    let place = format!("{}/32", machine.far());
    house.nodes[1].exec(&["ae", "add", "CR1", &place]);
    session::add_user_by("reader", "viewer", |arguments| house.nodes[2].command(arguments));
    let reader = Session::open(&house.url(""), &client, "reader", PASSWORD).await;
    let mut heard = Listener::open(&reader, None).await;

    wait::until("HAProxy finds a node for DICOM", async || {
        house.send(&machine, ("echoscu", &[]), 11112, &[]).0.then_some(())
    })
    .await;
    // Through TLS, and in the clear with pixels that the decoder process has to take apart.
    let (ledger, instance) = (Ledger::default(), Synthetic::cr("PAT-1", 1500, 1500));
    let file = house.folder.path().join("one.dcm");
    fs::write(&file, instance.part10()).expect("a file");
    let certificate = house.folder.path().join("made/proxy_pem").display().to_string();
    let (sent, said) = house.send(&machine, ("storescu", &["+tla", "+cf", &certificate]), 2762, &[&file]);
    assert!(sent, "over TLS: {said}");
    ledger.acknowledge_synthetic(&instance, &instance.data_set());
    ledger.check(&reader, "through the proxy").await;
    assert_eq!(heard.wait_for("instance.stored").await["study_instance_uid"], instance.study_instance_uid);
    let compressed = fixtures::file("pydicom/JPEG2000.dcm").path;
    let (sent, said) = house.send(&machine, ("dcmsend", &[]), 11112, &[&compressed]);
    assert!(sent && said.contains("Received C-STORE Response (Success)"), "{said}");
    previews_come(&reader, 2).await;
    assert!(house.bucket.names().len() >= 6, "objects and previews are in the bucket");
    trail_names(&admin, &machine.far().to_string()).await;
    watch.sees_every_node(&house).await;
    watch.sees_connections(house.addresses.len()).await;
    watch.takes_the_dashboard().await;
    bucket::goes_away_and_comes_back(&house, &machine, &client).await;
    a_node_dies_and_nobody_notices(&mut house, &machine, &client).await;
    ledger.check(&reader, "after a node died").await;
}

/// What the program of the containers may: nothing (proc(5), `status`).
fn nodes_have_no_rights(house: &House) {
    for node in &house.nodes {
        let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("it runs");
        let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("a line").trim();
        assert_eq!(of("NoNewPrivs:"), "1");
        if rustix::process::geteuid().is_root() {
            assert_eq!(of("CapEff:"), "0000000000000000");
            assert!(of("Uid:").starts_with("65532"), "{status}");
        }
    }
}

async fn doors_are_what_they_should_be(house: &House, client: &Client) {
    let metrics = client.get(house.url("/metrics")).send().await.expect("an answer");
    assert_eq!(metrics.status(), StatusCode::NOT_FOUND, "metrics are not for everybody");
    let follow_nobody = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let plain =
        follow_nobody.build().expect("an HTTP client").get(format!("http://{}:8080/docs", house.proxy));
    let plain = plain.send().await.expect("an answer");
    assert_eq!(plain.status(), StatusCode::PERMANENT_REDIRECT);
    // The health check of the proxy's container.
    let alive = client.get("http://127.0.0.1:8404/alive").send().await.expect("an answer");
    assert_eq!(alive.status(), StatusCode::OK);
}

fn password_in(log: &str) -> Option<String> {
    let line = log.lines().find_map(|line| line.split_once("user admin, password "))?.1;
    line.split_whitespace().next().map(str::to_owned)
}

async fn previews_come(reader: &Session, count: usize) {
    wait::until("previews", async || {
        let mut shown = 0;
        for study in qido::rows(reader, "/studies").await {
            let uid = qido::text(&study, qido::STUDY_INSTANCE_UID);
            let xrays = reader.get_json(&format!("/xrays?study_instance_uid={uid}")).await;
            for xray in xrays["items"].as_array().expect("a list") {
                let path = format!("/xrays/{}/preview", xray["id"].as_str().expect("an id"));
                shown += usize::from(reader.get(&path).await.status() == StatusCode::OK);
            }
        }
        (shown == count).then_some(())
    })
    .await;
}

/// The machine's own address, and not the proxy's, for both of what it sent.
async fn trail_names(admin: &Session, address: &str) {
    let trail = admin.get_json(&format!("/audit?action=store_instance&source_address={address}")).await;
    let records = trail["items"].as_array().expect("a list");
    assert_eq!(records.len(), 2, "{trail}");
    assert!(records.iter().all(|record| record["calling_ae"] == "CR1"), "{trail}");
}

async fn a_node_dies_and_nobody_notices(house: &mut House, machine: &Network, client: &Client) {
    house.nodes[0].kill();
    let (killed, mut in_a_row) = (Instant::now(), 0);
    let file = house.folder.path().join("next.dcm");
    while in_a_row < 6 {
        assert!(killed.elapsed() < NOTICED_WITHIN, "senders still come to the node that died");
        let instance = Synthetic::cr("PAT-2", 64, 64);
        fs::write(&file, instance.part10()).expect("a file");
        let (sent, _) = house.send(machine, ("storescu", &[]), 11112, &[&file]);
        let reader = client.get(house.url("/readyz")).send().await;
        let shown = reader.is_ok_and(|answer| answer.status() == StatusCode::OK);
        in_a_row = if sent && shown { in_a_row + 1 } else { 0 };
    }
    let reader = Session::open(&house.url(""), client, "reader", PASSWORD).await;
    assert!(qido::rows(&reader, "/studies?PatientID=PAT-2").await.len() >= 6);
}
