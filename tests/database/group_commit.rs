//! Many senders, one transaction; each its own answer.

use std::collections::HashSet;

use database::{ConflictPolicy, NewInstance, StoreInstanceError, StoreOutcome};
use futures_util::future::join_all;
use tests::postgres::Postgres;
use uuid::Uuid;

use crate::support::{Home, content, instance, patient, with_uids};

on_both_engines!(
    mixed_outcomes_do_not_disturb_each_other,
    one_uid_from_many_senders_is_stored_once,
    two_contents_from_many_senders_are_both_kept,
    nodes_race_for_the_same_study,
    a_series_whose_study_another_node_has_just_made_joins_it,
    the_same_instance_by_two_nodes_is_stored_once,
    a_new_patient_is_made_once_and_its_clash_is_seen,
    a_spoilt_instance_fails_alone,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_in_commit_lose_and_double_nothing() {
    let home = Home::postgres().await;
    let url = home.config.url.clone();
    let cutter = tokio::task::spawn_blocking(move || {
        for _ in 0..6 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            Postgres::shared().cut_connections(&url);
        }
    });
    let mut number = 0;
    while !cutter.is_finished() {
        let outcomes = join_all((0..16).map(|index| home.store(instance("1.2", number + index)))).await;
        for outcome in outcomes {
            assert!(matches!(outcome, Ok(StoreOutcome::Stored { .. })), "{outcome:?}");
        }
        number += 16;
    }
    cutter.await.expect("the cutter ends");
    let expected = usize::try_from(number).expect("a count");
    // A connection of the pool may still be a cut one.
    let database = home.reopen().await;
    assert_eq!(database.counts().await.expect("counts").instances, expected as u64);
    assert_eq!(database.outbox_after(0, 1 << 20).await.expect("events").len(), expected);
    assert_eq!(database.audit_page(0, 1 << 20).await.expect("trail").len(), expected);
}

async fn mixed_outcomes_do_not_disturb_each_other(home: Home) {
    home.put(with_uids("1.1", "1.1.1", "1.1.1.1", 1)).await;
    let make = |index: i32| match index % 6 {
        0 => with_uids("1.1", "1.1.1", "1.1.1.1", index),
        1 => NewInstance {
            data_set_sha256: content(&format!("conflict {index}")),
            ..with_uids("1.1", "1.1.1", "1.1.1.1", index)
        },
        2 => NewInstance {
            data_set_sha256: content("refused"),
            conflict_policy: ConflictPolicy::Refuse,
            ..with_uids("1.1", "1.1.1", "1.1.1.1", index)
        },
        3 => with_uids("2.1", "1.1.1", &format!("2.1.1.{index}"), index),
        4 => {
            let mut thief = with_uids("1.1", "1.1.1", &format!("1.1.1.9{index}"), index);
            thief.header.patient = patient("666", "Thief");
            thief
        }
        _ => instance(&format!("3.{}", index % 4), index),
    };
    let outcomes = join_all((0..64).map(|index| home.store(make(index)))).await;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let fits = match index % 6 {
            0 => matches!(outcome, Ok(StoreOutcome::Duplicate { .. })),
            1 => matches!(outcome, Ok(StoreOutcome::Conflict { .. })),
            2 => matches!(outcome, Err(StoreInstanceError::ConflictRefused)),
            3 => matches!(outcome, Err(StoreInstanceError::ForeignSeries)),
            4 => matches!(outcome, Err(StoreInstanceError::StudyOfAnotherPatient)),
            _ => matches!(outcome, Ok(StoreOutcome::Stored { .. })),
        };
        assert!(fits, "{index}: {outcome:?}");
    }
    let counts = home.database.counts().await.expect("counts");
    assert_eq!((counts.instances, counts.conflicts, counts.patients), (11, 11, 1));
    assert_eq!(home.database.audit_page(0, 999).await.expect("audit").len(), 65);
    assert_eq!(home.database.outbox_after(0, 999).await.expect("events").len(), 22);
}

async fn one_uid_from_many_senders_is_stored_once(home: Home) {
    let other_node = home.reopen().await;
    let sends = (0..32).map(|index| {
        let database = if index % 2 == 0 { home.database.clone() } else { other_node.clone() };
        async move { database.store_instance(instance("1.2", 1)).await.expect("an answer") }
    });
    let outcomes = join_all(sends).await;
    let stored: Vec<Uuid> = outcomes
        .iter()
        .filter_map(|outcome| if let StoreOutcome::Stored { id } = outcome { Some(*id) } else { None })
        .collect();
    assert_eq!(stored.len(), 1, "{outcomes:?}");
    let expected = StoreOutcome::Duplicate { id: stored[0] };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == expected).count(), 31);
    assert_eq!(home.database.outbox_after(0, 99).await.expect("events").len(), 1);
}

