//! Studies of which nothing has come for a while: they count as complete. Read off the outbox, so that storing pays nothing for it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use model::event::{CompletedBy, Event, EventEnvelope};

use crate::{
    Database, DatabaseError, Lease,
    advisory_lock::lock,
    availability::owe_notices,
    engine::Tx,
    outbox::insert_events,
    outbox_cursor::{READ_QUIET_STUDIES, begin_cursor, cursor, end_cursor, move_cursor_of},
    statement::{Statement, rows, text_rows, time_value},
};

static ARRIVED: Statement = Statement::new(
    "INSERT INTO quiet_study (study_instance_uid, last_stored_at) \
     SELECT study_instance_uid, last_stored_at \
     FROM ROWS($1: study_instance_uid text, last_stored_at timestamptz) AS r WHERE true \
     ON CONFLICT (study_instance_uid) DO UPDATE SET last_stored_at = excluded.last_stored_at \
     WHERE quiet_study.last_stored_at < excluded.last_stored_at",
);

static COMPLETED: Statement = Statement::new(
    "DELETE FROM quiet_study WHERE study_instance_uid IN \
     (SELECT study_instance_uid FROM ROWS($1: study_instance_uid text) AS r)",
);

/// Events that may have happened since everything was read; with more of them it is read again first.
const UNREAD_MAX: i64 = 500;

/// How long nothing must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Of a study that no modality is at.
    pub usual: TimeDelta,
    /// Of a study of which a modality said that it is at it (MPPS), and not that it is done.
    pub under_way: TimeDelta,
}

impl Database {
    /// Reads up to `limit` events, remembers which studies got instances, and forgets those that modalities said are
    /// done; gives how many events it read, none when another node holds the lease.
    pub async fn note_arrivals(&self, limit: u32, lease: &Lease) -> Result<Option<usize>, DatabaseError> {
        let from = match cursor(self, READ_QUIET_STUDIES).await? {
            Some(from) => from,
            None => begin_cursor(self, READ_QUIET_STUDIES).await?,
        };
        let events = self.outbox_after(from, limit).await?;
        let Some(last) = events.last() else { return Ok(Some(0)) };
        let (arrived, completed) = sort(&events);
        let mut tx = self.begin().await?;
        if !arrived.is_empty() {
            let list = arrived.iter().map(|(study, at)| vec![(*study).into(), time_value(*at)]);
            let (sql, list) = (ARRIVED.on(tx.dialect()), rows(list.collect()));
            on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
        }
        if !completed.is_empty() {
            let (sql, list) = (COMPLETED.on(tx.dialect()), text_rows(completed));
            on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
        }
        // Not held any more: what was written here is the other node's to write.
        if !move_cursor_of(&mut tx, lease, READ_QUIET_STUDIES, last.sequence).await? {
            return Ok(None);
        }
        self.commit(tx).await?;
        Ok(Some(events.len()))
    }

