//! Instances on their way: made from events behind a cursor, taken by whoever sends them, sent again until they have arrived.

use std::{cmp::Reverse, collections::HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use model::AeTitle;
use uuid::Uuid;

use super::claims::{claim, still_asked_for};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    outbox_cursor::{READ_FORWARDING, cursor, move_cursor},
    statement::{Dialect, Statement, rows, uuid_value},
    text::clean,
};

/// An instance to be sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewForward {
    /// By which rule.
    pub rule_id: Uuid,
    /// The instance.
    pub instance: Uuid,
    /// To whom.
    pub destination: AeTitle,
    /// [`model::forward::ForwardPriority::weight`].
    pub priority: i32,
}

/// One that was taken to be sent.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Forward {
    /// Identity.
    pub id: Uuid,
    /// By which rule.
    pub rule_id: Uuid,
    /// The instance.
    pub instance: Uuid,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Attempts begun, with the present one.
    pub attempts: i32,
    /// How often the destination said that it does not take it.
    pub refusals: i32,
    /// [`model::forward::ForwardPriority::weight`].
    pub priority: i32,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardOutcome {
    /// It arrived.
    Sent,
    /// Another attempt after this time, for this reason; whether the destination refused the instance.
    Again(TimeDelta, String, bool),
    /// It is given up for this reason.
    Dead(String),
}

static INSERT: Statement = Statement::new(
    "INSERT INTO forward (id, rule_id, instance, destination, priority, state, attempts, refusals, due_at, last_error, \
     created_at) SELECT r.id, r.rule_id, r.instance, r.destination, r.priority, 'pending', 0, 0, $2, '', $2 \
     FROM ROWS($1: id uuid, rule_id uuid, instance uuid, destination text, priority integer) AS r \
     JOIN forward_rule ON forward_rule.id = r.rule_id JOIN instance ON instance.id = r.instance WHERE true \
     ON CONFLICT (instance, destination) DO NOTHING",
);

/// Of what waits: that its rule counts now. A true of JSON is 1 for SQLite.
const BY_A_RULE_THAT_COUNTS: &str = "EXISTS (SELECT 1 FROM forward_rule WHERE forward_rule.id = forward.rule_id \
    AND CAST(rule ->> 'enabled' AS TEXT) IN ('true', '1'))";

/// One for each instance and destination, the heaviest: no statement may change a row twice.
fn each_once(new: &[NewForward]) -> Vec<&NewForward> {
    let mut each: Vec<&NewForward> = new.iter().collect();
    each.sort_by_key(|one| Reverse(one.priority));
    let mut seen = HashSet::new();
    each.retain(|one| seen.insert((one.instance, &one.destination)));
    each
}

impl Database {
    /// Up to where events have been looked at by the rules.
    pub async fn forward_cursor(&self) -> Result<i64, DatabaseError> {
        // A migration made it, at the newest event of then.
        cursor(self, READ_FORWARDING)
            .await?
            .ok_or_else(|| DatabaseError::Corrupt("the cursor of forwarding".to_owned()))
    }

