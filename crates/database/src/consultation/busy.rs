//! When doctors are not free.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Span;
use crate::{
    Database, DatabaseError,
    statement::{Statement, uuid_rows},
};

#[derive(sqlx::FromRow)]
struct Taken {
    doctor_id: Uuid,
    #[sqlx(flatten)]
    span: Span,
}

static SLOTS: Statement = Statement::new(
    "SELECT s.doctor_id, s.starts_at, s.ends_at FROM slot s \
     WHERE s.doctor_id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND s.starts_at < $3 AND s.ends_at > $2 \
     AND (s.expires_at IS NULL OR s.expires_at > $4) ORDER BY s.starts_at",
);

static WALK_INS: Statement = Statement::new(
    "SELECT c.doctor_id, c.scheduled_at FROM consultation c \
     WHERE c.doctor_id IN (SELECT id FROM ROWS($1: id uuid) AS r) AND c.scheduled_at > $2 AND c.scheduled_at < $3 \
     AND c.ends_at IS NULL AND c.status IN ('booked', 'arrived', 'in_progress')",
);

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
        let (slots, walk_ins) = (SLOTS.on(self.dialect()), WALK_INS.on(self.dialect()));
        let list = uuid_rows(doctors.iter().copied());
        let (taken, begun): (Vec<Taken>, Vec<(Uuid, DateTime<Utc>)>) = on!(self, engine => {
            let taken = sqlx::query_as(slots)
                .bind(&list)
                .bind(within.starts_at)
                .bind(within.ends_at)
                .bind(now)
                .fetch_all(&engine.read)
                .await?;
            let begun = sqlx::query_as(walk_ins)
                .bind(&list)
                .bind(within.starts_at - walk_in_lasts)
                .bind(within.ends_at)
                .fetch_all(&engine.read)
                .await?;
            (taken, begun)
        });
        let taken = taken.into_iter().map(|Taken { doctor_id, span }| (doctor_id, span));
        let begun = begun.into_iter().map(|(doctor_id, starts_at)| {
            (doctor_id, Span { starts_at, ends_at: starts_at + walk_in_lasts })
        });
        Ok(taken.chain(begun).collect())
    }
}
