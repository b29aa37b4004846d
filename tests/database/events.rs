//! The outbox and the audit trail.

use std::collections::HashSet;

use chrono::TimeDelta;
use database::{AuditOutcome, AuditRecord};
use futures_util::{FutureExt as _, future::join_all};
use tests::wait::until;

use crate::support::{Home, START, actor, at, instance};

on_both_engines!(
    events_come_in_order_and_are_relayed_once,
    commits_are_announced,
    a_cursor_misses_nothing_while_nodes_write,
    the_oldest_event_that_nobody_has_is_known,
    writes_leave_their_audit_record,
    a_record_is_written_when_who_asked_has_gone,
    old_events_that_every_reader_has_are_forgotten,
);

async fn events_come_in_order_and_are_relayed_once(home: Home) {
    assert_eq!(home.database.outbox_last().await.expect("last"), 0);
    for number in 1..=5 {
        home.put(instance("1.2", number)).await;
    }
    let events = home.database.outbox_after(0, 3).await.expect("events");
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].at, at(START));
    let rest = home.database.outbox_after(events[2].sequence, 99).await.expect("events");
    assert_eq!(rest.len(), 2);
    assert_eq!(home.database.outbox_last().await.expect("last"), rest[1].sequence);
    let text = serde_json::to_string(&rest[1]).expect("JSON");
    assert!(text.contains(r#""type":"instance.stored""#) && text.contains("1.2.1.5"), "{text}");

    let unrelayed = home.database.outbox_unrelayed(99).await.expect("unrelayed");
    assert_eq!(unrelayed.len(), 5);
    let relayed: Vec<i64> = unrelayed.iter().take(3).map(|event| event.sequence).collect();
    home.database.mark_relayed(&relayed).await.expect("marked");
    home.database.mark_relayed(&relayed).await.expect("marked again");
    home.database.mark_relayed(&[]).await.expect("nothing to mark");
    assert_eq!(home.database.outbox_unrelayed(99).await.expect("unrelayed").len(), 2);
}

async fn commits_are_announced(home: Home) {
    let mut commits = home.database.subscribe_commits();
    assert!(!commits.has_changed().expect("open"));
    home.put(instance("1.2", 1)).await;
    commits.changed().await.expect("open");
    let again = home.store(instance("1.2", 1)).await.expect("an answer");
    assert!(matches!(again, database::StoreOutcome::Duplicate { .. }));
    home.database.audit(AuditRecord::success(&actor(), "read_study")).await.expect("recorded");
    if matches!(home.database, database::Database::Sqlite(_)) {
        assert!(!commits.has_changed().expect("open"), "only events are announced");
    }
}

async fn a_cursor_misses_nothing_while_nodes_write(home: Home) {
    let other_node = home.reopen().await;
    let reader = async {
        let (mut seen, mut cursor) = (HashSet::new(), 0);
        while seen.len() < 300 {
            for event in home.database.outbox_after(cursor, 50).await.expect("events") {
                assert!(event.sequence > cursor);
                cursor = event.sequence;
                assert!(seen.insert(event.event_id), "seen twice");
            }
            tokio::task::yield_now().await;
        }
    };
    let writers = join_all((0..300).map(|number| {
        let database = if number % 2 == 0 { home.database.clone() } else { other_node.clone() };
        async move { database.store_instance(instance("1.2", number)).await.expect("stored") }
    }));
    let both = async { tokio::join!(reader, writers) };
    tokio::time::timeout(std::time::Duration::from_mins(1), both).await.expect("every event is seen");
}

async fn the_oldest_event_that_nobody_has_is_known(home: Home) {
    let oldest = async || home.database.outbox_oldest_unrelayed().await.expect("an answer");
    assert_eq!(oldest().await, None);
    let somebody = home.somebody_writes().await;
    home.put(instance("1.2", 1)).await;
    home.sleep_seconds(90);
    home.put(instance("1.2", 2)).await;
    assert_eq!(oldest().await, Some(at(START)));
    if somebody.is_some() {
        let readable = home.database.outbox_unrelayed(9).await.expect("unrelayed");
        assert!(readable.is_empty(), "{readable:?}");
    }
    drop(somebody);
    let readable = until("both events", async || {
        let events = home.database.outbox_unrelayed(9).await.expect("unrelayed");
        (events.len() == 2).then_some(events)
    });
    home.database.mark_relayed(&[readable.await[0].sequence]).await.expect("marked");
    assert_eq!(oldest().await, Some(at(START + 90)));
}

async fn writes_leave_their_audit_record(home: Home) {
    let id = home.put(instance("1.2", 1)).await;
    let record = AuditRecord {
        outcome: AuditOutcome::Refused,
        detail: "no rule".to_owned(),
        ..AuditRecord::success(&actor(), "read_study").of_study("1.2")
    };
    home.sleep_seconds(60);
    home.database.audit(record.clone()).await.expect("recorded");
    let trail = home.database.audit_page(0, 99).await.expect("trail");
    assert_eq!(trail.len(), 2);
    let stored = &trail[0].record;
    assert_eq!((stored.action.as_str(), stored.outcome), ("store_instance", AuditOutcome::Success));
    assert_eq!((stored.subject.as_str(), stored.study_instance_uid.as_str()), (&*id.to_string(), "1.2"));
    assert_eq!(
        (stored.actor.calling_ae.as_str(), stored.actor.source_address.as_str()),
        ("CR1", "192.0.2.7")
    );
    let record = record.of_patient(stored.patient.expect("whose study it is"));
    assert_eq!((&trail[1].record, trail[1].at), (&record, at(START + 60)));
    assert_eq!(home.database.audit_page(trail[0].sequence, 99).await.expect("trail").len(), 1);
}

/// As when the peer hangs up right after a wrong password.
async fn a_record_is_written_when_who_asked_has_gone(home: Home) {
    let database = home.database.clone();
    let record = AuditRecord::success(&actor(), "sign_in");
    // Asked once, and given up.
    let given_up = database.audit(record).now_or_never();
    assert!(given_up.is_none(), "nothing is recorded at once");
    let trail = until("the record", async || {
        let trail = database.audit_page(0, 99).await.expect("trail");
        (!trail.is_empty()).then_some(trail)
    });
    assert_eq!(trail.await[0].record.action, "sign_in");
}

async fn old_events_that_every_reader_has_are_forgotten(home: Home) {
    let database = &home.database;
    for number in 1..=5 {
        home.put(instance("1.2", number)).await;
    }
    let events: Vec<i64> =
        database.outbox_after(0, 9).await.expect("events").iter().map(|e| e.sequence).collect();
    home.sleep_seconds(60);
    let forget =
        async |has_broker: bool| database.forget_events(home.now(), has_broker, 2).await.expect("an answer");
    let left = async || -> Vec<i64> {
        database.outbox_after(0, 9).await.expect("events").iter().map(|event| event.sequence).collect()
    };
    assert_eq!(forget(false).await, 0, "nobody has read them");
    database.queue_forwards(&[], events[4]).await.expect("moved");
    assert_eq!(forget(false).await, 0, "one reader has not");
    database.move_delivery_cursor(events[4]).await.expect("moved");
    assert_eq!(forget(false).await, 0, "no listener has heard of them");
    database.mark_relayed(&events).await.expect("marked");
    assert_eq!(database.forget_events(at(START), false, 9).await.expect("an answer"), 0, "they are not old");
    assert_eq!(database.forgotten_events().await.expect("a row").sequence, 0);

    assert_eq!(forget(false).await, 2, "no more than the limit");
    assert_eq!(left().await, events[2..]);
    let forgotten = database.forgotten_events().await.expect("a row");
    assert_eq!((forgotten.sequence, forgotten.happened_before), (events[1], home.now()));
    // The broker's first day was before the last two.
    home.sql(&format!("INSERT INTO outbox_cursor (reader, sequence) VALUES ('broker', {})", events[2])).await;
    assert_eq!(forget(true).await, 1, "the broker has not read the others");
    assert_eq!(forget(true).await, 0);
    assert_eq!(forget(false).await, 1, "there is no broker any more");
    assert_eq!(forget(false).await, 0, "the newest stays");
    assert_eq!(left().await, events[4..]);

    // With another's clock behind ours what was noted stays.
    home.put(instance("1.2", 6)).await;
    let newest = database.outbox_last().await.expect("the newest");
    database.queue_forwards(&[], newest).await.expect("moved");
    database.move_delivery_cursor(newest).await.expect("moved");
    let earlier = home.now() - TimeDelta::seconds(30);
    assert_eq!(database.forget_events(earlier, false, 9).await.expect("an answer"), 1);
    let forgotten = database.forgotten_events().await.expect("a row");
    assert_eq!((forgotten.sequence, forgotten.happened_before), (events[4], home.now()));
}
