//! Several rules that ask for the same: an instance waits by one of them, and by the next one when that does not count any more.

use model::AeTitle;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::queue::NewForward;
use crate::{
    DatabaseError,
    engine::Tx,
    statement::{Dialect, Statement, rows, spell, uuid_value},
};

/// That a rule `r` counts. A true of JSON is 1 for SQLite.
const COUNTS: &str = "CAST(r.rule ->> 'enabled' AS TEXT) IN ('true', '1')";
/// The claims of a row of `forward`, each with its rule.
const CLAIMS: &str = "FROM forward_claim c JOIN forward_rule r ON r.id = c.rule_id \
    WHERE c.instance = forward.instance AND c.destination = forward.destination";

/// The one that goes first.
fn heaviest() -> String {
    format!("{CLAIMS} ORDER BY ({COUNTS}) DESC, c.priority DESC, c.rule_id LIMIT 1")
}

/// Those by which an instance does not wait.
static OTHERS: Statement = Statement::new(
    "INSERT INTO forward_claim (instance, destination, rule_id, priority) \
     SELECT r.instance, r.destination, r.rule_id, r.priority \
     FROM ROWS($1: rule_id uuid, instance uuid, destination text, priority integer) AS r \
     JOIN forward ON forward.instance = r.instance AND forward.destination = r.destination \
     JOIN forward_rule ON forward_rule.id = r.rule_id \
     WHERE forward.state = 'pending' AND forward.rule_id <> r.rule_id ON CONFLICT DO NOTHING",
);

/// The one by which it does, when there are others: it may be put off and come back.
static OWNERS: Statement = Statement::new(
    "INSERT INTO forward_claim (instance, destination, rule_id, priority) \
     SELECT DISTINCT forward.instance, forward.destination, forward.rule_id, forward.priority \
     FROM ROWS($1: rule_id uuid, instance uuid, destination text, priority integer) AS r \
     JOIN forward ON forward.instance = r.instance AND forward.destination = r.destination \
     WHERE forward.state = 'pending' AND forward.rule_id <> r.rule_id ON CONFLICT DO NOTHING",
);

/// What of it rules ask for now: they were read some time ago. Until the end of the transaction none of them changes.
pub(super) async fn still_asked_for(
    tx: &mut Tx,
    new: &[NewForward],
) -> Result<Vec<NewForward>, DatabaseError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let lock = match tx.dialect() {
        Dialect::Postgres => " ORDER BY r.id FOR SHARE",
        Dialect::Sqlite => "",
    };
    let sql = AssertSqlSafe(format!(
        "SELECT r.id, r.rule ->> 'destination' FROM forward_rule r WHERE {COUNTS}{lock}"
    ));
    let rules: Vec<(Uuid, String)> =
        on_tx!(tx, connection => sqlx::query_as(sql).fetch_all(connection).await?);
    let asks = |one: &&NewForward| {
        rules.iter().any(|(id, to)| *id == one.rule_id && to.as_str() == one.destination.as_str())
    };
    Ok(new.iter().filter(asks).cloned().collect())
}

/// A rule is about to change: whoever queues by it has ended, or waits and sees it changed.
pub(super) async fn hold(tx: &mut Tx, id: Uuid) -> Result<(), DatabaseError> {
    if tx.dialect() == Dialect::Postgres {
        const SQL: &str = "SELECT id FROM forward_rule WHERE id = $1 FOR NO KEY UPDATE";
        on_tx!(tx, connection => sqlx::query(SQL).bind(id).fetch_optional(connection).await.map(drop)?);
    }
    Ok(())
}

/// Notes which rules ask for what waits already by another one; it waits by the heaviest of them then.
pub(super) async fn claim(tx: &mut Tx, new: &[NewForward]) -> Result<(), DatabaseError> {
    let list: Vec<Vec<Value>> = new
        .iter()
        .map(|one| {
            let destination = one.destination.as_str().into();
            vec![uuid_value(one.rule_id), uuid_value(one.instance), destination, one.priority.into()]
        })
        .collect();
    for statement in [&OTHERS, &OWNERS] {
        let (sql, list) = (statement.on(tx.dialect()), rows(list.clone()));
        let claimed = on_tx!(tx, connection =>
            sqlx::query(sql).bind(list).execute(connection).await?.rows_affected());
        if claimed == 0 {
            return Ok(());
        }
    }
    let heaviest = heaviest();
    let sql = format!(
        "UPDATE forward SET rule_id = (SELECT c.rule_id {heaviest}), priority = (SELECT c.priority {heaviest}) \
         WHERE state = 'pending' AND (instance, destination) IN (SELECT r.instance, r.destination \
         FROM ROWS($1: rule_id uuid, instance uuid, destination text, priority integer) AS r) \
         AND EXISTS (SELECT 1 {CLAIMS} AND {COUNTS} AND c.priority > forward.priority)"
    );
    let (sql, list) = (AssertSqlSafe(spell(&sql, tx.dialect())), rows(list));
    on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
    Ok(())
}

/// What has not arrived, and waits by a rule that does not count for it any more or by `removed`, waits by the heaviest of the
/// others that do; when none does and its own is gone, by the heaviest that may count again.
pub(super) async fn hand_over(tx: &mut Tx, removed: Option<Uuid>) -> Result<(), DatabaseError> {
    const MINE: &str = "DELETE FROM forward_claim WHERE rule_id = $1";
    const OWNER: &str = "SELECT 1 FROM forward_rule r WHERE r.id = forward.rule_id AND r.id <> $1 \
        AND r.rule ->> 'destination' = forward.destination";
    let (gone, heaviest) = (removed.unwrap_or_default(), heaviest());
    on_tx!(tx, connection => sqlx::query(MINE).bind(gone).execute(connection).await.map(drop)?);
    let sql = AssertSqlSafe(format!(
        "UPDATE forward SET rule_id = (SELECT c.rule_id {heaviest}), priority = (SELECT c.priority {heaviest}) \
         WHERE state <> 'sent' AND ((NOT EXISTS ({OWNER}) AND EXISTS (SELECT 1 {CLAIMS})) \
         OR (NOT EXISTS ({OWNER} AND {COUNTS}) AND EXISTS (SELECT 1 {CLAIMS} AND {COUNTS})))"
    ));
    on_tx!(tx, connection => sqlx::query(sql).bind(gone).execute(connection).await.map(drop)?);
    Ok(())
}

/// A rule asks for nothing at other destinations than this any more.
pub(super) async fn leave(tx: &mut Tx, id: Uuid, destination: &AeTitle) -> Result<(), DatabaseError> {
    const SQL: &str = "DELETE FROM forward_claim WHERE rule_id = $1 AND destination <> $2";
    on_tx!(tx, connection =>
        sqlx::query(SQL).bind(id).bind(destination.as_str()).execute(connection).await.map(drop)?);
    Ok(())
}
