//! PS3.4 Annex R: who is still to be told that the instances of a study are available. Written down where a study is said to be
//! completed; what is told is read when it is told.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use model::{AeTitle, StudyInstanceUid};
use uuid::Uuid;

use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    owed::{Claimed, OwedTable},
    statement::{Statement, rows, uuid_value},
};

/// A study of which an AE is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityNotice {
    /// Identity.
    pub id: Uuid,
    /// Who is told.
    pub ae_title: AeTitle,
    /// The study.
    pub study_instance_uid: StudyInstanceUid,
    /// Attempts to tell it, the one that runs included.
    pub attempts: u32,
    /// When the study was completed, the last time.
    pub requested_at: DateTime<Utc>,
}

/// How a notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvailabilityEnd {
    /// It knows of so many instances.
    Told(usize),
    /// There is nothing to tell it: no instance that it may see, or it does not want to be told any more.
    Nothing,
    /// It could not be told in time.
    GivenUp,
}

/// SETTLED: an instance whose transaction began before and ends after that of the notice is told of with it.
const OWED: OwedTable = OwedTable { name: "availability_notice", open: "SETTLED" };

static OWE: Statement = Statement::new(
    "INSERT INTO availability_notice (id, ae_title, study_instance_uid, attempts, due_at, requested_at, sequence) \
     SELECT id, ae_title, study_instance_uid, 0, $2, $2, COALESCE(SEQUENCE($3), 0) \
     FROM ROWS($1: id uuid, ae_title text, study_instance_uid text) AS r WHERE true \
     ON CONFLICT (ae_title, study_instance_uid) DO UPDATE SET attempts = 0, due_at = excluded.due_at, \
     requested_at = excluded.requested_at, sequence = excluded.sequence",
);

/// Whoever wants to be told of these completed studies will be, in the transaction that says so of them. In one order, so that two
/// of these never wait for each other.
pub(crate) async fn owe_notices(tx: &mut Tx, studies: &BTreeSet<&str>) -> Result<(), DatabaseError> {
    // A true of JSON is 1 for SQLite.
    const LISTENERS: &str = "SELECT title FROM ae \
        WHERE CAST(profile ->> 'notify_availability' AS TEXT) IN ('true', '1') \
        AND CAST(profile ->> 'enabled' AS TEXT) IN ('true', '1') ORDER BY title";
    if studies.is_empty() {
        return Ok(());
    }
    let listeners: Vec<String> =
        on_tx!(tx, connection => sqlx::query_scalar(LISTENERS).fetch_all(connection).await?);
    if listeners.is_empty() {
        return Ok(());
    }
    let notices = listeners.iter().flat_map(|title| {
        studies.iter().map(|study| vec![uuid_value(Uuid::now_v7()), title.as_str().into(), (*study).into()])
    });
    let (sql, list) = (OWE.on(tx.dialect()), rows(notices.collect()));
    let (now, ordinal) = (tx.now, tx.next_ordinal());
    on_tx!(tx, connection => sqlx::query(sql)
        .bind(list)
        .bind(now)
        .bind(ordinal)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}

impl AvailabilityNotice {
    fn claimed(&self) -> Claimed {
        let attempts = i32::try_from(self.attempts).unwrap_or(i32::MAX);
        Claimed { id: self.id, attempts, requested_at: self.requested_at }
    }
}

impl Database {
    /// Takes the notice that is due the longest; whoever takes it has to say within `lease` what came of it.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn claim_availability_notice(
        &self,
        lease: TimeDelta,
    ) -> Result<Option<AvailabilityNotice>, DatabaseError> {
        const SQL: &str = "SELECT ae_title, study_instance_uid FROM availability_notice WHERE id = $1";
        let Some(Claimed { id, attempts, requested_at }) = self.claim_owed(&OWED, lease).await? else {
            return Ok(None);
        };
        let (ae_title, study): (String, String) =
            on!(self, engine => sqlx::query_as(SQL).bind(id).fetch_one(&engine.read).await?);
        let corrupt = || DatabaseError::Corrupt(format!("availability notice {id}"));
        Ok(Some(AvailabilityNotice {
            id,
            ae_title: AeTitle::parse(&ae_title).map_err(|_| corrupt())?,
            study_instance_uid: StudyInstanceUid::parse(&study).map_err(|_| corrupt())?,
            attempts: u32::try_from(attempts).unwrap_or(0),
            requested_at,
        }))
    }

    /// Puts a notice off.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_availability_notice(
        &self,
        postponed: &AvailabilityNotice,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        self.postpone_owed(&OWED, postponed.claimed(), until).await
    }

    /// Puts off whatever is due to an AE, which does not answer. What others have claimed is theirs.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn postpone_availability_notices_of(
        &self,
        ae_title: &AeTitle,
        until: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        self.postpone_owed_to(&OWED, ae_title, until).await
    }

    /// Ends a notice. One of a study that was completed again meanwhile goes on.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn end_availability_notice(
        &self,
        ended: &AvailabilityNotice,
        end: AvailabilityEnd,
        actor: &AuditActor,
    ) -> Result<(), DatabaseError> {
        const SQL: &str = "DELETE FROM availability_notice WHERE id = $1 AND requested_at = $2";
        let mut record =
            AuditRecord::success(actor, "notify_availability").of_study(&ended.study_instance_uid);
        let ae_title = &ended.ae_title;
        match end {
            AvailabilityEnd::Told(instances) => {
                record.detail = format!("to {ae_title}, {instances} instances");
            }
            AvailabilityEnd::Nothing => {}
            AvailabilityEnd::GivenUp => {
                record.outcome = AuditOutcome::Failed;
                record.detail = format!("{ae_title} could not be told in {} attempts", ended.attempts);
            }
        }
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(ended.id)
            .bind(ended.requested_at)
            .execute(connection)
            .await
            .map(drop)?);
        if end != AvailabilityEnd::Nothing {
            insert_audit(&mut tx, &[record]).await?;
        }
        self.commit(tx).await
    }
}
