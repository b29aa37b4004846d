//! Turns share a COMMIT and a place in the audit trail, and nothing else.

use sqlx::{migrate::Migrator, pool::PoolOptions};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::{AuditActor, batch::Batch, migrate::migrations, statement::Dialect};

struct Room {
    turns: Turns,
    pool: Connections<Sqlite>,
    broken: watch::Sender<bool>,
}

impl Room {
    async fn new() -> Self {
        Self::with_patience(Duration::from_secs(5)).await
    }

    async fn with_patience(patience: Duration) -> Self {
        let options = PoolOptions::<Sqlite>::new().max_connections(1).max_lifetime(None);
        let pool = options.idle_timeout(None).connect("sqlite::memory:").await.expect("SQLite");
        sqlx::query("CREATE TABLE t (n INTEGER PRIMARY KEY)").execute(&pool).await.expect("made");
        let migrator = Migrator::with_migrations(migrations(Dialect::Sqlite));
        migrator.run(&pool).await.expect("migrated");
        let pool = Connections::new(pool, None);
        let chain = Arc::new(ChainMemory::new(Uuid::from_u128(7)));
        let broken = watch::channel(false).0;
        let turns = Turns::new(pool.clone(), chain, broken.clone(), patience);
        Self { turns, pool, broken }
    }

    async fn rows(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(&self.pool).await.expect("read")
    }

    async fn records(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM audit").fetch_one(&self.pool).await.expect("read")
    }
}

/// A turn that is recorded as nothing is kept.
async fn keep(turn: Turn) -> Result<(), DatabaseError> {
    turn.keep(Vec::new(), DateTime::UNIX_EPOCH).await
}

async fn insert(turn: &mut Turn, n: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO t VALUES ($1)").bind(n).execute(&mut **turn).await.map(drop)
}

/// Asks for a turn in a task of its own, so that it waits before the turn that has the connection ends.
fn ask(turns: &Turns) -> JoinHandle<Result<Turn, DatabaseError>> {
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
    let first = tokio::spawn(keep(first));
    let mut second = second.await.expect("no panic").expect("a turn");
    insert(&mut second, 2).await.expect("inserted");
    assert!(insert(&mut second, 1).await.is_err(), "it sees what the turn before it did");
    drop(second);
    let mut third = third.await.expect("no panic").expect("a turn");
    insert(&mut third, 3).await.expect("inserted");
    assert!(!first.is_finished(), "success was told before the COMMIT");
    keep(third).await.expect("kept");
    first.await.expect("no panic").expect("kept");
    assert_eq!(room.rows().await, [1, 3]);
}

#[tokio::test]
async fn what_turns_are_recorded_as_is_chained_in_their_order_without_those_that_were_dropped() {
    let room = Room::new().await;
    let mut turn = room.turns.take().await.expect("a turn");
    let mut kept = Vec::new();
    for n in 1..=4 {
        let next = ask(&room.turns);
        tokio::task::yield_now().await;
        insert(&mut turn, n).await.expect("inserted");
        if n == 3 {
            drop(turn);
        } else {
            let record = AuditRecord::success(&AuditActor::default(), "count").saying(n.to_string());
            let at = DateTime::from_timestamp(1_800_000_000 + n, 0).expect("a time");
            kept.push(tokio::spawn(turn.keep(vec![record], at)));
        }
        turn = next.await.expect("no panic").expect("a turn");
    }
    drop(turn);
    for one in kept {
        one.await.expect("no panic").expect("kept");
    }
    assert_eq!(room.rows().await, [1, 2, 4]);
    let trail: Vec<(i64, String, DateTime<Utc>)> =
        sqlx::query_as("SELECT chain_sequence, detail, at FROM audit ORDER BY sequence")
            .fetch_all(&room.pool)
            .await
            .expect("read");
    let found: Vec<_> =
        trail.iter().map(|(place, said, at)| (*place, said.as_str(), at.timestamp())).collect();
    assert_eq!(found, [(1, "1", 1_800_000_001), (2, "2", 1_800_000_002), (3, "4", 1_800_000_004)]);
}

