//! Studies of which nothing more comes.

use chrono::TimeDelta;
use database::{Lease, Quiet};
use model::{
    AeTitle, StudyInstanceUid,
    event::{CompletedBy, Event},
    performed_step::{PerformedStep, PerformedStepStatus, ScheduledReference},
};
use tests::wait;

use crate::support::{Home, actor, instance, sop_uid};

on_both_engines!(
    a_study_is_complete_when_nothing_came_for_a_while,
    a_study_that_a_modality_is_at_waits_longer,
    a_study_that_modalities_said_is_done_is_told_once,
    what_happens_between_two_looks_counts,
    one_node_tells_of_it,
    who_wants_to_know_again_is_told_of_what_comes_then,
);

const QUIET: Quiet = Quiet { usual: TimeDelta::seconds(60), under_way: TimeDelta::seconds(600) };
const LEASE: TimeDelta = TimeDelta::hours(1);

/// What the worker does in one round; the lease is there already.
pub(crate) async fn look(home: &Home, lease: &Lease) {
    if home.database.has_quiet_work(QUIET).await.expect("an answer") {
        while home.database.note_arrivals(2, lease).await.expect("read") == Some(2) {}
        while home.database.complete_quiet_studies(QUIET, 1, lease).await.expect("told") == 1 {}
    }
}

pub(crate) async fn holder(home: &Home) -> Lease {
    let lease = Lease::new("quiet-studies");
    assert!(home.database.take_lease(&lease, LEASE).await.expect("an answer"));
    // Its first day.
    look(home, &lease).await;
    lease
}

/// What was told so far.
async fn told(home: &Home) -> Vec<(String, CompletedBy)> {
    let events = home.database.outbox_after(0, 1_000).await.expect("events");
    let told = events.into_iter().filter_map(|envelope| match envelope.event {
        Event::StudyCompleted { study_instance_uid, completed_by } => {
            Some((study_instance_uid, completed_by))
        }
        _ => None,
    });
    told.collect()
}

fn quiet(study: &str) -> (String, CompletedBy) {
    (study.to_owned(), CompletedBy::Quiet)
}

/// A modality begins with a study, or ends what it began.
pub(crate) async fn step(home: &Home, study: &str, status: PerformedStepStatus) {
    let step = PerformedStep {
        sop_instance_uid: sop_uid("1.2.99"),
        ae_title: AeTitle::parse("CR1").expect("a title"),
        status,
        modality: "DX".to_owned(),
        patient_id: "4711".to_owned(),
        issuer_of_patient_id: String::new(),
        scheduled: vec![ScheduledReference {
            study_instance_uid: StudyInstanceUid::parse(study).expect("a UID"),
            accession_number: String::new(),
            step_id: String::new(),
        }],
        attributes: "{}".to_owned(),
        version: 1,
    };
    let kept = match status {
        PerformedStepStatus::InProgress => home.database.create_performed_step(&step, &actor()).await,
        _ => home.database.update_performed_step(&step, &actor()).await,
    };
    assert!(kept.expect("kept"));
}

async fn a_study_is_complete_when_nothing_came_for_a_while(home: Home) {
    home.put(instance("1.1", 1)).await;
    let lease = holder(&home).await;
    home.sleep_seconds(3_600);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [], "what was there before the first day is nothing new");

    home.put(instance("1.2", 1)).await;
    home.put(instance("1.3", 1)).await;
    home.sleep_seconds(40);
    look(&home, &lease).await;
    home.put(instance("1.2", 2)).await;
    home.sleep_seconds(20);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [quiet("1.3")]);
    home.sleep_seconds(39);
    look(&home, &lease).await;
    assert_eq!(told(&home).await.len(), 1, "a second instance came in between");
    home.sleep_seconds(1);
    look(&home, &lease).await;
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [quiet("1.3"), quiet("1.2")]);

    // Late, and told again.
    home.put(instance("1.3", 2)).await;
    home.sleep_seconds(61);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [quiet("1.3"), quiet("1.2"), quiet("1.3")]);
    look(&home, &lease).await;
    assert!(!home.database.has_quiet_work(QUIET).await.expect("an answer"), "an idle archive is left alone");
}

