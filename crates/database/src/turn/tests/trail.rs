//! The audit trail under other hands.

use super::*;

#[tokio::test]
async fn a_transaction_that_cannot_see_the_trail_is_not_left_open() {
    let room = Room::new().await;
    // Its text is known to the connection.
    keep(room.turns.take().await.expect("a turn")).await.expect("kept");
    sqlx::query("ALTER TABLE audit RENAME TO away").execute(&room.pool).await.expect("renamed");
    for _ in 0..3 {
        let refused = room.turns.take().await;
        assert!(refused.is_err(), "nothing is written that cannot be recorded");
    }
    let back = "BEGIN IMMEDIATE; ALTER TABLE away RENAME TO audit; COMMIT";
    sqlx::query(back).execute(&room.pool).await.expect("no transaction is open");
    let mut turn = room.turns.take().await.expect("a turn");
    insert(&mut turn, 1).await.expect("inserted");
    keep(turn).await.expect("kept");
}

/// As a newer version does that migrates beside this one.
#[tokio::test]
async fn a_trail_that_another_program_has_changed_stops_nobody_for_good() {
    let room = Room::with_patience(Duration::from_secs(1)).await;
    let record = || vec![AuditRecord::success(&AuditActor::default(), "count")];
    let store = async |n: i64| {
        let mut turn = room.turns.take().await?;
        insert(&mut turn, n).await?;
        turn.keep(record(), DateTime::UNIX_EPOCH).await
    };
    store(1).await.expect("kept");
    let rename = async |sql: &'static str| sqlx::query(sql).execute(&room.pool).await.expect("renamed");
    rename("ALTER TABLE audit RENAME COLUMN detail TO elsewhere").await;
    for n in 2..5 {
        let refused = tokio::time::timeout(Duration::from_secs(20), store(n)).await.expect("an answer");
        assert!(refused.is_err(), "nothing is kept without its record");
    }
    rename("ALTER TABLE audit RENAME COLUMN elsewhere TO detail").await;
    store(5).await.expect("kept");
    assert_eq!((room.rows().await, room.records().await), (vec![1, 5], 2));
}
