//! Work of one node at a time, and the broker's place in the outbox.

use chrono::TimeDelta;
use database::Lease;
use futures_util::future::join_all;

use crate::support::{Home, instance};

on_both_engines!(
    a_lease_has_one_holder_until_it_ends,
    of_many_who_ask_at_once_one_holds_it,
    a_clock_that_was_ahead_keeps_nobody_waiting,
    who_lost_the_lease_moves_no_cursor,
    a_broker_gets_what_happens_from_its_first_day,
);

const LEASE: TimeDelta = TimeDelta::seconds(30);

async fn a_lease_has_one_holder_until_it_ends(home: Home) {
    let [first, second] = [0, 1].map(|_| Lease::new("broker"));
    let other_work = Lease::new("another work");
    let take = async |lease| home.database.take_lease(lease, LEASE).await.expect("an answer");
    assert!(take(&first).await && take(&first).await);
    assert!(!take(&second).await);
    assert!(take(&other_work).await);
    home.sleep_seconds(29);
    assert!(take(&first).await, "made longer");
    home.sleep_seconds(29);
    assert!(!take(&second).await);
    home.sleep_seconds(1);
    assert!(take(&second).await && !take(&first).await);
    home.database.give_lease_back(&first).await.expect("not its own: nothing happens");
    assert!(!take(&first).await);
    home.database.give_lease_back(&second).await.expect("given back");
    assert!(take(&first).await);
}

async fn a_clock_that_was_ahead_keeps_nobody_waiting(home: Home) {
    let [ahead, other] = [0, 1].map(|_| Lease::new("broker"));
    home.sleep_seconds(3_600);
    assert!(home.database.take_lease(&ahead, LEASE).await.expect("an answer"));
    home.sleep_seconds(-3_600);
    assert!(home.database.take_lease(&other, LEASE).await.expect("an answer"));
    // Clocks are never quite the same: what is a little ahead is held.
    home.sleep_seconds(20);
    assert!(home.database.take_lease(&other, LEASE).await.expect("an answer"));
    home.sleep_seconds(-20);
    assert!(!home.database.take_lease(&ahead, LEASE).await.expect("an answer"));
}

async fn of_many_who_ask_at_once_one_holds_it(home: Home) {
    let other_node = home.reopen().await;
    let asking = (0..16).map(|number| {
        let database = if number % 2 == 0 { &home.database } else { &other_node };
        async move { database.take_lease(&Lease::new("broker"), LEASE).await.expect("an answer") }
    });
    assert_eq!(join_all(asking).await.into_iter().filter(|held| *held).count(), 1);
}

async fn who_lost_the_lease_moves_no_cursor(home: Home) {
    let database = &home.database;
    assert_eq!(database.broker_cursor().await.expect("a place"), 0);
    for number in 1..=3 {
        home.put(instance("1.2", number)).await;
    }
    let events = database.outbox_after(0, 9).await.expect("events");
    let (first, second) = (Lease::new("broker"), Lease::new("broker"));
    assert!(!database.move_broker_cursor(events[0].sequence, &first).await.expect("an answer"), "never held");
    assert!(database.take_lease(&first, LEASE).await.expect("an answer"));
    assert!(database.move_broker_cursor(events[0].sequence, &first).await.expect("an answer"));
    home.sleep_seconds(31);
    // Nobody has asked for it: the work is still its own.
    assert!(database.move_broker_cursor(events[1].sequence, &first).await.expect("an answer"));
    assert!(database.take_lease(&second, LEASE).await.expect("an answer"));
    assert!(!database.move_broker_cursor(events[2].sequence, &first).await.expect("an answer"));
    assert_eq!(database.broker_cursor().await.expect("a place"), events[1].sequence);
    assert_eq!(database.outbox_behind(events[1].sequence, 10).await.expect("a count"), 1);
    assert!(database.move_broker_cursor(events[2].sequence, &second).await.expect("an answer"));
    assert_eq!(database.broker_cursor().await.expect("a place"), events[2].sequence);
    // The first has it back, and does not know how far the second went.
    home.sleep_seconds(31);
    assert!(database.take_lease(&first, LEASE).await.expect("an answer"));
    assert!(!database.move_broker_cursor(events[2].sequence, &first).await.expect("an answer"));
}

async fn a_broker_gets_what_happens_from_its_first_day(home: Home) {
    home.put(instance("1.2", 1)).await;
    let first_day = home.database.outbox_last().await.expect("last");
    assert_eq!(home.database.broker_cursor().await.expect("a place"), first_day);
    home.put(instance("1.2", 2)).await;
    assert_eq!(home.database.broker_cursor().await.expect("a place"), first_day);
}
