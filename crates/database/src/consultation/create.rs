//! Booking or starting a consultation.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    access::{Extent, Scope},
    clinical::Consultation,
    event::Event,
};
use uuid::Uuid;

use super::{
    NewConsultation,
    history::note_change,
    slot::{Calendar, lock_calendars, not_booked, release_hold, take_slot},
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    batch::Batch,
    notification::plan_reminders,
    outbox::add_events,
    text::{clean, index_text},
    turn::NotDone,
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
        // A hold and a claim have to be looked at.
        let known = new.hold_id.is_none() && actor.claim.is_none();
        let mut tx = if known { self.begin_batch().await? } else { self.begin().await? };
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
        let mut batch = Batch::default();
        insert(&mut batch, &consultation, opens_from);
        take_slot(&mut batch, &consultation, tx.now);
        plan_reminders(&mut batch, &tx, self.reminder_minutes_before(), (None, &consultation));
        let command = if new.status.is_open() { "book" } else { "propose" };
        note_change(&mut batch, &consultation, (command, ""), actor);
        let event = Event::ConsultationScheduled {
            consultation_id: consultation.id,
            doctor_id: consultation.doctor_id,
            status: Some(consultation.status),
            change: Some(consultation.status.into()),
        };
        add_events(&mut batch, &mut tx, &[event])?;
        let record = AuditRecord::success(actor, "create_consultation").about(consultation.id);
        insert_audit(&mut tx, &[record]).await?;
        let committed = self.commit_batch(tx, batch).await;
        committed.map_err(|not_done| match not_done {
            NotDone::Statement(error) => not_booked(error, self.dialect()),
            NotDone::Database(error) => error.into(),
        })?;
        Ok(consultation)
    }
}

fn insert(batch: &mut Batch, consultation: &Consultation, opens_from: Option<DateTime<Utc>>) {
    const SQL: &str = "INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, \
        status, scheduled_at, ends_at, reason, version, created_at, updated_at, created_by, closed_at, opens_from) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14)";
    let binds = [
        consultation.id.into(),
        consultation.doctor_id.into(),
        consultation.patient_id.as_str().into(),
        consultation.issuer_of_patient_id.as_str().into(),
        consultation.patient_name.as_str().into(),
        consultation.status.as_str().into(),
        consultation.scheduled_at.into(),
        consultation.ends_at.into(),
        consultation.reason.as_str().into(),
        consultation.version.into(),
        consultation.created_at.into(),
        consultation.created_by.into(),
        consultation.closed_at.into(),
        opens_from.into(),
    ];
    batch.push(SQL, binds);
}
