//! When doctors are not free.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    clinical::Doctor,
    schedule::{Exception, Rules},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::Span;
use crate::{
    Database, DatabaseError, ScheduleRow, doctor,
    gathered::read,
    statement::{Statement, uuid_rows},
};

#[derive(sqlx::FromRow)]
struct Taken {
    doctor_id: Uuid,
    starts_at: DateTime<Utc>,
    /// None of a walk-in.
    ends_at: Option<DateTime<Utc>>,
}

/// A doctor, hours when somebody said any, and what is taken.
#[derive(sqlx::FromRow)]
struct CalendarRow {
    #[sqlx(flatten)]
    doctor: doctor::Row,
    rules: Option<Json<Rules>>,
    rules_version: Option<i64>,
    exceptions: Option<Json<Vec<Exception>>>,
    exceptions_version: Option<i64>,
    taken: String,
}

const TAKEN: &str = "SELECT s.doctor_id, s.starts_at, s.ends_at FROM slot s \
     WHERE s.doctor_id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND s.starts_at < $3 AND s.ends_at > $2 \
     AND (s.expires_at IS NULL OR s.expires_at > $4) \
     UNION ALL SELECT c.doctor_id, c.scheduled_at, c.ends_at FROM consultation c \
     WHERE c.doctor_id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND c.scheduled_at > $5 AND c.scheduled_at < $3 \
     AND c.ends_at IS NULL AND c.status IN ('booked', 'arrived', 'in_progress')";

static TAKEN_OF: Statement = Statement::new(TAKEN);

static CALENDAR: Statement = Statement::made(|| {
    format!(
        "{}, hours.rules, hours.rules_version, hours.exceptions, hours.exceptions_version, \
         (SELECT GATHERED(t.starts_at, t.ends_at) FROM ({TAKEN}) AS t) AS taken \
         FROM doctor LEFT JOIN doctor_schedule AS hours ON hours.doctor_id = doctor.id WHERE doctor.id = $6",
        doctor::COLUMNS
    )
});

fn span(starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>, walk_in_lasts: TimeDelta) -> Span {
    Span { starts_at, ends_at: ends_at.unwrap_or(starts_at + walk_in_lasts) }
}

impl Database {
    /// When these doctors are not free in a period: what is taken or held, and consultations that were begun without an
    /// appointment, each for `walk_in_lasts`.
    pub async fn busy_spans(
        &self,
        doctors: &[Uuid],
        within: Span,
        walk_in_lasts: TimeDelta,
    ) -> Result<Vec<(Uuid, Span)>, DatabaseError> {
        let now = self.shared().clock.now();
        let sql = TAKEN_OF.on(self.dialect());
        let taken: Vec<Taken> = on!(self, engine => sqlx::query_as(sql)
            .bind(uuid_rows(doctors.iter().copied()))
            .bind(within.starts_at)
            .bind(within.ends_at)
            .bind(now)
            .bind(within.starts_at - walk_in_lasts)
            .fetch_all(&engine.read)
            .await?);
        let show = |row: Taken| (row.doctor_id, span(row.starts_at, row.ends_at, walk_in_lasts));
        Ok(taken.into_iter().map(show).collect())
    }

    /// A doctor with the hours, and when the doctor is not free as in [`Self::busy_spans`], asked for together.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn doctor_calendar(
        &self,
        id: Uuid,
        within: Span,
        walk_in_lasts: TimeDelta,
    ) -> Result<Option<(Doctor, ScheduleRow, Vec<Span>)>, DatabaseError> {
        let now = self.shared().clock.now();
        let sql = CALENDAR.on(self.dialect());
        let row: Option<CalendarRow> = on!(self, engine => sqlx::query_as(sql)
            .bind(uuid_rows([id]))
            .bind(within.starts_at)
            .bind(within.ends_at)
            .bind(now)
            .bind(within.starts_at - walk_in_lasts)
            .bind(id)
            .fetch_optional(&engine.read)
            .await?);
        let Some(row) = row else { return Ok(None) };
        let schedule = ScheduleRow {
            rules: row.rules.map(|rules| rules.0).unwrap_or_default(),
            rules_version: row.rules_version.unwrap_or_default(),
            exceptions: row.exceptions.map(|exceptions| exceptions.0).unwrap_or_default(),
            exceptions_version: row.exceptions_version.unwrap_or_default(),
        };
        let taken: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)> = read(&row.taken)?;
        let taken = taken.into_iter().map(|(starts_at, ends_at)| span(starts_at, ends_at, walk_in_lasts));
        Ok(Some((row.doctor.into(), schedule, taken.collect())))
    }
}
