//! What can be done with a consultation that is there: the commands of its life, and changes of what it says.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    access::{Extent, Scope},
    clinical::{Consultation, ConsultationCommand, ConsultationStatus},
    event::{Change, Event},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    BookingError, COLUMNS, Row,
    history::note_change,
    slot::{Calendar, give_back_slot, lock_calendars, not_booked, take_slot},
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, SessionSet, audit::insert_audit, batch::Batch,
    engine::Tx, notification::plan_reminders, outbox::add_events, scope::Reach, session::revoke_sessions,
    statement::Dialect, text::clean,
};

/// A command, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeConsultation {
    /// What to do.
    pub command: ConsultationCommand,
    /// The version that it is asked for on; `None` for any.
    pub expected_version: Option<i64>,
    /// The new start, and the new length or `None` for the one that it has, for `Reschedule`.
    pub time: Option<(DateTime<Utc>, Option<TimeDelta>)>,
    /// The new doctor, for `Reassign`.
    pub doctor_id: Option<Uuid>,
    /// Why, in the words of who does it.
    pub remark: String,
}

impl ChangeConsultation {
    /// A command that needs nothing else.
    pub fn new(command: ConsultationCommand) -> Self {
        Self { command, expected_version: None, time: None, doctor_id: None, remark: String::new() }
    }
}

/// What to change of what a consultation says; `None` leaves it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsultationEdit {
    /// Name of the patient.
    pub patient_name: Option<String>,
    /// Why the patient comes.
    pub reason: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The command is not legal where the consultation stands.
    #[error("not legal for a consultation that is {}", .0.as_str())]
    Illegal(ConsultationStatus),
    /// Its doctor has to do this.
    #[error("its doctor has to do this")]
    DoctorHasTo,
    /// It is at another version.
    #[error("it was changed meanwhile")]
    Changed,
    /// Its doctor takes no consultations.
    #[error("its doctor takes no consultations")]
    DoctorInactive,
    /// The time is taken.
    #[error("the time is taken: {0}")]
    Taken(Calendar),
    /// Anything else.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<BookingError> for ChangeError {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::Taken(whose) => Self::Taken(whose),
            BookingError::HoldGone => Self::Database(DatabaseError::NotFound),
            BookingError::Database(error) => Self::Database(error),
        }
    }
}

impl Database {
    /// Does what a command says. A consultation that is cancelled, or to which the patient did not come, no longer lets
    /// its doctor see the patient's studies. A doctor who takes no consultations is given no time and no consultation.
    ///
    /// # Errors
    /// See [`ChangeError`]; [`DatabaseError::NotFound`] when it is not there or not in reach.
    pub async fn change_consultation(
        &self,
        scope: &Scope,
        id: Uuid,
        change: ChangeConsultation,
        actor: &AuditActor,
    ) -> Result<Consultation, ChangeError> {
        let reach = self.consultation_reach(scope, 2);
        let mut tx = self.begin().await?;
        let before = lock_row(&mut tx, id, &reach).await?;
        if change.expected_version.is_some_and(|version| version != before.version) {
            return Err(ChangeError::Changed);
        }
        let status = change.command.leads_from(before.status).ok_or(ChangeError::Illegal(before.status))?;
        if matches!(scope.extent(), Extent::Cases { .. }) && !is_for_the_maker(change.command, before.status)
        {
            return Err(ChangeError::DoctorHasTo);
        }
        let mut after =
            Consultation { status, version: before.version + 1, updated_at: tx.now, ..before.clone() };
        after.closed_at = status.is_over().then_some(tx.now);
        if let Some((starts_at, length)) = change.time {
            let length = length.or(before.ends_at.map(|ends_at| ends_at - before.scheduled_at));
            (after.scheduled_at, after.ends_at) = (starts_at, length.map(|length| starts_at + length));
        }
        after.doctor_id = change.doctor_id.unwrap_or(after.doctor_id);
        lock_calendars(&mut tx, &after).await?;
        if asks_for_a_doctor(change.command) && !takes_consultations(&mut tx, after.doctor_id).await? {
            return Err(ChangeError::DoctorInactive);
        }
        update_row(&mut tx, &after).await?;
        let mut batch = Batch::default();
        give_back_slot(&mut batch, id);
        take_slot(&mut batch, &after, tx.now);
        plan_reminders(&mut batch, &tx, self.reminder_minutes_before(), (Some(&before), &after));
        note_change(&mut batch, &after, (change.command.as_str(), &change.remark), actor);
        add_events(&mut batch, &mut tx, &events_of(&before, &after, change.command))?;
        batch.run(&mut tx).await.map_err(|error| not_booked(error, tx.dialect()))?;
        if status.is_over() || after.doctor_id != before.doctor_id {
            let why = "the consultation has ended or has another doctor";
            revoke_sessions(&mut tx, SessionSet::OfGrant(id), why, actor).await?;
        }
        let action = format!("{}_consultation", change.command.as_str().replace('-', "_"));
        let record =
            AuditRecord::success(actor, &action).of_consultation(id).about(id).saying(status.as_str());
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(after)
    }