async fn two_contents_from_many_senders_are_both_kept(home: Home) {
    let other_node = home.reopen().await;
    let sends = (0..32).map(|index| {
        let database = if index % 4 < 2 { home.database.clone() } else { other_node.clone() };
        let mut new = instance("1.2", 1);
        new.data_set_sha256 = content(if index % 2 == 0 { "one" } else { "two" });
        async move { database.store_instance(new).await.expect("an answer") }
    });
    let outcomes = join_all(sends).await;
    let count = |fits: fn(&StoreOutcome) -> bool| outcomes.iter().filter(|outcome| fits(outcome)).count();
    assert_eq!(count(|outcome| matches!(outcome, StoreOutcome::Stored { .. })), 1);
    assert_eq!(count(|outcome| matches!(outcome, StoreOutcome::Conflict { .. })), 1);
    assert_eq!(count(|outcome| matches!(outcome, StoreOutcome::Duplicate { .. })), 30);
}

async fn nodes_race_for_the_same_study(home: Home) {
    let other_node = home.reopen().await;
    let sends = (0..200).map(|index| {
        let database = if index % 2 == 0 { home.database.clone() } else { other_node.clone() };
        // Both orders of the same new studies and series: what waits for each other must not wait for ever.
        let study = if index % 4 < 2 { index / 4 } else { 49 - index / 4 };
        // Of every other study each node has a series of its own, which refers to a study that the other one may have made.
        let series = format!("1.{study}.{}", if study % 2 == 0 { 0 } else { index % 2 });
        let new = with_uids(&format!("1.{study}"), &series, &format!("{series}.{index}"), index);
        async move { database.store_instance(new).await.expect("stored") }
    });
    let outcomes = join_all(sends).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, StoreOutcome::Stored { .. })));
    let counts = home.database.counts().await.expect("counts");
    assert_eq!((counts.patients, counts.studies, counts.series, counts.instances), (1, 50, 75, 200));
    let events = home.database.outbox_after(0, 999).await.expect("events");
    assert_eq!(events.len(), 200);
    let ids: HashSet<Uuid> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), 200);
    assert!(events.is_sorted_by(|one, other| one.sequence < other.sequence));
}

/// Alone in its group each time, so that nobody tries again for it.
async fn a_series_whose_study_another_node_has_just_made_joins_it(home: Home) {
    let other_node = home.reopen().await;
    for study in 0..30 {
        let sends = [(1, &home.database), (2, &other_node)].map(|(node, database)| {
            let series = format!("1.{study}.{node}");
            database.store_instance(with_uids(&format!("1.{study}"), &series, &format!("{series}.1"), node))
        });
        for outcome in join_all(sends).await {
            assert!(matches!(outcome, Ok(StoreOutcome::Stored { .. })), "{outcome:?}");
        }
    }
    let counts = home.database.counts().await.expect("counts");
    assert_eq!((counts.studies, counts.series, counts.instances), (30, 60, 60));
}

/// As when the operator has two nodes read the same object, or a COMMIT comes through after its connection was lost.
async fn the_same_instance_by_two_nodes_is_stored_once(home: Home) {
    let other_node = home.reopen().await;
    home.put(with_uids("1.1", "1.1.1", "1.1.1.0", 0)).await;
    for number in 1..=30 {
        let new = with_uids("1.1", "1.1.1", &format!("1.1.1.{number}"), number);
        let sends = [&home.database, &other_node].map(|database| database.store_instance(new.clone()));
        for outcome in join_all(sends).await {
            let there = match outcome {
                Ok(StoreOutcome::Stored { id } | StoreOutcome::Duplicate { id }) => Some(id),
                _ => None,
            };
            assert_eq!(there, Some(new.id), "{outcome:?}");
        }
    }
    assert_eq!(home.database.counts().await.expect("counts").instances, 31);
}

async fn a_new_patient_is_made_once_and_its_clash_is_seen(home: Home) {
    let other_node = home.reopen().await;
    let sends = (0..40).map(|index| {
        let database = if index % 2 == 0 { home.database.clone() } else { other_node.clone() };
        let mut new = instance(&format!("1.{index}"), 1);
        let name = if index % 4 < 2 { "Doe^Jane" } else { "Roe^Richard" };
        new.header.patient = patient(&format!("P{}", index / 8), name);
        async move { database.store_instance(new).await.expect("stored") }
    });
    join_all(sends).await;
    let counts = home.database.counts().await.expect("counts");
    assert_eq!(counts.patients, 10, "five IDs with two people each");
    let events = home.database.outbox_after(0, 999).await.expect("events");
    assert_eq!(events.iter().filter(|event| event.event.name() == "patient.clashed").count(), 5);
}

async fn a_spoilt_instance_fails_alone(home: Home) {
    let taken = home.put(instance("9.9", 1)).await;
    let sends = (0..20).map(|index| {
        let mut new = instance("1.2", index);
        if index == 7 {
            // A key that is taken by another instance: no rule foresees it.
            new.id = taken;
        }
        home.store(new)
    });
    let outcomes = join_all(sends).await;
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_err(), index == 7, "{index}: {outcome:?}");
    }
    assert_eq!(home.database.counts().await.expect("counts").instances, 20);
}
