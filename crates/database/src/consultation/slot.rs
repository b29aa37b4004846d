//! Times that are taken: by consultations while they are open, and by holds until they expire. That no two overlap is
//! held by the database itself (an exclusion constraint on PostgreSQL, a trigger under the one writer of SQLite); what
//! is here takes and gives them back.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use model::{access::Scope, clinical::Consultation};
use uuid::Uuid;

use super::BookingError;
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, advisory_lock::lock, audit::insert_audit, batch::Batch,
    engine::Tx, statement::Dialect,
};

/// Whose time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// The doctor has another consultation then, or somebody holds the time.
    Doctor,
    /// The patient has another consultation then.
    Patient,
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Doctor => "of the doctor",
            Self::Patient => "of the patient",
        })
    }
}

/// From then until before then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Span {
    /// Begins.
    pub starts_at: DateTime<Utc>,
    /// Ends before.
    pub ends_at: DateTime<Utc>,
}

/// A time to be kept free for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHold {
    /// Whose time.
    pub doctor_id: Uuid,
    /// Which.
    pub span: Span,
    /// For how long it is kept.
    pub lasts: TimeDelta,
}

/// A time that is kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Identity.
    pub id: Uuid,
    /// Whose time.
    pub doctor_id: Uuid,
    /// Which.
    pub span: Span,
    /// Until when it is kept.
    pub expires_at: DateTime<Utc>,
}

/// A row of `slot`.
struct Slot<'a> {
    id: Uuid,
    doctor_id: Uuid,
    /// Patient ID and its issuer.
    patient: Option<(&'a str, &'a str)>,
    span: Span,
    consultation_id: Option<Uuid>,
    held_by: Option<Uuid>,
    expires_at: Option<DateTime<Utc>>,
}

/// Patient ID and issuer, where an empty issuer stands for any; an empty Patient ID is nobody's.
fn patient_of(consultation: &Consultation) -> Option<(&str, &str)> {
    let Consultation { patient_id, issuer_of_patient_id, .. } = consultation;
    (!patient_id.is_empty()).then_some((patient_id, issuer_of_patient_id))
}

/// On PostgreSQL two bookings that exclude each other would wait for each other until one is killed as a deadlock: they
/// queue here instead, for the doctor first and for the patient then.
pub(super) async fn lock_calendars(tx: &mut Tx, consultation: &Consultation) -> Result<(), DatabaseError> {
    lock(tx, &consultation.doctor_id.to_string()).await?;
    // Without the issuer: one that is empty meets all of them.
    match patient_of(consultation) {
        Some((patient_id, _)) => lock(tx, &format!("patient {patient_id}")).await,
        None => Ok(()),
    }
}

/// Takes the time of a consultation that is open and has an end.
pub(super) fn take_slot(batch: &mut Batch, consultation: &Consultation, now: DateTime<Utc>) {
    let ends_at = consultation.ends_at.filter(|_| consultation.status.is_open());
    let Some(ends_at) = ends_at else { return };
    let slot = Slot {
        id: Uuid::now_v7(),
        doctor_id: consultation.doctor_id,
        patient: patient_of(consultation),
        span: Span { starts_at: consultation.scheduled_at, ends_at },
        consultation_id: Some(consultation.id),
        held_by: None,
        expires_at: None,
    };
    insert_slot(batch, &slot, now);
}

/// Gives back the time that a consultation had.
pub(super) fn give_back_slot(batch: &mut Batch, consultation_id: Uuid) {
    batch.push("DELETE FROM slot WHERE consultation_id = $1", [consultation_id.into()]);
}

fn insert_slot(batch: &mut Batch, slot: &Slot<'_>, now: DateTime<Utc>) {
    const EXPIRED: &str = "DELETE FROM slot WHERE doctor_id = $1 AND expires_at <= $2";
    const SQL: &str = "INSERT INTO slot (id, doctor_id, patient_key, starts_at, ends_at, consultation_id, held_by, \
        expires_at, issuer_of_patient_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    batch.push(EXPIRED, [slot.doctor_id.into(), now.into()]);
    let binds = [
        slot.id.into(),
        slot.doctor_id.into(),
        slot.patient.map(|(patient_id, _)| patient_id).into(),
        slot.span.starts_at.into(),
        slot.span.ends_at.into(),
        slot.consultation_id.into(),
        slot.held_by.into(),
        slot.expires_at.into(),
        slot.patient.map(|(_, issuer)| issuer).into(),
    ];
    batch.push(SQL, binds);
}