    /// Forgets what was read: nobody wants to know of quiet studies. Who wants to know later is told of what comes then.
    pub async fn stop_quiet_studies(&self) -> Result<(), DatabaseError> {
        if cursor(self, READ_QUIET_STUDIES).await?.is_none() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        end_cursor(&mut tx, READ_QUIET_STUDIES).await?;
        on_tx!(tx, connection => sqlx::query("DELETE FROM quiet_study").execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// Whether there are events to read or studies to say something of.
    pub async fn has_quiet_work(&self, quiet: Quiet) -> Result<bool, DatabaseError> {
        let read = cursor(self, READ_QUIET_STUDIES).await?;
        let last = self.outbox_last().await?;
        if read.is_none_or(|read| read < last) {
            return Ok(true);
        }
        Ok(!due(self, quiet, 1).await?.is_empty())
    }

    /// Says of studies that have been quiet for long enough that they are complete, at most `limit` of them; gives how many it
    /// took. Call it when [`Self::note_arrivals`] has read everything; a study of which something has happened since waits.
    pub async fn complete_quiet_studies(
        &self,
        quiet: Quiet,
        limit: u32,
        lease: &Lease,
    ) -> Result<u64, DatabaseError> {
        let mut due = due(self, quiet, limit).await?;
        if due.is_empty() {
            return Ok(0);
        }
        due.sort_unstable();
        let read = cursor(self, READ_QUIET_STUDIES).await?.unwrap_or_default();
        let mut tx = self.begin().await?;
        // Who says of one that it is done has said so, or waits for us and finds that it was told.
        for (study, _) in &due {
            lock(&mut tx, &format!("study {study}")).await?;
        }
        let Some(touched) = unread(&mut tx, read).await? else { return Ok(0) };
        due.retain(|(study, _)| !touched.contains(study));
        if due.is_empty() || !take(&mut tx, &due, lease).await? {
            return Ok(0);
        }
        // One that was deleted meanwhile is nothing to tell of.
        let there = due.iter().filter(|(_, there)| *there).map(|(study, _)| Event::StudyCompleted {
            study_instance_uid: study.clone(),
            completed_by: CompletedBy::Quiet,
        });
        insert_events(&mut tx, &there.collect::<Vec<_>>()).await?;
        let there = due.iter().filter(|(_, there)| *there).map(|(study, _)| study.as_str());
        owe_notices(&mut tx, &there.collect()).await?;
        self.commit(tx).await?;
        Ok(due.len() as u64)
    }
}

/// Which studies are quiet, and whether they are still there.
async fn due(database: &Database, quiet: Quiet, limit: u32) -> Result<Vec<(String, bool)>, DatabaseError> {
    const DUE: &str = "SELECT q.study_instance_uid, \
         EXISTS (SELECT 1 FROM study s WHERE s.study_instance_uid = q.study_instance_uid) FROM quiet_study q \
         WHERE q.last_stored_at <= $1 AND (q.last_stored_at <= $2 OR NOT EXISTS (SELECT 1 \
         FROM performed_step_schedule r JOIN performed_step p ON p.id = r.performed_step \
         WHERE r.study_instance_uid = q.study_instance_uid AND p.status = 'IN PROGRESS')) \
         ORDER BY q.last_stored_at LIMIT $3";
    let now = database.now();
    let (usual, under_way) = (now - quiet.usual, now - quiet.under_way.max(quiet.usual));
    Ok(on!(database, engine => sqlx::query_as(DUE)
        .bind(usual)
        .bind(under_way)
        .bind(i64::from(limit))
        .fetch_all(&engine.read)
        .await?))
}

/// Which studies got instances, and when the last; which were said to be done after that.
fn sort(events: &[EventEnvelope]) -> (BTreeMap<&str, DateTime<Utc>>, Vec<&str>) {
    let (mut arrived, mut completed) = (BTreeMap::new(), Vec::new());
    for envelope in events {
        match &envelope.event {
            Event::InstanceStored { study_instance_uid, .. } => {
                arrived.insert(study_instance_uid.as_str(), envelope.at);
                completed.retain(|study| study != study_instance_uid);
            }
            Event::StudyCompleted { study_instance_uid, completed_by: CompletedBy::PerformedStep } => {
                arrived.remove(study_instance_uid.as_str());
                completed.push(study_instance_uid.as_str());
            }
            _ => {}
        }
    }
    (arrived, completed)
}

/// Studies of which something has happened since everything was read, also in transactions that others have to wait for; none
/// when that is too much to look at.
async fn unread(tx: &mut Tx, read: i64) -> Result<Option<BTreeSet<String>>, DatabaseError> {
    const SQL: &str = "SELECT event FROM outbox WHERE sequence > $1 LIMIT $2";
    let found: Vec<String> = on_tx!(tx, connection =>
        sqlx::query_scalar(SQL).bind(read).bind(UNREAD_MAX).fetch_all(connection).await?);
    if found.len() == UNREAD_MAX as usize {
        return Ok(None);
    }
    let study = |text: String| {
        let event: Event = serde_json::from_str(&text)
            .map_err(|_| DatabaseError::Corrupt(format!("an event behind {read}")))?;
        Ok(event.study_instance_uid().map(str::to_owned))
    };
    Ok(Some(
        found.into_iter().filter_map(|text| study(text).transpose()).collect::<Result<_, DatabaseError>>()?,
    ))
}

async fn take(tx: &mut Tx, due: &[(String, bool)], lease: &Lease) -> Result<bool, DatabaseError> {
    let list = text_rows(due.iter().map(|(study, _)| study.as_str()));
    let sql = COMPLETED.on(tx.dialect());
    on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
    lease.is_held(tx).await
}
