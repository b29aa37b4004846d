//! Three nodes, each in a network of its own, over PostgreSQL, RabbitMQ, Redis and an object store that others wrote: the RADOS gateway
//! of Ceph.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tests::{
    env,
    ledger::Ledger,
    load::{Load, Shape},
    network,
    nodes::{Nodes, Store},
    platform::{Engine, Platform},
    rabbitmq::RabbitMq,
    redis::RedisServer,
    scu,
    synthetic::Synthetic,
};

use crate::broker::{self, received::everything_is_told};

/// What is sent, each series shared out among the nodes, unless `MAXRAY_TEST_CEPH_INSTANCES` says otherwise.
const INSTANCES: u64 = 120;

/// The gateway is killed after a third of them, or after so many: nobody waits for ever.
const KILLED_AFTER_MAX: usize = 500;
/// The gateway is away for so long, and as long as it takes to start: some are refused, and some senders wait.
const AWAY: Duration = Duration::from_secs(2);

/// Whatever was acknowledged is there through every node, has its previews and is told of once, also when the gateway is killed on
/// the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn three_nodes_keep_what_they_acknowledge_in_ceph() {
    if !network::is_inside("ceph::three_nodes_keep_what_they_acknowledge_in_ceph") {
        return;
    }
    let began = Instant::now();
    let told = |what: &str| eprintln!("{what}: {} s", began.elapsed().as_secs());
    let (rabbit, redis) = (RabbitMq::start(None).await, RedisServer::start(None));
    // A gateway that is gone is given up soon.
    let settings = broker::options(Engine::Sqlite, &rabbit.url(), r##"{all=["#"]}"##)
        .with("MAXRAY_OBJECT_STORAGE__S3__REQUEST_TIMEOUT_MS", "4000")
        .with("MAXRAY_OBJECT_STORAGE__S3__OPERATION_TIMEOUT_MS", "8000");
    let settings: Vec<(&str, &str)> = settings.settings().collect();
    let mut nodes = Nodes::start_apart(3, Store::ceph().await, (rabbit.port(), &redis), &settings).await;
    told("three nodes over a Ceph");
    let peers: Vec<_> = nodes.all().iter().map(Platform::dicom).collect();
    let reader = nodes.node(0).user("reader", "viewer").await;
    // One that goes in parts, while it still arrives.
    let large = Synthetic::cr("LARGE", 2300, 2300);
    assert_eq!(scu::send_files(peers[0], &[large.part10()]).expect("an association"), [0]);
    let ledger = Ledger::default();
    ledger.acknowledge_synthetic(&large, &large.data_set());

    let count = usize::try_from(env::number(env::CEPH_INSTANCES, INSTANCES)).expect("a number of instances");
    let mut load = Load::start_at(&peers, "CEPH", &Shape::mixed(4, count / 4));
    load.until_acknowledged((count / 3).min(KILLED_AFTER_MAX)).await;
    assert!(load.is_running(), "killed too late");
    nodes.ceph_mut().kill_gateway();
    tokio::time::sleep(AWAY).await;
    nodes.ceph_mut().start_gateway();
    tokio::task::block_in_place(|| load.wait());
    // A node that found it away asks it nothing for some seconds.
    nodes.wait_until_ready().await;

    told("everything sent");
    for (number, reader) in nodes.everywhere(&reader).iter().enumerate() {
        ledger.check(reader, &format!("the large one through node {number}")).await;
        load.check(reader, &format!("through node {number}, after the gateway was killed")).await;
    }
    load.check_and_send_again(&reader, peers[1], "what was refused meanwhile").await;
    told("everything there, and sent again");
    let acknowledged: BTreeSet<String> =
        ledger.entries().into_keys().chain(load.ledger.entries().into_keys()).collect();
    everything_is_told(nodes.node(1), &rabbit, &acknowledged).await;
    told("previews and events of all");
    let path = nodes.node(0).scratch().join("acknowledged.jsonl");
    load.ledger.append_to(&path);
    ledger.append_to(&path);
    nodes.node(2).assert_verified(Some(&path), "three nodes over Ceph");
    told("verified");
}
