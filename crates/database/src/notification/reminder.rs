//! Reminders of consultations. They are planned in the transaction that books, moves or ends a consultation, and each is
//! taken away in the transaction that writes its event: sent once, whatever stops in between.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    clinical::{Consultation, ConsultationStatus},
    event::Event,
};
use uuid::Uuid;

use crate::{
    Database, DatabaseError,
    batch::Batch,
    engine::Tx,
    outbox::insert_events,
    statement::{Dialect, Statement, rows, time_value, uuid_value},
};

static INSERT: Statement = Statement::new(
    "INSERT INTO reminder (consultation_id, minutes_before, due_at) \
     SELECT consultation_id, minutes_before, due_at \
     FROM ROWS($1: consultation_id uuid, minutes_before integer, due_at timestamptz) AS r WHERE true \
     ON CONFLICT DO NOTHING",
);

#[derive(sqlx::FromRow)]
struct Due {
    consultation_id: Uuid,
    minutes_before: i32,
    doctor_id: Uuid,
    scheduled_at: DateTime<Utc>,
    time_zone: String,
}

/// When the start of a consultation is something to be reminded of: it is agreed, and its doctor is not in it.
fn awaited_start(consultation: &Consultation) -> Option<DateTime<Utc>> {
    let awaited = matches!(consultation.status, ConsultationStatus::Booked | ConsultationStatus::Arrived);
    awaited.then_some(consultation.scheduled_at)
}

/// Plans the reminders of a consultation that was made or changed. Those whose time has passed are not planned; those of
/// a start that stays as it was are left as they are.
pub(crate) fn plan_reminders(
    batch: &mut Batch,
    tx: &Tx,
    minutes_before: &[u32],
    (before, after): (Option<&Consultation>, &Consultation),
) {
    const FORGET: &str = "DELETE FROM reminder WHERE consultation_id = $1";
    let (was, start) = (before.and_then(awaited_start), awaited_start(after));
    if was == start {
        return;
    }
    if was.is_some() {
        batch.push(FORGET, [after.id.into()]);
    }
    let planned = minutes_before.iter().filter_map(|minutes| {
        let due_at = start?.checked_sub_signed(TimeDelta::minutes(i64::from(*minutes)))?;
        (due_at > tx.now).then(|| vec![uuid_value(after.id), (*minutes).into(), time_value(due_at)])
    });
    let planned: Vec<_> = planned.collect();
    if !planned.is_empty() {
        batch.push(INSERT.on(tx.dialect()), [rows(planned).into()]);
    }
}

impl Database {
    /// When the next reminder is due; it may have been due for long.
    pub async fn next_reminder(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        const SQL: &str = "SELECT due_at FROM reminder ORDER BY due_at LIMIT 1";
        Ok(on!(self, engine => sqlx::query_scalar(SQL).fetch_optional(&engine.read).await?))
    }

    /// Turns reminders that are due into events, at most `limit`, and gives how many it took. One that comes too late
    /// because nothing ran, after the start of its consultation, is of no use to anybody and is dropped.
    pub async fn send_due_reminders(&self, limit: u32) -> Result<u64, DatabaseError> {
        const TAKE: &str = "DELETE FROM reminder WHERE consultation_id = $1 AND minutes_before = $2";
        let mut tx = self.begin().await?;
        let due = lock_due(&mut tx, limit).await?;
        let mut events = Vec::with_capacity(due.len());
        for reminder in &due {
            on_tx!(tx, connection => sqlx::query(TAKE)
                .bind(reminder.consultation_id)
                .bind(reminder.minutes_before)
                .execute(connection)
                .await
                .map(drop)?);
            if reminder.scheduled_at > tx.now {
                events.push(event_of(reminder)?);
            }
        }
        let late = due.len() - events.len();
        insert_events(&mut tx, &events).await?;
        self.commit(tx).await?;
        metrics::counter!("maxray_reminders_sent_total").increment(events.len() as u64);
        metrics::counter!("maxray_reminders_too_late_total").increment(late as u64);
        Ok(due.len() as u64)
    }
}

/// What is due, oldest first. On PostgreSQL other nodes pass over these rows, and a change of their consultation waits.
async fn lock_due(tx: &mut Tx, limit: u32) -> Result<Vec<Due>, DatabaseError> {
    let lock = match tx.dialect() {
        Dialect::Postgres => " FOR UPDATE OF r SKIP LOCKED",
        Dialect::Sqlite => "",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT r.consultation_id, r.minutes_before, c.doctor_id, c.scheduled_at, d.time_zone FROM reminder r \
         JOIN consultation c ON c.id = r.consultation_id JOIN doctor d ON d.id = c.doctor_id \
         WHERE r.due_at <= $1 ORDER BY r.due_at, r.consultation_id LIMIT $2{lock}"
    ));
    let now = tx.now;
    Ok(on_tx!(tx, connection =>
        sqlx::query_as(sql).bind(now).bind(i64::from(limit)).fetch_all(connection).await?))
}

fn event_of(reminder: &Due) -> Result<Event, DatabaseError> {
    let minutes_before = u32::try_from(reminder.minutes_before)
        .map_err(|_| DatabaseError::Corrupt(format!("reminder of {}", reminder.consultation_id)))?;
    Ok(Event::ReminderDue {
        consultation_id: reminder.consultation_id,
        doctor_id: reminder.doctor_id,
        minutes_before,
        scheduled_at: reminder.scheduled_at,
        time_zone: reminder.time_zone.clone(),
    })
}
