//! Three nodes, each in a network of its own, over one PostgreSQL, one bucket, one RabbitMQ and one Redis, under load, while one thing after the other dies, stands
//! still, is cut off or has another time: what was acknowledged is there and whole, every event arrives, every preview is
//! made. (threats.md, fault menu; rows 60, 61 and 67)
//!
//! Once each by default; `MAXRAY_TEST_FAULT_ROUNDS=20 MAXRAY_TEST_FAULT_SECONDS=60` is the whole menu, and
//! `MAXRAY_TEST_FAULTS=BrokerKilled,NodePaused` serves these alone.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tests::{
    env,
    ledger::Ledger,
    load::{Load, Shape},
    network,
    nodes::{Nodes, Store},
    platform::{Engine, Platform},
    rabbitmq::RabbitMq,
    random::Random,
    redis::RedisServer,
    s3,
    session::PASSWORD,
};

use crate::broker::{self, received::everything_is_told};

const NODES: usize = 3;
/// Seconds that a fault lasts, unless `MAXRAY_TEST_FAULT_SECONDS` says otherwise: longer than a lease, which is two.
const SECONDS: u64 = 4;
/// Acknowledgements before a fault.
const BEFORE: usize = 15;
/// What a round sends, each series shared out among the nodes.
const SENDERS: usize = 2;
const INSTANCES: usize = 45;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NodeKilled,
    /// Longer than its leases: it goes on as one who does not know.
    NodePaused,
    /// It comes back and thinks that it is five minutes later than the others do, or earlier.
    NodeAhead,
    NodeBehind,
    /// Its lines to database, bucket, broker and Redis are dead, and nobody tells it.
    NodeCutOff,
    /// Its network is: nobody reaches it either, and what was on its way is lost.
    NodeUnplugged,
    DatabaseRestarted,
    DatabaseKilled,
    BucketFails,
    BucketSilent,
    BucketCutsReads,
    BrokerKilled,
    RedisEmptied,
    RedisKilled,
}

const MENU: [Fault; 14] = [
    Fault::NodeKilled,
    Fault::NodePaused,
    Fault::NodeAhead,
    Fault::NodeBehind,
    Fault::NodeCutOff,
    Fault::NodeUnplugged,
    Fault::DatabaseRestarted,
    Fault::DatabaseKilled,
    Fault::BucketFails,
    Fault::BucketSilent,
    Fault::BucketCutsReads,
    Fault::BrokerKilled,
    Fault::RedisEmptied,
    Fault::RedisKilled,
];

impl Fault {
    /// Whether one node is away, so that the others have to go on as if nothing were.
    fn takes_a_node_away(self) -> bool {
        matches!(self, Self::NodeKilled | Self::NodePaused | Self::NodeCutOff | Self::NodeUnplugged)
    }
}

/// The nodes and what is with them.
struct House {
    nodes: Nodes,
    rabbit: RabbitMq,
    redis: RedisServer,
    lasts: Duration,
    /// What was answered with success, also as the file for `maxray verify`.
    acknowledged: BTreeSet<String>,
    ledger: PathBuf,
}

// Bucket and lines are served by this process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_fails_nothing_is_lost() {
    if !network::is_inside("fault_menu::whatever_fails_nothing_is_lost") {
        return;
    }
    let mut random = Random::from_environment("fault menu");
    let mut house = House::open().await;
    let menu = served();
    for round in 1..=env::number(env::FAULT_ROUNDS, 1) {
        for &fault in &menu {
            house.serve(fault, round, random.below(NODES)).await;
        }
    }
    everything_is_told(house.nodes.node(0), &house.rabbit, &house.acknowledged).await;
    assert_eq!(Ledger::count_in(&house.ledger), house.acknowledged.len());
    // Every byte, as any node sees it; and each node's own trail.
    house.nodes.node(0).assert_verified(Some(&house.ledger), "after the whole menu");
    for node in house.nodes.all() {
        let (done, text) = node.operate(&["audit", "verify"]);
        assert!(done, "audit verify: {text}");
    }
}

/// The faults of the menu that were asked for, or all.
fn served() -> Vec<Fault> {
    let Some(names) = env::text(env::FAULTS) else { return MENU.to_vec() };
    let named = |name: &str| MENU.into_iter().find(|fault| format!("{fault:?}") == name);
    names
        .split(',')
        .map(|name| named(name).unwrap_or_else(|| panic!("{name} is not one of {MENU:?}")))
        .collect()
}

