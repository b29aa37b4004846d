//! When doctors see patients: their hours, and the days that differ. One row a doctor.

use chrono::{DateTime, Utc};
use model::schedule::{Exception, Rules};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    statement::{Statement, uuid_rows},
};

/// A doctor's hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleRow {
    /// Weekly hours and how bookings fit in.
    pub rules: Rules,
    /// Grows with every change; 0 when nobody said anything yet.
    pub rules_version: i64,
    /// Days that differ.
    pub exceptions: Vec<Exception>,
    /// As `rules_version`.
    pub exceptions_version: i64,
}

/// What to replace.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleUpdate {
    /// The weekly hours.
    Rules(Rules),
    /// The days that differ.
    Exceptions(Vec<Exception>),
}

#[derive(sqlx::FromRow)]
struct Row {
    doctor_id: Uuid,
    rules: Json<Rules>,
    rules_version: i64,
    exceptions: Json<Vec<Exception>>,
    exceptions_version: i64,
}

static READ: Statement = Statement::new(
    "SELECT doctor_id, rules, rules_version, exceptions, exceptions_version FROM doctor_schedule \
     WHERE doctor_id IN (SELECT id FROM ROWS($1: id uuid) AS r)",
);

impl Database {
    /// The hours of these doctors; those of whom nobody said any are left out.
    pub async fn schedules(&self, doctors: &[Uuid]) -> Result<Vec<(Uuid, ScheduleRow)>, DatabaseError> {
        let (sql, list) = (READ.on(self.dialect()), uuid_rows(doctors.iter().copied()));
        let rows: Vec<Row> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        let show = |row: Row| {
            let Row { doctor_id, rules, rules_version, exceptions, exceptions_version } = row;
            let schedule =
                ScheduleRow { rules: rules.0, rules_version, exceptions: exceptions.0, exceptions_version };
            (doctor_id, schedule)
        };
        Ok(rows.into_iter().map(show).collect())
    }

    /// The hours of a doctor.
    pub async fn schedule(&self, doctor: Uuid) -> Result<ScheduleRow, DatabaseError> {
        let found = self.schedules(&[doctor]).await?;
        Ok(found.into_iter().next().map(|(_, schedule)| schedule).unwrap_or_default())
    }

    /// Replaces a part of a doctor's hours that is still at `expected_version`, and gives the new version.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when somebody changed it meanwhile, [`DatabaseError::NotFound`].
    pub async fn update_schedule(
        &self,
        doctor: Uuid,
        expected_version: i64,
        update: &ScheduleUpdate,
        actor: &AuditActor,
    ) -> Result<i64, DatabaseError> {
        let mut tx = self.begin().await?;
        make_row(&mut tx, doctor).await?;
        let now = tx.now;
        let (sql, action) = match update {
            ScheduleUpdate::Rules(_) => (
                "UPDATE doctor_schedule SET rules = $3, rules_version = rules_version + 1, updated_at = $4 \
                 WHERE doctor_id = $1 AND rules_version = $2",
                "update_availability_rules",
            ),
            ScheduleUpdate::Exceptions(_) => (
                "UPDATE doctor_schedule SET exceptions = $3, exceptions_version = exceptions_version + 1, \
                 updated_at = $4 WHERE doctor_id = $1 AND exceptions_version = $2",
                "update_availability_exceptions",
            ),
        };
        let document = match update {
            ScheduleUpdate::Rules(rules) => serde_json::to_value(rules),
            ScheduleUpdate::Exceptions(exceptions) => serde_json::to_value(exceptions),
        };
        let document = document.map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
        let changed = on_tx!(tx, connection => sqlx::query(sql)
            .bind(doctor)
            .bind(expected_version)
            .bind(Json(document))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if changed == 0 {
            return Err(DatabaseError::Conflict("the hours have changed".to_owned()));
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, action).about(doctor)]).await?;
        self.commit(tx).await?;
        Ok(expected_version + 1)
    }
}

async fn make_row(tx: &mut Tx, doctor: Uuid) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO doctor_schedule (doctor_id, rules, rules_version, exceptions, exceptions_version, \
        updated_at) VALUES ($1, $2, 0, $3, 0, $4) ON CONFLICT DO NOTHING";
    let now: DateTime<Utc> = tx.now;
    let made: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(doctor)
        .bind(Json(Rules::default()))
        .bind(Json(Vec::<Exception>::new()))
        .bind(now)
        .execute(connection)
        .await
        .map(drop)
        .map_err(DatabaseError::from));
    match made {
        Err(error) if error.is_foreign_key_violation() => Err(DatabaseError::NotFound),
        other => other,
    }
}
