//! Emergency accesses: a doctor reads one patient's studies for a short time, says why, and somebody else reviews it.

use chrono::{DateTime, TimeDelta, Utc};
use model::event::Event;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    outbox::insert_events,
    text::{clean, index_text},
};

/// An emergency access to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBreakGlass {
    /// The account.
    pub user_id: Uuid,
    /// Its doctor.
    pub doctor_id: Uuid,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); empty for any.
    pub issuer_of_patient_id: String,
    /// Why.
    pub reason: String,
}

/// An emergency access.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BreakGlass {
    /// Identity.
    pub id: Uuid,
    /// The account.
    pub user_id: Uuid,
    /// Its doctor.
    pub doctor_id: Uuid,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was given back, or its end was recorded.
    pub ended_at: Option<DateTime<Utc>>,
    /// When it was reviewed.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// By whom.
    pub reviewed_by: Option<Uuid>,
    /// What the reviewer wrote.
    pub review_note: String,
}

/// Why an emergency access was refused.
#[derive(Debug, thiserror::Error)]
pub enum BreakGlassRefused {
    /// As many as a day may have.
    #[error("the emergency accesses of these 24 hours are used up")]
    UsedUp,
    /// An earlier one waits too long for its review.
    #[error("an earlier emergency access has not been reviewed")]
    Unreviewed,
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What became of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewOutcome {
    /// It is reviewed now.
    Reviewed,
    /// It was reviewed already.
    AlreadyReviewed,
    /// Nobody reviews the own access.
    Own,
    /// There is none.
    NotFound,
}

const COLUMNS: &str = "SELECT id, user_id, doctor_id, patient_id, issuer_of_patient_id, reason, started_at, \
    expires_at, ended_at, reviewed_at, reviewed_by, review_note FROM break_glass";

impl Database {
    /// Begins an emergency access: its row, its audit record and its alert.
    ///
    /// # Errors
    /// See [`BreakGlassRefused`].
    pub async fn start_break_glass(
        &self,
        new: NewBreakGlass,
        actor: &AuditActor,
    ) -> Result<BreakGlass, BreakGlassRefused> {
        const SQL: &str = "INSERT INTO break_glass (id, user_id, doctor_id, patient_id, issuer_of_patient_id, \
            reason, started_at, expires_at, review_note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')";
        let config = self.access();
        let mut tx = self.begin().await?;
        lock_user(&mut tx, new.user_id).await?;
        let now = tx.now;
        let late = now - TimeDelta::days(i64::from(config.break_glass_review_days));
        let unreviewed = "doctor_id = $1 AND reviewed_at IS NULL AND started_at <= $2";
        if count(&mut tx, unreviewed, new.doctor_id, late).await? > 0 {
            return Err(BreakGlassRefused::Unreviewed);
        }
        let today =
            count(&mut tx, "doctor_id = $1 AND started_at > $2", new.doctor_id, now - TimeDelta::days(1));
        if today.await? >= i64::from(config.break_glass_per_day_max) {
            return Err(BreakGlassRefused::UsedUp);
        }
        let access = BreakGlass {
            id: Uuid::now_v7(),
            user_id: new.user_id,
            doctor_id: new.doctor_id,
            patient_id: index_text(&new.patient_id),
            issuer_of_patient_id: index_text(&new.issuer_of_patient_id),
            reason: clean(&new.reason),
            started_at: now,
            expires_at: now + TimeDelta::minutes(i64::from(config.break_glass_minutes)),
            ended_at: None,
            reviewed_at: None,
            reviewed_by: None,
            review_note: String::new(),
        };
        let inserted: Result<(), sqlx::Error> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(access.id)
            .bind(access.user_id)
            .bind(access.doctor_id)
            .bind(&access.patient_id)
            .bind(&access.issuer_of_patient_id)
            .bind(&access.reason)
            .bind(access.started_at)
            .bind(access.expires_at)
            .execute(connection)
            .await
            .map(|_| ()));
        inserted.map_err(DatabaseError::from)?;
        let alert = Event::BreakGlassStarted { break_glass_id: access.id, doctor_id: access.doctor_id };
        insert_events(&mut tx, &[alert]).await?;
        insert_audit(&mut tx, &[AuditRecord::success(actor, "start_break_glass").about(access.id)]).await?;
        self.commit(tx).await?;
        Ok(access)
    }

