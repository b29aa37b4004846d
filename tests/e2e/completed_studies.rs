//! The event `study.completed` of a study of which nobody says that it is complete: told once when nothing more comes, over kills,
//! and whichever node the instances came to.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    nodes::Nodes,
    platform::{Engine, Options, Platform},
    receiver::Receiver,
    scu,
    synthetic::Synthetic,
    wait,
};

/// Long enough that instances which follow each other by [`GAP`] are not taken for the end on a machine that is busy.
const QUIET: Duration = Duration::from_secs(5);
const GAP: Duration = Duration::from_millis(1300);
const SETTINGS: [(&str, &str); 3] = [
    ("MAXRAY_WORKER__STUDY_QUIET_SECONDS", "5"),
    ("MAXRAY_WORKER__POLL_INTERVAL_MS", "100"),
    ("MAXRAY_NOTIFICATIONS__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true"),
];

/// Who is told of studies that are complete.
struct Told(Receiver);

impl Told {
    async fn subscribe(platform: &Platform) -> Self {
        let receiver = Receiver::start().await;
        let body = json!({ "address": receiver.address(), "event_types": ["study.completed"] });
        platform.user("chief", "admin").await.post_json("/webhooks", &body).await;
        Self(receiver)
    }

    /// How many events told it of this study. A delivery that came again after a kill is the same event.
    fn of(&self, study: &str) -> usize {
        let received = self.0.of_type("study.completed");
        let of_study = received.iter().filter(|one| one.json()["study_instance_uid"] == json!(study));
        of_study
            .map(|one| {
                assert_eq!(one.json()["completed_by"], "quiet");
                one.header("webhook-id").to_owned()
            })
            .collect::<BTreeSet<_>>()
            .len()
    }

    async fn wait_for(&self, study: &str, count: usize) {
        let what = format!("event {count} of the study");
        wait::until(&what, async || (self.of(study) >= count).then_some(())).await;
    }

    /// The same, and that nothing was told before the study had been quiet since `last`.
    async fn wait_for_quiet_since(&self, last: Instant, study: &str, count: usize) {
        self.wait_for(study, count).await;
        assert!(last.elapsed() >= QUIET, "told {:?} after the last instance was begun", last.elapsed());
    }

    /// What was told of these studies when all of it has been told: another study, stored now, is complete last.
    async fn in_the_end<const N: usize>(&self, platform: &Platform, studies: [&str; N]) -> [usize; N] {
        let last = Synthetic::cr("LAST", 16, 16);
        scu::store(platform, std::slice::from_ref(&last));
        self.wait_for(&last.study_instance_uid, 1).await;
        studies.map(|study| self.of(study))
    }
}

fn options(engine: Engine) -> Options {
    SETTINGS.iter().fold(Options::on(engine), |options, (name, value)| options.with(name, value))
}

/// Once more when something comes after all.
async fn a_study_is_complete_when_nothing_more_comes(engine: Engine) {
    let platform = Platform::start(options(engine)).await;
    let told = Told::subscribe(&platform).await;
    let xrays = Synthetic::cr("PAT-1", 16, 16).series(2);
    let study = xrays[0].study_instance_uid.as_str();
    for (xray, count) in xrays.iter().zip(1..) {
        let last = Instant::now();
        scu::store(&platform, std::slice::from_ref(xray));
        told.wait_for_quiet_since(last, study, count).await;
    }
    assert_eq!(told.in_the_end(&platform, [study]).await, [2]);
}

#[tokio::test]
async fn a_study_is_complete_when_nothing_more_comes_on_sqlite() {
    a_study_is_complete_when_nothing_more_comes(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_study_is_complete_when_nothing_more_comes_on_postgres() {
    a_study_is_complete_when_nothing_more_comes(Engine::Postgres).await;
}

/// kill -9 before anybody has noted that something came, and after that.
async fn kills_in_the_quiet_time_lose_and_double_nothing(engine: Engine) {
    let mut platform = Platform::start(options(engine)).await;
    let told = Told::subscribe(&platform).await;
    let [first, second] = ["PAT-1", "PAT-2"].map(|patient| Synthetic::cr(patient, 16, 16).series(3));
    scu::store(&platform, &first);
    platform.kill();
    platform.restart().await;
    let last = Instant::now();
    scu::store(&platform, &second);
    tokio::time::sleep(GAP).await;
    platform.kill();
    platform.restart().await;
    let studies = [&first, &second].map(|series| series[0].study_instance_uid.as_str());
    told.wait_for(studies[0], 1).await;
    told.wait_for_quiet_since(last, studies[1], 1).await;
    assert_eq!(told.in_the_end(&platform, studies).await, [1, 1]);
}

#[tokio::test]
async fn kills_in_the_quiet_time_lose_and_double_nothing_on_sqlite() {
    kills_in_the_quiet_time_lose_and_double_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn kills_in_the_quiet_time_lose_and_double_nothing_on_postgres() {
    kills_in_the_quiet_time_lose_and_double_nothing(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_study_that_comes_to_two_nodes_is_complete_once() {
    let mut nodes = Nodes::start(2, &SETTINGS).await;
    let told = Told::subscribe(nodes.node(0)).await;
    // It looks seldom, so that the other one is at the work when it is killed.
    nodes.node_mut(0).kill();
    nodes.node_mut(0).set("MAXRAY_WORKER__POLL_INTERVAL_MS", "3000");
    nodes.node_mut(0).restart().await;

    let split = Synthetic::cr("PAT-1", 16, 16).series(7);
    let study = split[0].study_instance_uid.as_str();
    let (late, split) = split.split_last().expect("instances");
    let (first, mut last) = (Instant::now(), Instant::now());
    for (number, xray) in split.iter().enumerate() {
        tokio::time::sleep(GAP).await;
        last = Instant::now();
        scu::store(nodes.node(number % 2), std::slice::from_ref(xray));
    }
    assert!(first.elapsed() > QUIET, "the instances of one node alone would not be told apart");
    told.wait_for_quiet_since(last, study, 1).await;
    assert_eq!(told.of(study), 1, "while instances came");

    let last = Instant::now();
    scu::store(nodes.node(0), std::slice::from_ref(late));
    told.wait_for_quiet_since(last, study, 2).await;

    let killed = Synthetic::cr("PAT-2", 16, 16).series(2);
    scu::store(nodes.node(0), &killed[..1]);
    let last = Instant::now();
    scu::store(nodes.node(1), &killed[1..]);
    tokio::time::sleep(GAP).await;
    nodes.node_mut(1).kill();
    let study_of_killed = killed[0].study_instance_uid.as_str();
    told.wait_for_quiet_since(last, study_of_killed, 1).await;
    assert_eq!(told.in_the_end(nodes.node(0), [study, study_of_killed]).await, [2, 1]);
}
