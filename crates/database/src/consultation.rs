//! Consultations: one meeting of a doctor and a patient.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    access::{Extent, Scope},
    clinical::{Consultation, ConsultationStatus, UnknownStatus},
    event::Event,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, SessionSet,
    audit::insert_audit,
    outbox::insert_events,
    session::revoke_sessions,
    text::{clean, index_text},
};

/// A consultation to be booked or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConsultation {
    /// The doctor.
    pub doctor_id: Uuid,
    /// Patient ID (0010,0020).
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); empty for any.
    pub issuer_of_patient_id: String,
    /// Name of the patient.
    pub patient_name: String,
    /// Where it stands.
    pub status: ConsultationStatus,
    /// Agreed start.
    pub scheduled_at: DateTime<Utc>,
    /// Why the patient comes.
    pub reason: String,
}

/// Which of a doctor's consultations to list; `None` does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsultationFilter {
    /// Where it stands.
    pub status: Option<ConsultationStatus>,
    /// Starts at or after.
    pub from: Option<DateTime<Utc>>,
    /// Starts before.
    pub to: Option<DateTime<Utc>>,
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Consultations returned at most.
    pub limit: u32,
    /// Consultations skipped.
    pub offset: u64,
}

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StatusText(String);

impl TryFrom<StatusText> for ConsultationStatus {
    type Error = UnknownStatus;
    fn try_from(text: StatusText) -> Result<Self, UnknownStatus> {
        text.0.parse()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    doctor_id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    #[sqlx(try_from = "StatusText")]
    status: ConsultationStatus,
    scheduled_at: DateTime<Utc>,
    reason: String,
    version: i64,
    created_by: Option<Uuid>,
    closed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Consultation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            doctor_id: row.doctor_id,
            patient_id: row.patient_id,
            issuer_of_patient_id: row.issuer_of_patient_id,
            patient_name: row.patient_name,
            status: row.status,
            scheduled_at: row.scheduled_at,
            reason: row.reason,
            version: row.version,
            created_by: row.created_by,
            closed_at: row.closed_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const COLUMNS: &str = "SELECT id, doctor_id, patient_id, issuer_of_patient_id, patient_name, status, \
    scheduled_at, reason, version, created_by, closed_at, created_at, updated_at FROM consultation";

impl Database {
    /// Books or starts a consultation.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when the doctor does not exist or is out of reach.
    pub async fn create_consultation(
        &self,
        scope: &Scope,
        new: NewConsultation,
        actor: &AuditActor,
    ) -> Result<Consultation, DatabaseError> {
        const SQL: &str = "INSERT INTO consultation (id, doctor_id, patient_id, issuer_of_patient_id, patient_name, \
            status, scheduled_at, reason, version, created_at, updated_at, created_by, closed_at, opens_from) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13)";
        if !scope.includes_doctor(new.doctor_id) {
            return Err(DatabaseError::NotFound);
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
            reason: clean(&new.reason),
            version: 1,
            created_by: actor.user_id,
            closed_at: (!new.status.is_open()).then_some(tx.now),
            created_at: tx.now,
            updated_at: tx.now,
        };
        // Whoever books for himself must not open a patient's past with it.
        let self_booked = matches!(scope.extent(), Extent::Doctor { .. });
        let look_back = TimeDelta::hours(i64::from(self.access().self_booked_look_back_hours));
        let opens_from = self_booked.then(|| tx.now - look_back);
        let inserted: Result<_, DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(consultation.id)
            .bind(consultation.doctor_id)
            .bind(&consultation.patient_id)
            .bind(&consultation.issuer_of_patient_id)
            .bind(&consultation.patient_name)
            .bind(consultation.status.as_str())
            .bind(consultation.scheduled_at)
            .bind(&consultation.reason)
            .bind(consultation.version)
            .bind(consultation.created_at)
            .bind(consultation.created_by)
            .bind(consultation.closed_at)
            .bind(opens_from)
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(DatabaseError::from));
        match inserted {
            Err(error) if error.is_foreign_key_violation() => return Err(DatabaseError::NotFound),
            other => other?,
        }
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

    /// One consultation; `None` when it is not in reach.
    pub async fn consultation(&self, scope: &Scope, id: Uuid) -> Result<Option<Consultation>, DatabaseError> {
        let reach = self.consultation_reach(scope, 2);
        let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1{}", reach.sql));
        let row: Option<Row> = on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(&engine.read).await?
        });
        Ok(row.map(Consultation::from))
    }