async fn a_study_that_a_modality_is_at_waits_longer(home: Home) {
    let lease = holder(&home).await;
    home.put(instance("1.2", 1)).await;
    step(&home, "1.2", PerformedStepStatus::InProgress).await;
    home.sleep_seconds(599);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, []);
    home.sleep_seconds(1);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [quiet("1.2")]);
}

async fn a_study_that_modalities_said_is_done_is_told_once(home: Home) {
    let lease = holder(&home).await;
    step(&home, "1.2", PerformedStepStatus::InProgress).await;
    home.put(instance("1.2", 1)).await;
    home.put(instance("1.2", 2)).await;
    step(&home, "1.2", PerformedStepStatus::Completed).await;
    let by_step = ("1.2".to_owned(), CompletedBy::PerformedStep);
    home.sleep_seconds(1_000);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, std::slice::from_ref(&by_step));
    home.put(instance("1.2", 3)).await;
    home.sleep_seconds(60);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [by_step, quiet("1.2")], "what came after that is new");
}

async fn what_happens_between_two_looks_counts(home: Home) {
    let lease = holder(&home).await;
    step(&home, "1.2", PerformedStepStatus::InProgress).await;
    home.put(instance("1.2", 1)).await;
    home.put(instance("1.3", 1)).await;
    home.put(instance("1.4", 1)).await;
    home.sleep_seconds(100);
    assert_eq!(home.database.note_arrivals(9, &lease).await.expect("read"), Some(3));
    // What is committed beside an older transaction is not to be read as an event yet.
    let writing = home.somebody_writes().await;
    step(&home, "1.2", PerformedStepStatus::Completed).await;
    home.put(instance("1.3", 2)).await;
    assert_eq!(home.database.complete_quiet_studies(QUIET, 9, &lease).await.expect("told"), 1);
    drop(writing);
    wait::until("the end of that transaction", async || (told(&home).await.len() == 2).then_some(())).await;
    let by_step = ("1.2".to_owned(), CompletedBy::PerformedStep);
    assert_eq!(told(&home).await, [by_step.clone(), quiet("1.4")]);
    home.sleep_seconds(100);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [by_step, quiet("1.4"), quiet("1.3")]);
}

async fn one_node_tells_of_it(home: Home) {
    let first = holder(&home).await;
    home.put(instance("1.2", 1)).await;
    assert_eq!(home.database.note_arrivals(9, &first).await.expect("read"), Some(1));
    home.sleep_seconds(7_200);
    let second = Lease::new("quiet-studies");
    assert!(home.database.take_lease(&second, LEASE).await.expect("an answer"));
    assert_eq!(home.database.complete_quiet_studies(QUIET, 9, &first).await.expect("an answer"), 0);
    home.put(instance("1.3", 1)).await;
    assert_eq!(home.database.note_arrivals(9, &first).await.expect("an answer"), None);
    assert_eq!(told(&home).await, []);
    look(&home, &second).await;
    assert_eq!(told(&home).await, [quiet("1.2")]);
    home.sleep_seconds(60);
    look(&home, &second).await;
    assert_eq!(told(&home).await, [quiet("1.2"), quiet("1.3")], "nothing that the first read was lost");
}

async fn who_wants_to_know_again_is_told_of_what_comes_then(home: Home) {
    home.database.stop_quiet_studies().await.expect("nothing to forget");
    let lease = holder(&home).await;
    home.put(instance("1.2", 1)).await;
    look(&home, &lease).await;
    home.database.stop_quiet_studies().await.expect("forgotten");
    home.put(instance("1.3", 1)).await;
    home.sleep_seconds(600);
    look(&home, &lease).await;
    home.put(instance("1.4", 1)).await;
    look(&home, &lease).await;
    home.sleep_seconds(60);
    look(&home, &lease).await;
    assert_eq!(told(&home).await, [quiet("1.4")]);
}
