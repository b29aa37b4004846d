//! What is borrowed comes back, whatever becomes of the statement.

use std::time::Duration;

use futures_util::StreamExt as _;
use sqlx::pool::PoolOptions;
use sqlx_sqlite::Sqlite;

use super::*;

async fn open(connections: u32, age: Option<Age>) -> Connections<Sqlite> {
    let options =
        PoolOptions::<Sqlite>::new().max_connections(connections).idle_timeout(None).max_lifetime(None);
    let options = options.test_before_acquire(false).acquire_timeout(Duration::from_millis(300));
    Connections::new(options.connect("sqlite::memory:").await.expect("SQLite"), age)
}

async fn ask(connections: &Connections<Sqlite>) -> i64 {
    sqlx::query_scalar("SELECT 7").fetch_one(connections).await.expect("an answer")
}

#[tokio::test]
async fn one_connection_serves_one_after_the_other_and_never_goes_back_to_the_pool() {
    let connections = open(4, None).await;
    for _ in 0..50 {
        assert_eq!(ask(&connections).await, 7);
        assert_eq!(connections.pool().num_idle(), 0);
    }
    assert_eq!(connections.pool().size(), 1);
}

#[tokio::test]
async fn a_statement_that_fails_or_is_given_up_takes_no_connection_along() {
    let connections = open(1, None).await;
    for _ in 0..5 {
        sqlx::query("SELECT nothing").execute(&connections).await.expect_err("there is no such column");
        assert_eq!(ask(&connections).await, 7);
        let sql =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) SELECT i FROM n";
        let mut rows = sqlx::query(sql).fetch(&connections);
        rows.next().await.expect("a row").expect("an answer");
        drop(rows);
        assert_eq!(ask(&connections).await, 7);
        drop(connections.borrow().await.expect("a connection"));
        assert_eq!(ask(&connections).await, 7);
    }
    assert_eq!(connections.pool().size(), 1);
}

#[tokio::test]
async fn who_waits_is_served_in_time_or_told_so() {
    let connections = open(2, None).await;
    let (one, other) = (connections.borrow().await.expect("one"), connections.borrow().await.expect("two"));
    let refused = sqlx::query("SELECT 1").execute(&connections).await.expect_err("none is free");
    assert!(matches!(refused, Error::PoolTimedOut), "{refused}");
    let waiting = ask(&connections);
    let (found, ()) = tokio::join!(waiting, one.give_back());
    assert_eq!(found, 7);
    let (found, ()) = tokio::join!(ask(&connections), async { drop(other) });
    assert_eq!(found, 7);
}

#[tokio::test]
async fn those_of_a_server_are_asked_after_a_moment_and_closed_when_they_are_old() {
    let (long, now) = (Duration::from_mins(1), Duration::ZERO);
    let asked = Age { trusted: now, unused_max: long, max: long, answer_max: long };
    let connections = open(2, Some(asked)).await;
    for _ in 0..5 {
        assert_eq!(ask(&connections).await, 7);
    }
    assert_eq!(connections.pool().size(), 1, "it has answered");
    for old in [Age { unused_max: now, ..asked }, Age { max: now, ..asked }] {
        let connections = open(1, Some(old)).await;
        sqlx::query("CREATE TEMP TABLE t (n INTEGER)").execute(&connections).await.expect("made");
        sqlx::query("SELECT n FROM t").execute(&connections).await.expect_err("another connection");
        assert_eq!(connections.pool().size(), 1);
    }
}

#[tokio::test]
async fn closing_waits_for_those_in_use_and_ends_those_that_are_not() {
    let connections = open(2, None).await;
    let in_use = connections.borrow().await.expect("one");
    assert_eq!(ask(&connections).await, 7);
    let closing = connections.clone();
    let closed = tokio::spawn(async move { closing.close().await });
    while !connections.pool().is_closed() {
        tokio::task::yield_now().await;
    }
    assert!(!closed.is_finished(), "a statement may run on it");
    let refused = sqlx::query("SELECT 1").execute(&connections).await.expect_err("it is closing");
    assert!(matches!(refused, Error::PoolClosed), "{refused}");
    in_use.give_back().await;
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("in time").expect("closed");
}

/// It keeps its turn until it is over: nobody waits for its connection while another one comes back.
#[tokio::test]
async fn a_statement_that_was_given_up_takes_no_turn_of_others() {
    let connections = open(2, None).await;
    let other = connections.borrow().await.expect("one");
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
    let slow = sqlx::query(slow).execute(&connections);
    tokio::time::timeout(Duration::from_millis(20), slow).await.expect_err("it never ends");
    let (found, ()) = tokio::join!(ask(&connections), other.give_back());
    assert_eq!(found, 7);
}

#[test]
fn one_that_is_dropped_when_there_is_no_runtime_is_closed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let connections = runtime.block_on(open(1, None));
    let borrowed = runtime.block_on(connections.borrow()).expect("a connection");
    drop(borrowed);
    assert_eq!(runtime.block_on(ask(&connections)), 7);
    drop(runtime);
    drop(connections);
}