    /// Changes what a consultation that is not over says. Whoever made it without being its doctor does so until the
    /// doctor is in it.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn edit_consultation(
        &self,
        scope: &Scope,
        id: Uuid,
        (expected_version, edit): (i64, ConsultationEdit),
        actor: &AuditActor,
    ) -> Result<Consultation, ChangeError> {
        let reach = self.consultation_reach(scope, 2);
        let mut tx = self.begin().await?;
        let before = lock_row(&mut tx, id, &reach).await?;
        if before.version != expected_version {
            return Err(ChangeError::Changed);
        }
        if before.status.is_over() {
            return Err(ChangeError::Illegal(before.status));
        }
        let of_maker = matches!(scope.extent(), Extent::Cases { .. });
        if of_maker && before.status == ConsultationStatus::InProgress {
            return Err(ChangeError::DoctorHasTo);
        }
        let ConsultationEdit { patient_name, reason } = edit;
        let after = Consultation {
            patient_name: patient_name.map_or(before.patient_name.clone(), |text| clean(&text)),
            reason: reason.map_or(before.reason.clone(), |text| clean(&text)),
            version: before.version + 1,
            updated_at: tx.now,
            ..before
        };
        update_row(&mut tx, &after).await?;
        let mut batch = Batch::default();
        note_change(&mut batch, &after, ("edit", ""), actor);
        add_events(&mut batch, &mut tx, &[changed(&after, Change::Edited, None)])?;
        batch.run(&mut tx).await.map_err(DatabaseError::from)?;
        let record = AuditRecord::success(actor, "edit_consultation").of_consultation(id).about(id);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(after)
    }
}

/// Whoever made a consultation without being its doctor changes it until the doctor is in it; whether the patient came
/// is known to whoever is with the patient.
fn is_for_the_maker(command: ConsultationCommand, status: ConsultationStatus) -> bool {
    use ConsultationCommand::{Arrive, Cancel, Reassign, Reschedule};
    let before_it_begins = matches!(status, ConsultationStatus::Proposed | ConsultationStatus::Booked);
    before_it_begins && matches!(command, Arrive | Cancel | Reassign | Reschedule)
}

/// Whether it asks for a doctor's time as a booking does: the doctor has to take consultations then.
fn asks_for_a_doctor(command: ConsultationCommand) -> bool {
    use ConsultationCommand::{Confirm, Reassign, Reschedule};
    matches!(command, Confirm | Reschedule | Reassign)
}

/// Whether a doctor takes consultations, and signs, which nobody changes until the transaction ends.
pub(crate) async fn takes_consultations(tx: &mut Tx, doctor_id: Uuid) -> Result<bool, DatabaseError> {
    let sql = match tx.dialect() {
        Dialect::Postgres => "SELECT active FROM doctor WHERE id = $1 FOR SHARE",
        Dialect::Sqlite => "SELECT active FROM doctor WHERE id = $1",
    };
    let active: Option<bool> = on_tx!(tx, connection =>
        sqlx::query_scalar(sql).bind(doctor_id).fetch_optional(connection).await?);
    active.ok_or(DatabaseError::NotFound)
}

/// What is told. Who had a consultation that is another doctor's now hears that, and nothing of what becomes of it.
fn events_of(before: &Consultation, after: &Consultation, command: ConsultationCommand) -> Vec<Event> {
    let (consultation_id, doctor_id) = (after.id, after.doctor_id);
    let (status, change) = (Some(after.status), Change::from(command));
    if after.status.is_over() {
        return vec![Event::ConsultationEnded { consultation_id, doctor_id, status, change: Some(change) }];
    }
    if change == Change::Booked {
        return vec![Event::ConsultationScheduled {
            consultation_id,
            doctor_id,
            status,
            change: Some(change),
        }];
    }
    if doctor_id == before.doctor_id {
        return vec![changed(after, change, None)];
    }
    let given_away = Event::ConsultationGivenAway {
        consultation_id,
        doctor_id: before.doctor_id,
        scheduled_at: before.scheduled_at,
    };
    vec![changed(after, change, Some(before.doctor_id)), given_away]
}

fn changed(after: &Consultation, change: Change, previous_doctor_id: Option<Uuid>) -> Event {
    Event::ConsultationChanged {
        consultation_id: after.id,
        doctor_id: after.doctor_id,
        status: after.status.as_str().to_owned(),
        change: Some(change),
        previous_doctor_id,
    }
}

/// Keeps others from changing it until the transaction ends.
pub(crate) async fn lock_row(tx: &mut Tx, id: Uuid, reach: &Reach) -> Result<Consultation, DatabaseError> {
    let lock = match tx.dialect() {
        Dialect::Postgres => " FOR UPDATE",
        Dialect::Sqlite => "",
    };
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1{}{lock}", reach.sql));
    let row: Option<Row> = on_tx!(tx, connection => {
        bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(connection).await?
    });
    row.map(Consultation::from).ok_or(DatabaseError::NotFound)
}

async fn update_row(tx: &mut Tx, after: &Consultation) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE consultation SET doctor_id = $2, patient_name = $3, status = $4, scheduled_at = $5, \
        ends_at = $6, reason = $7, version = $8, closed_at = $9, updated_at = $10 \
        WHERE id = $1 AND version = $8 - 1";
    let changed: Result<u64, DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(after.id)
        .bind(after.doctor_id)
        .bind(&after.patient_name)
        .bind(after.status.as_str())
        .bind(after.scheduled_at)
        .bind(after.ends_at)
        .bind(&after.reason)
        .bind(after.version)
        .bind(after.closed_at)
        .bind(after.updated_at)
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(DatabaseError::from));
    match changed {
        Err(error) if error.is_foreign_key_violation() => Err(DatabaseError::NotFound),
        Ok(0) => Err(DatabaseError::Conflict("the consultation has changed".to_owned())),
        other => other.map(drop),
    }
}
