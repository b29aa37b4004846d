//! Doctor and patient at different nodes that share a Redis, and what happens to both when Redis or a node goes.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{nodes::Nodes, redis::RedisServer, session::Session};

use super::browser::Browser;
use crate::nodes::booked;

/// Longer than it takes to believe that a seat is empty: two looks, four seconds apart.
const TWO_LOOKS: Duration = Duration::from_secs(11);
/// Nobody finds out so soon by looking.
const LESS_THAN_TWO_LOOKS: Duration = Duration::from_secs(3);

struct Meeting {
    redis: RedisServer,
    nodes: Nodes,
    doctor: Session,
    consultation: String,
}

impl Meeting {
    async fn arrange() -> Self {
        let redis = RedisServer::start(None);
        let settings = [("MAXRAY_REDIS__URL", redis.url()), ("MAXRAY_WORKER__PREVIEWS", "false".to_owned())];
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let nodes = Nodes::start(2, &settings).await;
        nodes.hear_redis(true).await;
        let (doctor, consultation) = booked(nodes.node(0), "PAT-1").await;
        Self { redis, nodes, doctor, consultation }
    }

    /// Of the doctor, and of the visitor.
    async fn tickets(&self) -> [String; 2] {
        let path = format!("/consultations/{}/room", self.consultation);
        let ticket = async |side: &str| {
            let room = self.doctor.post_json(&path, &json!({ "side": side })).await;
            room["ticket"].as_str().expect("a ticket").to_owned()
        };
        [ticket("doctor").await, ticket("visitor").await]
    }

    /// The doctor at the first node and the visitor at the second, who know of each other, and the visitor's ticket.
    async fn of_two(&self) -> (Browser, Browser, String) {
        let [doctor, visitor] = self.tickets().await;
        let (mut ada, _) = self.join(0, &doctor).await;
        let (patient, _) = self.join(1, &visitor).await;
        is_told(&mut ada, "peer_joined").await;
        (ada, patient, visitor)
    }

    /// In the room of this node, and what is heard first.
    async fn join(&self, node: usize, ticket: &str) -> (Browser, bool) {
        let address = self.nodes.node(node).url(&format!("/rooms/{}", self.consultation));
        let mut browser = Browser::join(&address.replacen("http", "ws", 1), ticket).await;
        let joined = browser.hear().await.expect("in");
        assert_eq!(joined["type"], "joined");
        (browser, joined["peer"] == true)
    }
}

async fn is_heard(from: &mut Browser, by: &mut Browser, what: Value) {
    from.signal(&what).await;
    assert_eq!(by.hear().await, Ok(json!({ "type": "signal", "data": what })));
}

