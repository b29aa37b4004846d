//! Requests for storage commitment: each is reported on by one node at a time, and never forgotten before.

use chrono::TimeDelta;
use database::{CommitmentEnd, CommitmentRequested, NewCommitment};
use model::{SopClassUid, SopInstanceUid, SopReference, access::Scope};

use crate::support::{Home, actor, instance, title};

on_both_engines!(
    one_node_reports_and_a_dead_one_loses_its_claim,
    a_request_that_is_sent_again_is_the_same_one,
    what_an_ae_has_sent_is_known,
);

const LEASE: TimeDelta = TimeDelta::minutes(5);

fn references(instances: &[&str]) -> Vec<SopReference> {
    let reference = |uid: &&str| SopReference {
        sop_class_uid: SopClassUid::parse("1.2.840.10008.5.1.4.1.1.1").expect("a UID"),
        sop_instance_uid: SopInstanceUid::parse(uid).expect("a UID"),
    };
    instances.iter().map(reference).collect()
}

async fn ask(home: &Home, ae: &str, transaction_uid: &str, instances: &[&str]) -> CommitmentRequested {
    let (ae_title, called, references) = (title(ae), title("MAXRAY"), references(instances));
    let new = NewCommitment {
        ae_title: &ae_title,
        called_ae_title: &called,
        transaction_uid,
        references: &references,
    };
    home.database.request_commitment(new, 2, &actor()).await.expect("an answer")
}

async fn one_node_reports_and_a_dead_one_loses_its_claim(home: Home) {
    let (one, other) = (&home.database, home.reopen().await);
    assert_eq!(one.claim_commitment(LEASE).await.expect("an answer"), None);
    ask(&home, "CR1", "1.1", &["1.2", "1.3"]).await;
    home.sleep_seconds(1);
    ask(&home, "CR1", "1.2", &["1.2"]).await;
    ask(&home, "CR2", "1.1", &["1.2"]).await;
    assert_eq!(ask(&home, "CR1", "1.3", &["1.2"]).await, CommitmentRequested::TooMany);

    let first = one.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert_eq!((first.ae_title.as_str(), first.transaction_uid.as_str(), first.attempts), ("CR1", "1.1", 1));
    assert_eq!(first.references, references(&["1.2", "1.3"]));
    // CR1 does not answer: everything for it waits, and nothing else.
    let until = home.now() + TimeDelta::minutes(10);
    one.postpone_commitments_of(&title("CR1"), until).await.expect("put off");
    one.postpone_commitment(&first, until).await.expect("put off");
    let second = other.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert_eq!(second.ae_title, title("CR2"));
    assert_eq!(other.claim_commitment(LEASE).await.expect("an answer"), None);
    let reported = CommitmentEnd::Reported { committed: 1, failed: 0 };
    one.end_commitment(&second, reported, &actor()).await.expect("ended");
    home.sleep_seconds(9 * 60);
    assert_eq!(one.claim_commitment(LEASE).await.expect("an answer"), None);
    home.sleep_seconds(2 * 60);
    // The one that was tried least comes first: one that cannot be told starves no other.
    let again = other.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert_eq!((again.transaction_uid.as_str(), again.attempts), ("1.2", 1));
    // Who claimed it dies. What is put off is not what somebody has claimed.
    home.sleep_seconds(4 * 60);
    let left = one.claim_commitment(LEASE).await.expect("an answer").expect("the other request of CR1");
    assert_eq!((left.id, left.attempts), (first.id, 2));
    one.postpone_commitments_of(&title("CR1"), home.now() + TimeDelta::hours(1)).await.expect("put off");
    one.end_commitment(&left, CommitmentEnd::GivenUp, &actor()).await.expect("ended");
    assert_eq!(one.claim_commitment(LEASE).await.expect("an answer"), None);
    home.sleep_seconds(2 * 60);
    let taken_over = one.claim_commitment(LEASE).await.expect("an answer").expect("the dead node's");
    assert_eq!((taken_over.id, taken_over.attempts), (again.id, 2));

    assert_eq!(one.forget_commitments(home.now() - TimeDelta::minutes(5)).await.expect("forgotten"), 1);
    assert_eq!(one.forget_commitments(home.now() + TimeDelta::days(9)).await.expect("forgotten"), 1);
}

async fn a_request_that_is_sent_again_is_the_same_one(home: Home) {
    let database = &home.database;
    let CommitmentRequested::Kept { id } = ask(&home, "CR1", "1.1", &["1.2", "1.3"]).await else {
        panic!("not kept")
    };
    let claimed = database.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    home.sleep_seconds(1);
    assert_eq!(ask(&home, "CR1", "1.1", &["1.2", "1.3"]).await, CommitmentRequested::Kept { id });
    // What the attempt of before comes to does not end it.
    let reported = CommitmentEnd::Reported { committed: 2, failed: 0 };
    database.end_commitment(&claimed, reported, &actor()).await.expect("recorded");
    let again = database.claim_commitment(LEASE).await.expect("an answer").expect("the same");
    assert_eq!((again.id, again.attempts, again.duplicate), (id, 1, false));
    database.end_commitment(&again, reported, &actor()).await.expect("ended");
    // Other instances under the same Transaction UID are another request, and a wrong one.
    let CommitmentRequested::Kept { id: other } = ask(&home, "CR1", "1.1", &["1.2"]).await else {
        panic!("not kept")
    };
    let wrong = database.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert!(wrong.id == other && other != id && wrong.duplicate);
    ask(&home, "CR2", "1.1", &["1.2"]).await;
    let elsewhere = database.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert!(!elsewhere.duplicate, "another AE's transactions are its own");
    // One that was reported on can be asked for again: with its instances.
    ask(&home, "CR1", "1.1", &["1.2", "1.3"]).await;
    let last = database.claim_commitment(LEASE).await.expect("an answer").expect("a request");
    assert_eq!((last.id, last.references), (id, references(&["1.2", "1.3"])));
}

async fn what_an_ae_has_sent_is_known(home: Home) {
    let sent = home.put(instance("1.5", 1)).await;
    let mut other = instance("1.5", 2);
    other.origin.calling_ae = Some(title("CR2"));
    home.put(other).await;
    let uids = ["1.5.1.1", "1.5.1.2", "1.5.1.3"];
    let found = home.database.instances_by_uid(&Scope::internal(), &uids).await.expect("found");
    assert_eq!(found.len(), 2);
    let found: Vec<_> = found.iter().collect();
    let own = home.database.sent_by(&title("CR1"), &found).await.expect("an answer");
    assert_eq!(own.into_iter().collect::<Vec<_>>(), [sent]);
    assert_eq!(home.database.sent_by(&title("CR3"), &found).await.expect("an answer").len(), 0);
}