    /// A doctor's consultations by their start; none when the doctor is not in reach.
    pub async fn consultations_of_doctor(
        &self,
        scope: &Scope,
        doctor_id: Uuid,
        filter: &ConsultationFilter,
    ) -> Result<Vec<Consultation>, DatabaseError> {
        if !scope.includes_doctor(doctor_id) {
            return Ok(Vec::new());
        }
        let reach = self.consultation_reach(scope, 2);
        let mut sql = format!("{COLUMNS} WHERE doctor_id = $1{}", reach.sql);
        let mut parameter = reach.next_parameter() - 1;
        for (given, condition) in [
            (filter.status.is_some(), "status ="),
            (filter.from.is_some(), "scheduled_at >="),
            (filter.to.is_some(), "scheduled_at <"),
            (filter.patient_id.is_some(), "patient_id ="),
        ] {
            if given {
                parameter += 1;
                let _ = write!(sql, " AND {condition} ${parameter}");
            }
        }
        let (limit, offset) = (parameter + 1, parameter + 2);
        let _ = write!(sql, " ORDER BY scheduled_at, id LIMIT ${limit} OFFSET ${offset}");
        let found: Vec<Row> = on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_as(AssertSqlSafe(sql)).bind(doctor_id), reach);
            if let Some(status) = filter.status {
                query = query.bind(status.as_str());
            }
            for time in [filter.from, filter.to].into_iter().flatten() {
                query = query.bind(time);
            }
            if let Some(patient_id) = &filter.patient_id {
                query = query.bind(clean(patient_id));
            }
            let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
            query.bind(i64::from(filter.limit)).bind(offset).fetch_all(&engine.read).await?
        });
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Moves a consultation that is still at `expected_version` to another status. A cancelled one no longer lets
    /// its doctor see the patient's studies.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when somebody changed it meanwhile, [`DatabaseError::NotFound`].
    pub async fn set_consultation_status(
        &self,
        scope: &Scope,
        id: Uuid,
        (expected_version, status): (i64, ConsultationStatus),
        actor: &AuditActor,
    ) -> Result<Consultation, DatabaseError> {
        const SQL: &str = "UPDATE consultation SET status = $3, version = version + 1, updated_at = $4, \
            closed_at = $5 WHERE id = $1 AND version = $2";
        let mut found = self.consultation(scope, id).await?.ok_or(DatabaseError::NotFound)?;
        let mut tx = self.begin().await?;
        let now = tx.now;
        let closed_at = (!status.is_open()).then_some(now);
        let changed = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(expected_version)
            .bind(status.as_str())
            .bind(now)
            .bind(closed_at)
            .execute(connection)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(DatabaseError::Conflict("the consultation has changed".to_owned()));
        }
        if !status.is_open() {
            let ended = Event::ConsultationEnded { consultation_id: id, doctor_id: found.doctor_id };
            insert_events(&mut tx, &[ended]).await?;
            revoke_sessions(&mut tx, SessionSet::OfGrant(id), "the consultation has ended", actor).await?;
        }
        let mut record = AuditRecord::success(actor, "set_consultation_status").about(id);
        status.as_str().clone_into(&mut record.detail);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        found.status = status;
        found.version = expected_version + 1;
        found.updated_at = now;
        found.closed_at = closed_at;
        Ok(found)
    }
}