impl House {
    async fn open() -> Self {
        let (rabbit, redis) = (RabbitMq::start(None).await, RedisServer::start(None));
        let settings = broker::options(Engine::Sqlite, &rabbit.url(), r##"{all=["#"]}"##)
            // Nodes whose clocks are five minutes off do not start otherwise.
            .with("MAXRAY_DATABASE__ALLOW_UNSAFE", "true")
            .with("MAXRAY_OBJECT_STORAGE__S3__REQUEST_TIMEOUT_MS", "2000")
            .with("MAXRAY_OBJECT_STORAGE__S3__OPERATION_TIMEOUT_MS", "6000");
        let settings: Vec<(&str, &str)> = settings.settings().collect();
        let bucket = Store::bucket().await;
        let nodes = Nodes::start_apart(NODES, bucket, (rabbit.port(), &redis), &settings).await;
        nodes.node(0).add_user("reader", "viewer");
        let lasts = Duration::from_secs(env::number(env::FAULT_SECONDS, SECONDS));
        let ledger = nodes.node(0).scratch().join("acknowledged.jsonl");
        Self { nodes, rabbit, redis, lasts, acknowledged: BTreeSet::new(), ledger }
    }

    /// One fault in the middle of a load, its end, and a look at everything that was sent.
    async fn serve(&mut self, fault: Fault, round: u64, victim: usize) {
        let when = format!("{fault:?}, node {victim}, round {round}");
        let peers: Vec<SocketAddr> = self.nodes.all().iter().map(Platform::dicom).collect();
        let began = Instant::now();
        let mut load = Load::start_at(&peers, &when, &Shape::mixed(SENDERS, INSTANCES));
        load.until_acknowledged(BEFORE).await;
        self.begin(fault, victim).await;
        if fault.takes_a_node_away() {
            self.others_go_on(victim, &load, &when).await;
        }
        tokio::time::sleep(self.lasts).await;
        self.end(fault, victim).await;
        self.nodes.wait_until_ready().await;
        tokio::task::block_in_place(|| load.wait());
        for (uid, status) in load.refused() {
            // PS3.4 B.2.3 and PS3.7 C.5: out of resources, or a processing failure. Both tell the sender to try again.
            assert!(status & 0xFF00 == 0xA700 || status == 0x0110, "{when}: {uid}: {status:04X}");
        }
        eprintln!(
            "{when}: {} acknowledged, {} refused, {} s",
            load.ledger.len(),
            load.refused().len(),
            began.elapsed().as_secs()
        );
        // Through another one than had the trouble.
        let other = self.nodes.node((victim + 1) % NODES);
        let reader = other.sign_in("reader", PASSWORD).await;
        load.check_and_send_again(&reader, other.dicom(), &when).await;
        self.keep(&load);
    }

    fn keep(&mut self, load: &Load) {
        load.ledger.append_to(&self.ledger);
        self.acknowledged.extend(load.ledger.entries().into_keys());
    }

    async fn begin(&mut self, fault: Fault, victim: usize) {
        match fault {
            Fault::NodeKilled => self.nodes.node_mut(victim).kill(),
            Fault::NodePaused => self.nodes.node(victim).pause(),
            Fault::NodeAhead => self.restart_at(victim, "+300s").await,
            Fault::NodeBehind => self.restart_at(victim, "-300s").await,
            Fault::NodeCutOff => self.nodes.cut_off(victim),
            Fault::NodeUnplugged => self.nodes.unplug(victim),
            Fault::DatabaseRestarted => self.nodes.cluster_mut().restart(),
            Fault::DatabaseKilled => self.nodes.cluster_mut().kill_all(),
            Fault::BucketFails => self.nodes.bucket().fail(s3::Fault::InternalError),
            Fault::BucketSilent => self.nodes.bucket().fail(s3::Fault::Silent),
            Fault::BucketCutsReads => self.nodes.bucket().fail(s3::Fault::CutsReads),
            Fault::BrokerKilled => self.rabbit.kill(),
            Fault::RedisEmptied => self.redis.flush(),
            Fault::RedisKilled => self.redis.kill(),
        }
    }

    async fn end(&mut self, fault: Fault, victim: usize) {
        match fault {
            Fault::NodeKilled => self.nodes.node_mut(victim).restart().await,
            Fault::NodeAhead | Fault::NodeBehind => {
                self.nodes.node_mut(victim).kill();
                self.nodes.node_mut(victim).restart().await;
            }
            Fault::NodePaused => self.nodes.node(victim).resume(),
            Fault::NodeCutOff => self.nodes.reconnect(victim),
            Fault::NodeUnplugged => self.nodes.plug_in(victim),
            Fault::DatabaseRestarted | Fault::RedisEmptied => {}
            Fault::DatabaseKilled => {
                let cluster = self.nodes.cluster_mut();
                cluster.wait_for_end();
                cluster.start_again();
            }
            Fault::BucketFails | Fault::BucketSilent | Fault::BucketCutsReads => self.nodes.bucket().heal(),
            Fault::BrokerKilled => self.rabbit.start_again().await,
            Fault::RedisKilled => self.redis.start_again(),
        }
    }

    /// Another time begins for a node, which takes instances by it.
    async fn restart_at(&mut self, victim: usize, offset: &str) {
        let node = self.nodes.node_mut(victim);
        node.kill();
        node.restart_at(offset).await;
        let load = Load::run(node.dicom(), &format!("AT {offset}"), &Shape::mixed(1, 5));
        assert_eq!((load.ledger.len(), load.refused().len()), (5, 0), "{}", node.log());
        self.keep(&load);
    }

    /// While one node is in trouble the others are ready and take what is sent to them.
    async fn others_go_on(&self, victim: usize, load: &Load, when: &str) {
        let there = load.ledger.len();
        load.until_acknowledged(there + BEFORE).await;
        for (number, node) in self.nodes.all().iter().enumerate().filter(|(number, _)| *number != victim) {
            let answer = node.client().get(node.url("/readyz")).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK, "{when}: node {number}");
        }
    }
}
