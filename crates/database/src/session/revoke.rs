//! Taking sessions back. The process that does it knows at once; other processes on the same database hear of it, and
//! ask for what was revoked lately, at most once in [`LOOK_AGAIN`], whatever number of requests they serve.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx};

/// What was revoked elsewhere is asked for when the last answer is older than this.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// An answer older than this proves nothing: the caller is told that it cannot be known.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// What is asked for again each time: clocks of two nodes may differ, and a transaction takes its time to commit.
const OVERLAP_MINUTES: i64 = 10;
/// A token may be taken a little after its end, so a revoked session is remembered beyond it.
const REMEMBERED_AFTER_END_SECONDS: i64 = 120;

/// Which sessions to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSet {
    /// One.
    One(Uuid),
    /// Every one of an account.
    OfUser(Uuid),
    /// Every one that opens this consultation or share link.
    OfGrant(Uuid),
}

impl SessionSet {
    fn condition(self) -> (&'static str, Uuid) {
        match self {
            Self::One(id) => ("id = $1", id),
            Self::OfUser(id) => ("user_id = $1", id),
            Self::OfGrant(id) => ("grant_id = $1", id),
        }
    }
}

/// The revoked sessions whose tokens could still be good; shared by all clones of a [`Database`].
#[derive(Default)]
pub(crate) struct RevokedSessions {
    known: RwLock<HashMap<Uuid, DateTime<Utc>>>,
    /// When the database was last asked, on both clocks.
    asked: Mutex<Option<(Instant, DateTime<Utc>)>>,
    asking: tokio::sync::Mutex<()>,
}

impl RevokedSessions {
    pub(crate) fn add(&self, sessions: Vec<(Uuid, DateTime<Utc>)>) {
        if !sessions.is_empty() {
            self.known.write().unwrap_or_else(PoisonError::into_inner).extend(sessions);
        }
    }

    fn contains(&self, id: Uuid) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    fn asked(&self) -> Option<(Instant, DateTime<Utc>)> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.asked().is_some_and(|(at, _)| at.elapsed() < age)
    }

    fn answered(&self, at: Instant, now: DateTime<Utc>, sessions: Vec<(Uuid, DateTime<Utc>)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(sessions);
        known.retain(|_, ends| *ends > now);
        drop(known);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, now));
    }
}

impl fmt::Debug for RevokedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevokedSessions(..)")
    }
}

/// Takes sessions back when the transaction commits, with one audit record each. Gives how many there were.
pub(crate) async fn revoke_sessions(
    tx: &mut Tx,
    set: SessionSet,
    reason: &str,
    actor: &AuditActor,
) -> Result<usize, DatabaseError> {
    let (condition, id) = set.condition();
    let sql = sqlx::AssertSqlSafe(format!(
        "UPDATE session SET revoked_at = $2, revoked_reason = $3 \
         WHERE {condition} AND revoked_at IS NULL AND expires_at > $2 RETURNING id, expires_at"
    ));
    let now = tx.now;
    let revoked: Vec<(Uuid, DateTime<Utc>)> = on_tx!(tx, connection =>
        sqlx::query_as(sql).bind(id).bind(now).bind(reason).fetch_all(connection).await?);
    let records: Vec<_> = revoked
        .iter()
        .map(|(id, _)| {
            let mut record = AuditRecord::success(actor, "revoke_session").about(id);
            reason.clone_into(&mut record.detail);
            record
        })
        .collect();
    insert_audit(tx, &records).await?;
    let remembered = TimeDelta::seconds(REMEMBERED_AFTER_END_SECONDS);
    tx.revoked_sessions.extend(revoked.iter().map(|(id, ends)| (*id, *ends + remembered)));
    Ok(revoked.len())
}

impl Database {
    /// Takes sessions back: every token of them is refused from now on here, and within five seconds by every other
    /// process on this database. Gives how many were live.
    pub async fn revoke_sessions(
        &self,
        set: SessionSet,
        reason: &str,
        actor: &AuditActor,
    ) -> Result<usize, DatabaseError> {
        let mut tx = self.begin().await?;
        let revoked = revoke_sessions(&mut tx, set, reason, actor).await?;
        self.commit(tx).await?;
        Ok(revoked)
    }

    /// Takes one session back; false when it was not live.
    pub async fn revoke_session(
        &self,
        id: Uuid,
        reason: &str,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        Ok(self.revoke_sessions(SessionSet::One(id), reason, actor).await? > 0)
    }

    /// Whether a session was taken back, by anybody, up to five seconds ago; usually from memory.
    ///
    /// # Errors
    /// When the database could not be asked for longer than that: then nothing is known, and nobody may come in.
    pub async fn is_session_revoked(&self, id: Uuid) -> Result<bool, DatabaseError> {
        let revoked = &self.shared().revoked_sessions;
        if revoked.contains(id) {
            return Ok(true);
        }
        if !revoked.is_younger_than(LOOK_AGAIN) {
            // One asks; the others go on with what is known while that is good enough.
            let turn = if revoked.is_younger_than(TRUSTED_FOR) {
                revoked.asking.try_lock().ok()
            } else {
                Some(revoked.asking.lock().await)
            };
            if turn.is_some() && !revoked.is_younger_than(LOOK_AGAIN) {
                let asked = self.ask_for_revoked_sessions().await;
                if !revoked.is_younger_than(TRUSTED_FOR) {
                    asked?;
                }
            }
        }
        Ok(revoked.contains(id))
    }

    pub(crate) async fn ask_for_revoked_sessions(&self) -> Result<(), DatabaseError> {
        const SQL: &str = "SELECT id, expires_at FROM session WHERE revoked_at >= $1 AND expires_at > $2";
        let shared = self.shared();
        let (at, now) = (Instant::now(), shared.clock.now());
        let remembered = TimeDelta::seconds(REMEMBERED_AFTER_END_SECONDS);
        let since = shared
            .revoked_sessions
            .asked()
            .map_or(DateTime::UNIX_EPOCH, |(_, last)| last.min(now) - TimeDelta::minutes(OVERLAP_MINUTES));
        let found: Vec<(Uuid, DateTime<Utc>)> = on!(self, engine => sqlx::query_as(SQL)
            .bind(since)
            .bind(now - remembered)
            .fetch_all(&engine.read)
            .await?);
        let found = found.into_iter().map(|(id, ends)| (id, ends + remembered)).collect();
        shared.revoked_sessions.answered(at, now, found);
        Ok(())
    }
}