    /// Queues instances and moves the cursor behind the events that they came of, in one transaction. Every node may do it: what
    /// is queued already is not queued twice, and goes by the heaviest of its rules.
    pub async fn queue_forwards(&self, new: &[NewForward], until: i64) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        let new = still_asked_for(&mut tx, new).await?;
        if !new.is_empty() {
            let list = each_once(&new).into_iter().map(|one| {
                vec![
                    uuid_value(Uuid::now_v7()),
                    uuid_value(one.rule_id),
                    uuid_value(one.instance),
                    one.destination.as_str().into(),
                    one.priority.into(),
                ]
            });
            let (sql, now) = (INSERT.on(tx.dialect()), tx.now);
            let list = rows(list.collect());
            on_tx!(tx, connection =>
                sqlx::query(sql).bind(list).bind(now).execute(connection).await.map(drop)?);
            claim(&mut tx, &new).await?;
        }
        move_cursor(&mut tx, READ_FORWARDING, until).await?;
        self.commit(tx).await
    }

    /// Destinations that something is due for, those with the heaviest first.
    pub async fn forward_destinations(&self) -> Result<Vec<AeTitle>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT destination FROM forward WHERE due_at <= $1 AND {BY_A_RULE_THAT_COUNTS} GROUP BY destination \
             ORDER BY MAX(priority) DESC, MIN(due_at)"
        ));
        let now = self.shared().clock.now();
        let titles: Vec<String> =
            on!(self, engine => sqlx::query_scalar(sql).bind(now).fetch_all(&engine.read).await?);
        Ok(titles.iter().filter_map(|title| AeTitle::parse(title).ok()).collect())
    }

    /// Takes what is due for a destination by rules that count, the heaviest and oldest first, and counts the attempt. It is
    /// due again after `lease`, unless somebody says before how it ended.
    pub async fn take_forwards(
        &self,
        destination: &AeTitle,
        limit: u32,
        lease: TimeDelta,
    ) -> Result<Vec<Forward>, DatabaseError> {
        let mut tx = self.begin().await?;
        let lock = match tx.dialect() {
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        };
        let sql = sqlx::AssertSqlSafe(format!(
            "UPDATE forward SET attempts = attempts + 1, due_at = $3 WHERE id IN (SELECT id FROM forward \
             WHERE destination = $1 AND due_at <= $2 AND {BY_A_RULE_THAT_COUNTS} ORDER BY priority DESC, id LIMIT $4{lock}) \
             RETURNING id, rule_id, instance, (SELECT sop_instance_uid FROM instance WHERE instance.id = forward.instance) \
             AS sop_instance_uid, attempts, refusals, priority, created_at"
        ));
        let now = tx.now;
        let mut taken: Vec<Forward> = on_tx!(tx, connection => sqlx::query_as(sql)
            .bind(destination.as_str())
            .bind(now)
            .bind(now + lease)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?);
        self.commit(tx).await?;
        // RETURNING has no order; ids grow with time.
        taken.sort_by_key(|forward| (Reverse(forward.priority), forward.id));
        Ok(taken)
    }

    /// Keeps what was taken for `lease` from now.
    pub async fn keep_forwards(&self, ids: &[Uuid], lease: TimeDelta) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE forward SET due_at = $2 WHERE id = $1 AND state = 'pending'";
        let mut tx = self.begin().await?;
        let due_at = tx.now + lease;
        for id in ids {
            on_tx!(tx, connection =>
                sqlx::query(SQL).bind(id).bind(due_at).execute(connection).await.map(drop)?);
        }
        self.commit(tx).await
    }

    /// Says how attempts ended. One whose rule or instance was removed meanwhile leaves no trace.
    pub async fn settle_forwards(&self, ended: &[(Uuid, ForwardOutcome)]) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE forward SET state = $2, due_at = $3, last_error = $4, refusals = refusals + $5, \
            ended_at = $6 WHERE id = $1 AND state = 'pending'";
        let mut tx = self.begin().await?;
        let now = tx.now;
        for (id, outcome) in ended {
            let (state, due_at, error, refused) = match outcome {
                ForwardOutcome::Sent => ("sent", None, "", false),
                ForwardOutcome::Again(wait, why, refused) => {
                    ("pending", Some(now + *wait), why.as_str(), *refused)
                }
                ForwardOutcome::Dead(why) => ("dead", None, why.as_str(), false),
            };
            on_tx!(tx, connection => sqlx::query(SQL)
                .bind(id)
                .bind(state)
                .bind(due_at)
                .bind(clean(error))
                .bind(i32::from(refused))
                .bind(due_at.is_none().then_some(now))
                .execute(connection)
                .await
                .map(drop)?);
        }
        self.commit(tx).await
    }

    /// Sends again what was given up, one or all of it, as if it had never been tried; gives how many.
    pub async fn retry_forwards(&self, id: Option<Uuid>, actor: &AuditActor) -> Result<u64, DatabaseError> {
        let which = match (id, self.dialect()) {
            (Some(_), _) => "id = $2",
            (None, Dialect::Postgres) => "$2::uuid IS NULL",
            (None, Dialect::Sqlite) => "$2 IS NULL",
        };
        let sql = sqlx::AssertSqlSafe(format!(
            "UPDATE forward SET state = 'pending', attempts = 0, refusals = 0, due_at = $1, created_at = $1, ended_at = NULL \
             WHERE state = 'dead' AND {which}"
        ));
        let mut tx = self.begin().await?;
        let now = tx.now;
        let again = on_tx!(tx, connection =>
            sqlx::query(sql).bind(now).bind(id).execute(connection).await?.rows_affected());
        if again == 0 {
            return Ok(0);
        }
        let record = AuditRecord::success(actor, "retry_forwards").saying(format!("{again} instances"));
        let record = id.into_iter().fold(record, AuditRecord::about);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(again)
    }

    /// Forgets what was sent before then, at most `limit`, and gives how many. What was given up stays until somebody decides.
    pub async fn forget_forwards(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, DatabaseError> {
        const SQL: &str = "DELETE FROM forward WHERE id IN (SELECT id FROM forward WHERE ended_at < $1 \
            AND state = 'sent' LIMIT $2)";
        let mut tx = self.begin().await?;
        let forgotten = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(before)
            .bind(i64::from(limit))
            .execute(connection)
            .await?
            .rows_affected());
        self.commit(tx).await?;
        Ok(forgotten)
    }
}
