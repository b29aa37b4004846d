//! Brokers that are away, die, block or say nothing, and nodes that die: nothing is lost, and nothing is left behind.

use std::{collections::BTreeSet, time::Duration};

use reqwest::StatusCode;
use sqlx::Connection as _;
use sqlx_postgres::PgConnection;
use tests::{
    nodes::Nodes,
    platform::{Engine, Options, Platform},
    rabbitmq::RabbitMq,
    scu,
    synthetic::Synthetic,
    wait,
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use super::{
    metric_is, options,
    received::{assert_order, drain, outbox},
    store,
};

#[tokio::test]
async fn nothing_is_lost_when_broker_and_server_die_on_sqlite() {
    nothing_is_lost_when_broker_and_server_die(Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_is_lost_when_broker_and_server_die_on_postgres() {
    nothing_is_lost_when_broker_and_server_die(Engine::Postgres).await;
}

async fn nothing_is_lost_when_broker_and_server_die(engine: Engine) {
    let mut rabbit = RabbitMq::prepare(None);
    let mut platform = Platform::start(options(engine, &rabbit.url(), r##"{all=["#"]}"##)).await;
    // There is no broker yet: what happens waits, and who stores does not.
    metric_is(&platform, "maxray_broker_failures_total", |failures| failures >= 1.0).await;
    store(&platform, &Synthetic::cr("PAT-1", 64, 64));
    rabbit.start_again().await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    for round in 0..3 {
        send_many(&platform).await;
        if round == 1 {
            rabbit.kill();
            store(&platform, &Synthetic::cr("PAT-1", 64, 64));
            metric_is(&platform, "maxray_broker_behind_events", |behind| behind >= 1.0).await;
        }
        platform.kill();
        platform.restart().await;
        if round == 1 {
            rabbit.start_again().await;
        }
    }
    let ready = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::OK);
    let received = drain(&platform, &rabbit.queues().await, 302).await;
    assert_order(&received, &outbox(&platform).await);
}

/// Several senders at once, so that the relay is always in the middle of something.
async fn send_many(platform: &Platform) {
    let address = platform.dicom();
    let sending = (0..4).map(|sender| {
        tokio::task::spawn_blocking(move || {
            let series = Synthetic::cr(&format!("PAT-{sender}"), 16, 16).series(25);
            let files: Vec<Vec<u8>> = series.iter().map(Synthetic::part10).collect();
            assert_eq!(scu::send_files(address, &files).expect("an association"), [0; 25]);
        })
    });
    for sender in sending.collect::<Vec<_>>() {
        sender.await.expect("sent");
    }
}

/// A second node sends when the first is gone, from where the first was.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn another_node_takes_over() {
    let rabbit = RabbitMq::start(None).await;
    let settings = options(Engine::Postgres, &rabbit.url(), r##"{all=["#"]}"##).environment;
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut nodes = Nodes::start(2, &settings).await;
    let sender = wait::until("a node that sends", async || sender(&nodes).await).await;
    for node in nodes.all() {
        store(node, &Synthetic::cr("PAT-1", 64, 64));
    }
    nodes.node_mut(sender).kill();
    let other = 1 - sender;
    store(nodes.node(other), &Synthetic::cr("PAT-2", 64, 64));
    metric_is(nodes.node(other), "maxray_broker_connected", |connected| connected > 0.0).await;
    nodes.node_mut(sender).restart().await;
    store(nodes.node(sender), &Synthetic::cr("PAT-3", 64, 64));
    let received = drain(nodes.node(other), &rabbit.queues().await, 4).await;
    assert_order(&received, &outbox(nodes.node(other)).await);
}

async fn sender(nodes: &Nodes) -> Option<usize> {
    for (number, node) in nodes.all().iter().enumerate() {
        if node.metric("maxray_broker_connected").await > 0.0 {
            return Some(number);
        }
    }
    None
}

/// RabbitMQ that is short of memory takes nothing more and says so: what waits is sent once, over the connection that is there.
#[tokio::test]
async fn a_broker_that_blocks_its_publishers_is_waited_for() {
    let rabbit = RabbitMq::start(None).await;
    let options = options(Engine::of_home(), &rabbit.url(), r#"{ris=["instance.stored"]}"#)
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_BROKER__REQUEST_TIMEOUT_MS", "1000");
    let platform = Platform::start(options).await;
    metric_is(&platform, "maxray_broker_connected", |connected| connected > 0.0).await;
    rabbit.block(true);
    for _ in 0..3 {
        store(&platform, &Synthetic::cr("PAT-1", 64, 64));
    }
    metric_is(&platform, "maxray_broker_blocked", |blocked| blocked > 0.0).await;
    // Counted while nothing comes back from the broker, which is longer than several attempts would take.
    metric_is(&platform, "maxray_broker_behind_events", |behind| behind >= 3.0).await;
    assert!(platform.metric("maxray_broker_failures_total").await < 1.0, "{}", platform.log());
    rabbit.block(false);
    let queues = rabbit.queues().await;
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let message = wait::until("an event", async || queues.take("ris").await).await;
        ids.insert(message.json()["event_id"].to_string());
    }
    assert_eq!(ids.len(), 3);
    metric_is(&platform, "maxray_broker_blocked", |blocked| blocked < 1.0).await;
    assert!(queues.take("ris").await.is_none(), "something was sent twice");
    metric_is(&platform, "maxray_broker_behind_events", |behind| behind < 1.0).await;
}

/// Nobody reads events while an older transaction is open, and be it one of another database of the server.
#[tokio::test]
async fn a_transaction_that_holds_up_all_events_is_seen() {
    const OLDEST: &str = "maxray_outbox_oldest_seconds";
    let mut platform = Platform::start(Options::on(Engine::Postgres)).await;
    let elsewhere = platform.cluster().expect("a cluster").create_database("elsewhere");
    let mut somebody = PgConnection::connect(&elsewhere).await.expect("a connection");
    let begin = "BEGIN; SELECT pg_current_xact_id()";
    sqlx::raw_sql(begin).execute(&mut somebody).await.expect("a transaction");
    store(&platform, &Synthetic::cr("PAT-1", 64, 64));
    metric_is(&platform, OLDEST, |seconds| seconds >= 1.0).await;
    drop(somebody);
    metric_is(&platform, OLDEST, |seconds| seconds < 1.0).await;
}

/// Each attempt at a broker that takes connections and says nothing ends its connection.
#[tokio::test]
async fn a_broker_that_says_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("amqp://127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let options = options(Engine::of_home(), &url, "{}").with("MAXRAY_BROKER__REQUEST_TIMEOUT_MS", "300");
    let platform = Platform::start(options).await;
    for _ in 0..3 {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let said = tokio::time::timeout(Duration::from_mins(1), async {
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.expect("it ends");
            said
        });
        assert!(said.await.expect("the connection is given up").starts_with(b"AMQP"));
    }
    metric_is(&platform, "maxray_broker_failures_total", |failures| failures >= 2.0).await;
}
