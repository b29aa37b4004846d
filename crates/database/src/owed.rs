//! What AEs are to be told: rows that are due, claimed by whoever tells them, so that no two nodes make the same attempt, and put off
//! when they could not be told. A node that dies over one loses it after a while.

use chrono::{DateTime, TimeDelta, Utc};
use model::AeTitle;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    statement::{Dialect, spell},
};

/// A table of such rows: `id`, `ae_title`, `attempts`, `due_at`, and `requested_at`, which is another one when it is owed anew.
pub(crate) struct OwedTable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Of rows that are to be told.
    pub(crate) open: &'static str,
}

/// An attempt at a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    /// Attempts, this one included.
    pub(crate) attempts: i32,
    pub(crate) requested_at: DateTime<Utc>,
}

impl Database {
    /// Takes what is due the longest; whoever takes it has to say within `lease` what came of it.
    pub(crate) async fn claim_owed(
        &self,
        table: &OwedTable,
        lease: TimeDelta,
    ) -> Result<Option<Claimed>, DatabaseError> {
        let OwedTable { name, open } = table;
        let due = spell(
            &format!(
                "SELECT id, attempts, requested_at FROM {name} WHERE {open} AND due_at <= $1 \
                 ORDER BY due_at, attempts LIMIT 1"
            ),
            self.dialect(),
        );
        let claim = spell(
            &format!(
                "UPDATE {name} SET due_at = $2, attempts = attempts + 1 \
                 WHERE id = $1 AND {open} AND attempts = $3 AND due_at <= $4 AND requested_at = $5"
            ),
            self.dialect(),
        );
        let now = self.now();
        loop {
            let sql = AssertSqlSafe(due.as_str());
            let found: Option<Claimed> =
                on!(self, engine => sqlx::query_as(sql).bind(now).fetch_optional(&engine.read).await?);
            let Some(found) = found else { return Ok(None) };
            let mut tx = self.begin().await?;
            let sql = AssertSqlSafe(claim.as_str());
            let claimed = on_tx!(tx, connection => sqlx::query(sql)
                .bind(found.id)
                .bind(now + lease)
                .bind(found.attempts)
                .bind(now)
                .bind(found.requested_at)
                .execute(connection)
                .await?
                .rows_affected());
            self.commit(tx).await?;
            // Another node was faster: there may be others.
            if claimed == 1 {
                return Ok(Some(Claimed { attempts: found.attempts + 1, ..found }));
            }
        }
    }

    /// Puts a row off, when it is still at this attempt.
    pub(crate) async fn postpone_owed(
        &self,
        table: &OwedTable,
        claimed: Claimed,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let OwedTable { name, open } = table;
        let sql = format!(
            "UPDATE {name} SET due_at = $2 WHERE id = $1 AND {open} AND attempts = $3 AND requested_at = $4"
        );
        let sql = AssertSqlSafe(spell(&sql, self.dialect()));
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(sql)
            .bind(claimed.id)
            .bind(until)
            .bind(claimed.attempts)
            .bind(claimed.requested_at)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }

    /// Puts off whatever is due to an AE, which does not answer. What others have claimed is theirs.
    pub(crate) async fn postpone_owed_to(
        &self,
        table: &OwedTable,
        ae_title: &AeTitle,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let OwedTable { name, open } = table;
        let mut tx = self.begin().await?;
        // In one order, and not what somebody is writing: nobody waits for this one who makes it wait.
        let lock = match tx.dialect() {
            Dialect::Postgres => " ORDER BY id FOR UPDATE SKIP LOCKED",
            Dialect::Sqlite => "",
        };
        let sql = format!(
            "UPDATE {name} SET due_at = $2 WHERE id IN \
             (SELECT id FROM {name} WHERE ae_title = $1 AND {open} AND due_at <= $3{lock})"
        );
        let (sql, now) = (AssertSqlSafe(spell(&sql, tx.dialect())), tx.now);
        on_tx!(tx, connection => sqlx::query(sql)
            .bind(ae_title.as_str())
            .bind(until)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }
}