/// Why a batch that takes a time was not run: without a doctor there is none to take.
pub(super) fn not_booked(error: sqlx::Error, dialect: Dialect) -> BookingError {
    match taken(&error, dialect) {
        Some(whose) => BookingError::Taken(whose),
        None => match DatabaseError::from(error) {
            error if error.is_foreign_key_violation() => DatabaseError::NotFound.into(),
            error => error.into(),
        },
    }
}

/// Whose calendar refused, by the name of the constraint or trigger.
fn taken(error: &sqlx::Error, dialect: Dialect) -> Option<Calendar> {
    let sqlx::Error::Database(error) = error else { return None };
    let name = match dialect {
        Dialect::Postgres => error.constraint().unwrap_or_default(),
        Dialect::Sqlite => error.message(),
    };
    [(Calendar::Doctor, "slot_of_doctor"), (Calendar::Patient, "slot_of_patient")]
        .into_iter()
        .find_map(|(whose, refusal)| (name == refusal).then_some(whose))
}

/// Gives a hold of this account back; false when there is none any more.
pub(super) async fn release_hold(
    tx: &mut Tx,
    id: Uuid,
    doctor_id: Option<Uuid>,
    held_by: Option<Uuid>,
) -> Result<bool, DatabaseError> {
    const SQL: &str = "DELETE FROM slot WHERE id = $1 AND held_by = $2 AND expires_at > $3 \
        AND (doctor_id = $4 OR $4 IS NULL)";
    let now = tx.now;
    let released = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(id)
        .bind(held_by)
        .bind(now)
        .bind(doctor_id)
        .execute(connection)
        .await?
        .rows_affected());
    Ok(released > 0)
}

impl Database {
    /// Keeps a time free for an account that is about to book it.
    ///
    /// # Errors
    /// See [`BookingError`]; [`DatabaseError::Conflict`] when the account holds `holds_max` already.
    pub async fn create_hold(
        &self,
        scope: &Scope,
        new: NewHold,
        holds_max: u32,
        actor: &AuditActor,
    ) -> Result<Hold, BookingError> {
        const COUNT: &str = "SELECT COUNT(*) FROM slot WHERE held_by = $1 AND expires_at > $2";
        if !scope.includes_doctor(new.doctor_id) {
            return Err(DatabaseError::NotFound.into());
        }
        let mut tx = self.begin().await?;
        // The account first, for it counts with all doctors; a booking takes no account, so nobody waits in a circle.
        if let Some(account) = actor.user_id {
            lock(&mut tx, &format!("account {account}")).await?;
        }
        lock(&mut tx, &new.doctor_id.to_string()).await?;
        let now = tx.now;
        let held: i64 = on_tx!(tx, connection => sqlx::query_scalar(COUNT)
            .bind(actor.user_id)
            .bind(now)
            .fetch_one(connection)
            .await
            .map_err(DatabaseError::from)?);
        if held >= i64::from(holds_max) {
            return Err(DatabaseError::Conflict("this account holds too many times".to_owned()).into());
        }
        let hold = Hold {
            id: Uuid::now_v7(),
            doctor_id: new.doctor_id,
            span: new.span,
            expires_at: now + new.lasts,
        };
        let slot = Slot {
            id: hold.id,
            doctor_id: hold.doctor_id,
            patient: None,
            span: hold.span,
            consultation_id: None,
            held_by: actor.user_id,
            expires_at: Some(hold.expires_at),
        };
        let mut batch = Batch::default();
        insert_slot(&mut batch, &slot, now);
        batch.run(&mut tx).await.map_err(|error| not_booked(error, tx.dialect()))?;
        insert_audit(&mut tx, &[AuditRecord::success(actor, "create_hold").about(hold.id)]).await?;
        self.commit(tx).await?;
        Ok(hold)
    }

    /// Gives a hold back before its time; false when the account has none of that id.
    pub async fn release_hold(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        if !release_hold(&mut tx, id, None, actor.user_id).await? {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "release_hold").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