    /// Ends an account's own emergency access before its time; false when none of that id runs.
    pub async fn end_break_glass(
        &self,
        user_id: Uuid,
        id: Uuid,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "UPDATE break_glass SET ended_at = $3 \
            WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let ended = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(user_id)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if ended == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "end_break_glass").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Records the end of emergency accesses whose time is over; how many there were. They opened nothing any more
    /// since then: this is for the trail.
    pub async fn end_expired_break_glass(&self) -> Result<u64, DatabaseError> {
        const FIND: &str = "SELECT id FROM break_glass WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 100";
        const SQL: &str = "UPDATE break_glass SET ended_at = expires_at WHERE id = $1 AND ended_at IS NULL";
        let now = self.shared().clock.now();
        let expired: Vec<Uuid> =
            on!(self, engine => sqlx::query_scalar(FIND).bind(now).fetch_all(&engine.read).await?);
        let mut ended = 0;
        for id in expired {
            let mut tx = self.begin().await?;
            let changed = on_tx!(tx, connection => sqlx::query(SQL).bind(id).execute(connection).await?.rows_affected());
            if changed == 0 {
                continue;
            }
            let actor = AuditActor { role: "system".to_owned(), ..AuditActor::default() };
            let mut record = AuditRecord::success(&actor, "end_break_glass").about(id);
            "its time was over".clone_into(&mut record.detail);
            insert_audit(&mut tx, &[record]).await?;
            self.commit(tx).await?;
            ended += changed;
        }
        Ok(ended)
    }

    /// Emergency accesses, the newest first: of one account or of all, those without review or every one.
    pub async fn break_glass_list(
        &self,
        user_id: Option<Uuid>,
        unreviewed_only: bool,
        limit: u32,
    ) -> Result<Vec<BreakGlass>, DatabaseError> {
        let mut sql = format!("{COLUMNS} WHERE 1 = 1");
        if unreviewed_only {
            sql.push_str(" AND reviewed_at IS NULL");
        }
        if user_id.is_some() {
            sql.push_str(" AND user_id = $2");
        }
        sql.push_str(" ORDER BY started_at DESC, id LIMIT $1");
        Ok(on!(self, engine => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(i64::from(limit));
            if let Some(user_id) = user_id {
                query = query.bind(user_id);
            }
            query.fetch_all(&engine.read).await?
        }))
    }

    /// Closes the review of an emergency access; never of the own one.
    pub async fn review_break_glass(
        &self,
        id: Uuid,
        (reviewer, note): (Uuid, &str),
        actor: &AuditActor,
    ) -> Result<ReviewOutcome, DatabaseError> {
        const SQL: &str = "UPDATE break_glass SET reviewed_at = $2, reviewed_by = $3, review_note = $4 \
            WHERE id = $1 AND reviewed_at IS NULL AND user_id <> $3";
        let find = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
        let mut tx = self.begin().await?;
        let found: Option<BreakGlass> =
            on_tx!(tx, connection => sqlx::query_as(find).bind(id).fetch_optional(connection).await?);
        let Some(found) = found else { return Ok(ReviewOutcome::NotFound) };
        if found.user_id == reviewer {
            return Ok(ReviewOutcome::Own);
        }
        let (now, note) = (tx.now, clean(note));
        let reviewed = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(now)
            .bind(reviewer)
            .bind(note)
            .execute(connection)
            .await?
            .rows_affected());
        if reviewed == 0 {
            return Ok(ReviewOutcome::AlreadyReviewed);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "review_break_glass").about(id)]).await?;
        self.commit(tx).await?;
        Ok(ReviewOutcome::Reviewed)
    }
}

/// Lets one emergency access of an account begin at a time, so that none is counted too few.
async fn lock_user(tx: &mut Tx, user_id: Uuid) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE users SET updated_at = updated_at WHERE id = $1 AND active";
    let locked = on_tx!(tx, connection =>
        sqlx::query(SQL).bind(user_id).execute(connection).await?.rows_affected());
    if locked == 0 { Err(DatabaseError::NotFound) } else { Ok(()) }
}

async fn count(tx: &mut Tx, which: &str, doctor_id: Uuid, time: DateTime<Utc>) -> Result<i64, DatabaseError> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM break_glass WHERE {which}"));
    Ok(on_tx!(tx, connection =>
        sqlx::query_scalar(sql).bind(doctor_id).bind(time).fetch_one(connection).await?))
}