async fn is_told(browser: &mut Browser, what: &str) {
    assert_eq!(browser.hear().await, Ok(json!({ "type": what })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_at_different_nodes_hear_each_other() {
    let meeting = Meeting::arrange().await;
    let [doctor, visitor] = meeting.tickets().await;
    let (mut ada, peer) = meeting.join(0, &doctor).await;
    assert!(!peer);
    let (mut patient, peer) = meeting.join(1, &visitor).await;
    assert!(peer, "the doctor is there, at another node");
    assert_eq!(meeting.redis.ask(&["KEYS", "*:room:*"]).lines().count(), 2, "a key for each seat");
    is_told(&mut ada, "peer_joined").await;
    for number in 0..50 {
        ada.signal(&json!({ "candidate": number })).await;
    }
    for number in 0..50 {
        let heard = json!({ "type": "signal", "data": { "candidate": number } });
        assert_eq!(patient.hear().await, Ok(heard), "in their order");
    }
    is_heard(&mut patient, &mut ada, json!({ "sdp": "v=0\r\n".repeat(5_000) })).await;

    // The network was gone, and the proxy chose the doctor's node this time; then the other one again.
    let (mut here, peer) = meeting.join(0, &visitor).await;
    assert!(peer);
    assert_eq!(patient.hear().await, Err(4001));
    is_told(&mut ada, "peer_joined").await;
    is_heard(&mut ada, &mut here, json!("here")).await;
    let (mut there, peer) = meeting.join(1, &visitor).await;
    assert!(peer);
    assert_eq!(here.hear().await, Err(4001));
    is_told(&mut ada, "peer_joined").await;
    is_heard(&mut ada, &mut there, json!("there")).await;
    is_heard(&mut there, &mut ada, json!("too")).await;
    drop(there);
    is_told(&mut ada, "peer_left").await;
    ada.hears_nothing(TWO_LOOKS).await;
    let path = format!("/consultations/{}/complete", meeting.consultation);
    meeting.doctor.post_json(&path, &json!({})).await;
    assert_eq!(ada.hear().await, Err(4000));
    let keys = meeting.redis.ask(&["KEYS", "*"]);
    assert_eq!(keys.trim(), "", "nothing is kept of an empty room");
}

/// What is in Redis is made anew when it is lost, and nobody in a room notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_redis_that_is_emptied_or_dies_ends_no_meeting() {
    let mut meeting = Meeting::arrange().await;
    let (mut ada, mut patient, _) = meeting.of_two().await;
    // Also when it is emptied again before everybody has looked.
    for _ in 0..3 {
        meeting.redis.flush();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    ada.hears_nothing(TWO_LOOKS).await;
    is_heard(&mut ada, &mut patient, json!("after it was emptied")).await;

    meeting.redis.kill();
    meeting.nodes.hear_redis(false).await;
    patient.signal(&json!("lost")).await;
    ada.hears_nothing(Duration::from_secs(5)).await;
    meeting.redis.start_again();
    meeting.nodes.hear_redis(true).await;
    is_heard(&mut patient, &mut ada, json!("after it came back")).await;
    is_heard(&mut ada, &mut patient, json!("and back")).await;
}

/// Two who come while Redis is away find each other when it is back, and one of them begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_comes_without_redis_is_found_with_it() {
    let mut meeting = Meeting::arrange().await;
    let [doctor, visitor] = meeting.tickets().await;
    meeting.redis.kill();
    meeting.nodes.hear_redis(false).await;
    // At one node they need none.
    let (mut ada, _) = meeting.join(0, &doctor).await;
    let (mut here, peer) = meeting.join(0, &visitor).await;
    assert!(peer);
    is_told(&mut ada, "peer_joined").await;
    is_heard(&mut ada, &mut here, json!("at one node")).await;
    drop(here);
    is_told(&mut ada, "peer_left").await;
    let (mut patient, peer) = meeting.join(1, &visitor).await;
    assert!(!peer, "nobody knows");
    meeting.redis.start_again();
    meeting.nodes.hear_redis(true).await;
    let (by_ada, by_patient) = tokio::join!(
        tokio::time::timeout(TWO_LOOKS, ada.hear()),
        tokio::time::timeout(TWO_LOOKS, patient.hear())
    );
    let begin: Vec<_> = [by_ada, by_patient].into_iter().flatten().collect();
    assert_eq!(begin, [Ok(json!({ "type": "peer_joined" }))], "one of them, not both");
    is_heard(&mut ada, &mut patient, json!("found")).await;
    is_heard(&mut patient, &mut ada, json!("too")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_node_that_dies_leaves_the_other_one_alone_and_not_waiting() {
    let mut meeting = Meeting::arrange().await;
    let (mut ada, patient, visitor) = meeting.of_two().await;
    meeting.nodes.node_mut(1).kill();
    drop(patient);
    is_told(&mut ada, "peer_left").await;
    let (mut again, peer) = meeting.join(0, &visitor).await;
    assert!(peer);
    is_told(&mut ada, "peer_joined").await;
    is_heard(&mut again, &mut ada, json!("again")).await;
}

/// It says who leaves with it, so that nobody has to find out.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_node_that_stops_says_who_leaves() {
    let mut meeting = Meeting::arrange().await;
    let (mut ada, mut patient, _) = meeting.of_two().await;
    assert!(meeting.nodes.node_mut(1).stop().await.success());
    tokio::time::timeout(LESS_THAN_TWO_LOOKS, is_told(&mut ada, "peer_left")).await.expect("said, not found");
    assert_eq!(patient.hear().await, Err(1001), "come again");
    assert_eq!(meeting.redis.ask(&["KEYS", "*:room:*"]).lines().count(), 1, "the doctor's seat");
}

/// Whoever comes again while Redis does not answer keeps the seat, though it still has who had it before.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_redis_that_stands_still_throws_nobody_out() {
    let meeting = Meeting::arrange().await;
    let (mut ada, patient, visitor) = meeting.of_two().await;
    meeting.redis.pause();
    drop(patient);
    let (mut again, _) = meeting.join(1, &visitor).await;
    meeting.redis.resume();
    // What both are told meanwhile depends on what Redis had taken in; none of it ends a socket.
    for browser in [&mut ada, &mut again] {
        while let Ok(told) = tokio::time::timeout(TWO_LOOKS, browser.hear()).await {
            let told = told.expect("a socket that stays open");
            assert!(told["type"] == "peer_joined" || told["type"] == "peer_left", "{told}");
        }
    }
    is_heard(&mut ada, &mut again, json!("there")).await;
    is_heard(&mut again, &mut ada, json!("and back")).await;
}
