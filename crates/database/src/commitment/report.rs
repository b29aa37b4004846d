//! Requests are reported on.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use model::{AeTitle, access::Scope};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Commitment, OWED, Row};
use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError, StoredInstance,
    audit::insert_audit,
    instance::STORED_INSTANCE,
    statement::{Statement, spell, text_rows},
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitmentEnd {
    /// The requestor knows.
    Reported {
        /// Instances that are committed to.
        committed: usize,
        /// The others.
        failed: usize,
    },
    /// It could not be told in time.
    GivenUp,
}

static SENT: Statement = Statement::new(
    "SELECT DISTINCT subject FROM audit \
     WHERE study_instance_uid IN (SELECT r.uid FROM ROWS($1: uid text) AS r) AND study_instance_uid <> '' \
     AND calling_ae = $2 AND action = 'store_instance' AND outcome = 'success'",
);

impl Database {
    /// Takes the request that is due the longest; whoever takes it has to say within `lease` what came of it.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn claim_commitment(&self, lease: TimeDelta) -> Result<Option<Commitment>, DatabaseError> {
        const SQL: &str = "SELECT id, ae_title, called_ae_title, transaction_uid, referenced, duplicate \
            FROM commitment WHERE id = $1";
        let Some(claimed) = self.claim_owed(&OWED, lease).await? else { return Ok(None) };
        let row: Row =
            on!(self, engine => sqlx::query_as(SQL).bind(claimed.id).fetch_one(&engine.read).await?);
        Commitment::new(&row, claimed).map(Some)
    }

    /// Puts a request off.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_commitment(
        &self,
        postponed: &Commitment,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        self.postpone_owed(&OWED, postponed.claimed(), until).await
    }

    /// Puts off whatever else of an AE is due: it does not answer. What others have claimed is theirs.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_commitments_of(
        &self,
        ae_title: &AeTitle,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        self.postpone_owed_to(&OWED, ae_title, until).await
    }

    /// Ends a request. One that was sent again meanwhile goes on.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn end_commitment(
        &self,
        ended: &Commitment,
        end: CommitmentEnd,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE commitment SET state = $2, referenced = '[]', ended_at = $3 \
            WHERE id = $1 AND state = 'pending' AND requested_at = $4";
        let mut record = AuditRecord::success(actor, "report_commitment").about(&ended.transaction_uid);
        let state = match end {
            CommitmentEnd::Reported { committed, failed } => {
                record.detail = format!("to {}: {committed} committed, {failed} failed", ended.ae_title);
                "reported"
            }
            CommitmentEnd::GivenUp => {
                record.outcome = AuditOutcome::Failed;
                record.detail =
                    format!("{} could not be told in {} attempts", ended.ae_title, ended.attempts);
                "given_up"
            }
        };
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ended.id)
            .bind(state)
            .bind(now)
            .bind(ended.requested_at)
            .execute(connection)
            .await
            .map(drop)?);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await
    }

    /// Forgets requests that ended before this; gives how many.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn forget_commitments(&self, ended_before: DateTime<Utc>) -> Result<u64, DatabaseError> {
        const SQL: &str = "DELETE FROM commitment WHERE ended_at < $1 AND state <> 'pending'";
        let mut tx = self.begin().await?;
        let forgotten = on_tx!(tx, connection =>
            sqlx::query(SQL).bind(ended_before).execute(connection).await?.rows_affected());
        self.commit(tx).await?;
        Ok(forgotten)
    }

    /// The current instances of these SOP Instance UIDs that are in reach, in one query whatever their number.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn instances_by_uid(
        &self,
        scope: &Scope,
        sop_instance_uids: &[&str],
    ) -> Result<Vec<StoredInstance>, DatabaseError> {
        let reach = self.study_reach(scope, 2).await?;
        let (before, after) = self.dialect().any_of();
        let sql = format!(
            "{STORED_INSTANCE} FROM instance JOIN series ON series.id = instance.series \
             JOIN study ON study.id = series.study WHERE instance.sop_instance_uid {before}\
             SELECT r.uid FROM ROWS($1: uid text) AS r{after} AND instance.current{}",
            reach.sql
        );
        let sql = AssertSqlSafe(spell(&sql, self.dialect()));
        let list = text_rows(sop_instance_uids.iter().copied());
        Ok(on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(list), reach).fetch_all(&engine.read).await?
        }))
    }

    /// Which of these instances an AE has sent itself, as the audit trail has it.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn sent_by(
        &self,
        ae_title: &AeTitle,
        instances: &[&StoredInstance],
    ) -> Result<HashSet<Uuid>, DatabaseError> {
        let sql = SENT.on(self.dialect());
        let studies: HashSet<&str> =
            instances.iter().map(|instance| instance.study_instance_uid.as_str()).collect();
        let list = text_rows(studies);
        let sent: Vec<String> = on!(self, engine => sqlx::query_scalar(sql)
            .bind(list)
            .bind(ae_title.as_str())
            .fetch_all(&engine.read)
            .await?);
        let sent: HashSet<Uuid> = sent.iter().filter_map(|subject| Uuid::try_parse(subject).ok()).collect();
        Ok(instances.iter().map(|instance| instance.id).filter(|id| sent.contains(id)).collect())
    }
}
