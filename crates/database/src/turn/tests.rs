//! Turns share a COMMIT, and nothing else.

use sqlx::pool::PoolOptions;

use super::*;

struct Room {
    turns: Turns,
    pool: Pool<Sqlite>,
}

impl Room {
    async fn new() -> Self {
        let options = PoolOptions::<Sqlite>::new().min_connections(1).max_connections(1).max_lifetime(None);
        let pool = options.idle_timeout(None).connect("sqlite::memory:").await.expect("SQLite");
        sqlx::query("CREATE TABLE t (n INTEGER PRIMARY KEY)").execute(&pool).await.expect("made");
        let turns = Turns::new(pool.clone(), watch::channel(false).0, Duration::from_secs(5));
        Self { turns, pool }
    }

    async fn rows(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(&self.pool).await.expect("read")
    }
}

async fn insert(turn: &mut Turn, n: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO t VALUES ($1)").bind(n).execute(&mut **turn).await.map(drop)
}

/// Asks for a turn in a task of its own, so that it waits before the turn that has the connection ends.
fn ask(turns: &Turns) -> tokio::task::JoinHandle<Result<Turn, DatabaseError>> {
    let turns = turns.clone();
    tokio::spawn(async move { turns.take().await })
}

#[tokio::test]
async fn a_turn_that_is_dropped_takes_back_its_own_rows_alone() {
    let room = Room::new().await;
    let mut first = room.turns.take().await.expect("a turn");
    let (second, third) = (ask(&room.turns), ask(&room.turns));
    tokio::task::yield_now().await;
    insert(&mut first, 1).await.expect("inserted");
    let first = tokio::spawn(first.keep());
    let mut second = second.await.expect("no panic").expect("a turn");
    insert(&mut second, 2).await.expect("inserted");
    assert!(insert(&mut second, 1).await.is_err(), "it sees what the turn before it did");
    drop(second);
    let mut third = third.await.expect("no panic").expect("a turn");
    insert(&mut third, 3).await.expect("inserted");
    assert!(!first.is_finished(), "success was told before the COMMIT");
    third.keep().await.expect("kept");
    first.await.expect("no panic").expect("kept");
    assert_eq!(room.rows().await, [1, 3]);
}

#[tokio::test]
async fn when_the_engine_rolls_back_by_itself_nobody_is_told_of_success() {
    let room = Room::new().await;
    let mut first = room.turns.take().await.expect("a turn");
    let second = ask(&room.turns);
    tokio::task::yield_now().await;
    insert(&mut first, 1).await.expect("inserted");
    let first = tokio::spawn(first.keep());
    let mut second = second.await.expect("no panic").expect("a turn");
    // As SQLite does when the disk is full.
    sqlx::query("ROLLBACK").execute(&mut *second).await.expect("rolled back");
    let after = ask(&room.turns);
    tokio::task::yield_now().await;
    second.keep().await.expect_err("kept nothing");
    first.await.expect("no panic").expect_err("was rolled back");
    assert!(after.await.expect("no panic").is_err(), "a turn in a transaction that is no more");
    let mut later = room.turns.take().await.expect("a turn");
    insert(&mut later, 4).await.expect("inserted");
    later.keep().await.expect("kept");
    assert_eq!(room.rows().await, [4]);
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_it_is_busy() {
    let room = Room::new().await;
    let turns = Turns { patience: Duration::from_millis(20), ..room.turns.clone() };
    let held = turns.take().await.expect("a turn");
    assert!(matches!(turns.take().await.err(), Some(DatabaseError::Busy)));
    drop(held);
    // The turn that nobody waits for any more is passed over.
    let mut next = turns.take().await.expect("a turn");
    insert(&mut next, 1).await.expect("inserted");
    next.keep().await.expect("kept");
    assert_eq!(room.rows().await, [1]);
}
