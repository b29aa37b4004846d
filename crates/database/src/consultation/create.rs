//! Booking or starting a consultation.

use chrono::TimeDelta;
use model::{
    access::{Extent, Scope},
    clinical::Consultation,
    event::Event,
};
use uuid::Uuid;

use super::{
    NewConsultation,
    history::note_change,
    slot::{Calendar, lock_calendars, release_hold, take_slot},
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    notification::plan_reminders,
    outbox::insert_events,
    text::{clean, index_text},
};

/// Why a consultation was not booked.
#[derive(Debug, thiserror::Error)]
pub enum BookingError {
    /// Somebody else has that time.
    #[error("the time is taken: {0}")]
    Taken(Calendar),
    /// The hold is over, or is another account's or doctor's.
    #[error("there is no such hold any more")]
    HoldGone,
    /// Anything else.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Database {
    /// Books or starts a consultation.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when the doctor does not exist or is out of reach; see [`BookingError`].
    pub async fn create_consultation(
        &self,
        scope: &Scope,
        new: NewConsultation,
        actor: &AuditActor,
    ) -> Result<Consultation, BookingError> {
        if !scope.includes_doctor(new.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        let mut tx = self.begin().await?;
        let consultation = Consultation {
            id: Uuid::now_v7(),
            doctor_id: new.doctor_id,
            patient_id: index_text(&new.patient_id),
            issuer_of_patient_id: index_text(&new.issuer_of_patient_id),
            patient_name: clean(&new.patient_name),
            status: new.status,
            scheduled_at: new.scheduled_at,
            ends_at: new.ends_at,
            reason: clean(&new.reason),
            version: 1,
            created_by: actor.user_id,
            closed_at: new.status.is_over().then_some(tx.now),
            created_at: tx.now,
            updated_at: tx.now,
        };
        // Whoever books for himself must not open a patient's past with it.
        let self_booked = matches!(scope.extent(), Extent::Doctor { .. });
        let look_back = TimeDelta::hours(i64::from(self.access().self_booked_look_back_hours));
        let opens_from = self_booked.then(|| tx.now - look_back);
        lock_calendars(&mut tx, &consultation).await?;
        if let Some(hold_id) = new.hold_id {
            let released = release_hold(&mut tx, hold_id, Some(new.doctor_id), actor.user_id).await?;
            if !released {
                return Err(BookingError::HoldGone);
            }
        }
        insert(&mut tx, &consultation, opens_from).await?;
        take_slot(&mut tx, &consultation).await?;
        plan_reminders(&mut tx, self.reminder_minutes_before(), None, &consultation).await?;
        let command = if new.status.is_open() { "book" } else { "propose" };
        note_change(&mut tx, &consultation, command, "", actor).await?;
        let event = Event::ConsultationScheduled {
            consultation_id: consultation.id,
            doctor_id: consultation.doctor_id,
        };
        insert_events(&mut tx, &[event]).await?;
        let record = AuditRecord::success(actor, "create_consultation").about(consultation.id);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(consultation)
    }
}

async fn insert(
    tx: &mut Tx,
    consultation: &Consultation,
    opens_from: Option<chrono::DateTime<chrono::Utc>>,
) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, \
        status, scheduled_at, ends_at, reason, version, created_at, updated_at, created_by, closed_at, opens_from) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14)";
    let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(consultation.id)
        .bind(consultation.doctor_id)
        .bind(&consultation.patient_id)
        .bind(&consultation.issuer_of_patient_id)
        .bind(&consultation.patient_name)
        .bind(consultation.status.as_str())
        .bind(consultation.scheduled_at)
        .bind(consultation.ends_at)
        .bind(&consultation.reason)
        .bind(consultation.version)
        .bind(consultation.created_at)
        .bind(consultation.created_by)
        .bind(consultation.closed_at)
        .bind(opens_from)
        .execute(connection)
        .await
        .map(drop)
        .map_err(DatabaseError::from));
    match inserted {
        Err(error) if error.is_foreign_key_violation() => Err(DatabaseError::NotFound),
        other => other,
    }
}