#[tokio::test]
async fn nothing_is_kept_without_its_record() {
    let room = Room::new().await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(refuse).execute(&room.pool).await.expect("made");
    for n in 1..4 {
        let mut turn = room.turns.take().await.expect("a turn");
        insert(&mut turn, n).await.expect("inserted");
        let record = AuditRecord::success(&AuditActor::default(), "count");
        turn.keep(vec![record], DateTime::UNIX_EPOCH).await.expect_err("not recorded");
    }
    assert_eq!(room.rows().await, [0; 0]);
}

#[tokio::test]
async fn when_the_engine_rolls_back_by_itself_nobody_is_told_of_success() {
    let room = Room::new().await;
    let mut first = room.turns.take().await.expect("a turn");
    let second = ask(&room.turns);
    tokio::task::yield_now().await;
    insert(&mut first, 1).await.expect("inserted");
    let record = AuditRecord::success(&AuditActor::default(), "count");
    let first = tokio::spawn(first.keep(vec![record], DateTime::UNIX_EPOCH));
    let mut second = second.await.expect("no panic").expect("a turn");
    // As SQLite does when the disk is full.
    sqlx::query("ROLLBACK").execute(&mut *second).await.expect("rolled back");
    let after = ask(&room.turns);
    tokio::task::yield_now().await;
    keep(second).await.expect_err("kept nothing");
    let told = first.await.expect("no panic");
    assert!(matches!(told, Err(DatabaseError::Unavailable(_))), "{told:?}: trying again helps");
    assert!(after.await.expect("no panic").is_err(), "a turn in a transaction that is no more");
    let mut later = room.turns.take().await.expect("a turn");
    insert(&mut later, 4).await.expect("inserted");
    keep(later).await.expect("kept");
    assert_eq!(room.rows().await, [4]);
    assert_eq!(room.records().await, 0, "a record of what was rolled back");
}

/// When nobody comes after who meets it.
#[tokio::test]
async fn nothing_is_recorded_of_what_the_engine_has_rolled_back() {
    let room = Room::new().await;
    let mut turn = room.turns.take().await.expect("a turn");
    insert(&mut turn, 1).await.expect("inserted");
    sqlx::query("ROLLBACK").execute(&mut *turn).await.expect("rolled back");
    let record = AuditRecord::success(&AuditActor::default(), "count");
    turn.keep(vec![record], DateTime::UNIX_EPOCH).await.expect_err("kept nothing");
    assert_eq!(room.rows().await, [0; 0]);
    assert_eq!(room.records().await, 0);
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
    keep(next).await.expect("kept");
    assert_eq!(room.rows().await, [1]);
}

/// Work in a task of its own: these rows, one statement each, and a record of each.
fn insert_all(turns: &Turns, rows: &[i64]) -> JoinHandle<Result<(), NotDone>> {
    let mut batch = Batch::default();
    for n in rows {
        batch.push("INSERT INTO t VALUES ($1)", [(*n).into()]);
    }
    let records =
        rows.iter().map(|n| AuditRecord::success(&AuditActor::default(), "count").saying(n.to_string()));
    let (turns, records) = (turns.clone(), records.collect());
    tokio::spawn(async move { Turn::carry_out(turns, batch, records, Clock::system()).await })
}

#[tokio::test]
async fn work_that_fails_takes_back_its_own_rows_and_records_alone() {
    let room = Room::new().await;
    let mut first = room.turns.take().await.expect("a turn");
    insert(&mut first, 1).await.expect("inserted");
    let mut work = Vec::new();
    for rows in [[2, 3], [4, 1], [5, 2], [6, 60], [8, 80], [9, 3], [11, 110]] {
        work.push(insert_all(&room.turns, &rows));
        tokio::task::yield_now().await;
    }
    let last = ask(&room.turns);
    tokio::task::yield_now().await;
    let first = tokio::spawn(keep(first));
    let mut last = last.await.expect("no panic").expect("a turn");
    let finished: Vec<_> = work.iter().map(JoinHandle::is_finished).collect();
    assert_eq!(
        finished,
        [false, true, true, false, false, true, false],
        "only those that failed before the COMMIT"
    );
    insert(&mut last, 7).await.expect("inserted");
    drop(last);
    first.await.expect("no panic").expect("kept");
    for (one, failed) in work.into_iter().zip(finished) {
        let end = one.await.expect("no panic");
        assert!(matches!((&end, failed), (Ok(()), false) | (Err(NotDone::Statement(_)), true)), "{end:?}");
    }
    assert_eq!(room.rows().await, [1, 2, 3, 6, 8, 11, 60, 80, 110]);
    assert_eq!(room.records().await, 8);
}

#[tokio::test]
async fn work_goes_on_from_work_and_alone() {
    let room = Room::new().await;
    insert_all(&room.turns, &[1]).await.expect("no panic").expect("kept");
    assert!(matches!(insert_all(&room.turns, &[2, 1]).await.expect("no panic"), Err(NotDone::Statement(_))));
    insert_all(&room.turns, &[2]).await.expect("no panic").expect("kept");
    assert_eq!(room.rows().await, [1, 2]);
    assert_eq!(room.records().await, 2);
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_not_begun_and_what_has_begun_is_kept() {
    let room = Room::new().await;
    let turn = room.turns.take().await.expect("a turn");
    let (given_up, waiting) = (insert_all(&room.turns, &[1]), insert_all(&room.turns, &[2]));
    tokio::task::yield_now().await;
    given_up.abort();
    given_up.await.expect_err("aborted");
    drop(turn);
    waiting.await.expect("no panic").expect("kept");
    assert_eq!(room.rows().await, [2]);
}

#[tokio::test]
async fn work_whose_time_does_not_come_is_refused() {
    let room = Room::with_patience(Duration::from_millis(20)).await;
    let turn = room.turns.take().await.expect("a turn");
    let refused = insert_all(&room.turns, &[1]).await.expect("no panic");
    assert!(matches!(refused, Err(NotDone::Database(DatabaseError::Busy))), "{refused:?}");
    keep(turn).await.expect("kept");
    assert_eq!(room.rows().await, [0; 0]);
}

#[tokio::test]
async fn work_after_the_engine_has_rolled_back_by_itself_is_lost_with_all_others() {
    let room = Room::new().await;
    let mut first = room.turns.take().await.expect("a turn");
    let work = insert_all(&room.turns, &[2]);
    tokio::task::yield_now().await;
    insert(&mut first, 1).await.expect("inserted");
    sqlx::query("ROLLBACK").execute(&mut *first).await.expect("rolled back");
    let first = tokio::spawn(keep(first));
    let lost = work.await.expect("no panic");
    assert!(
        matches!(lost, Err(NotDone::Database(DatabaseError::Unavailable(_)))),
        "{lost:?}: trying again helps"
    );
    first.await.expect("no panic").expect_err("nothing was kept");
    assert_eq!(room.rows().await, [0; 0]);
    insert_all(&room.turns, &[3]).await.expect("no panic").expect("kept");
    assert_eq!(room.rows().await, [3]);
}

#[tokio::test]
async fn after_the_disk_has_failed_nobody_gets_a_turn() {
    let room = Room::new().await;
    room.broken.send_replace(true);
    assert!(matches!(room.turns.take().await, Err(DatabaseError::Unavailable(_))));
    let refused = insert_all(&room.turns, &[1]).await.expect("no panic");
    assert!(matches!(refused, Err(NotDone::Database(DatabaseError::Unavailable(_)))), "{refused:?}");
    assert_eq!(room.rows().await, [0; 0]);
}

mod trail;
