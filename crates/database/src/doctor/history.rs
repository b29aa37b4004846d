//! Profiles that were replaced.

use chrono::{DateTime, Utc};
use model::clinical::Doctor;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{AuditActor, Database, DatabaseError, engine::Tx};

/// A profile that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorVersion {
    /// As it was.
    pub profile: Doctor,
    /// The account that replaced it; `None` for the operator.
    pub replaced_by: Option<Uuid>,
    /// When.
    pub replaced_at: DateTime<Utc>,
}

/// Keeps a profile, in the transaction that replaces it.
pub(super) async fn keep_version(
    tx: &mut Tx,
    before: &Doctor,
    actor: &AuditActor,
) -> Result<(), DatabaseError> {
    const SQL: &str = "INSERT INTO doctor_history (doctor_id, version, profile, replaced_by, replaced_at) \
        VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(before.id)
        .bind(before.version)
        .bind(Json(before))
        .bind(actor.user_id)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}

impl Database {
    /// What a doctor's profile said before, the newest first.
    pub async fn doctor_history(
        &self,
        id: Uuid,
        limit: u32,
        offset: u64,
    ) -> Result<Vec<DoctorVersion>, DatabaseError> {
        const SQL: &str = "SELECT profile, replaced_by, replaced_at FROM doctor_history WHERE doctor_id = $1 \
            ORDER BY version DESC LIMIT $2 OFFSET $3";
        type Row = (Json<Doctor>, Option<Uuid>, DateTime<Utc>);
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let rows: Vec<Row> = on!(self, engine => sqlx::query_as(SQL)
            .bind(id)
            .bind(i64::from(limit))
            .bind(offset)
            .fetch_all(&engine.read)
            .await?);
        let show =
            |(Json(profile), replaced_by, replaced_at)| DoctorVersion { profile, replaced_by, replaced_at };
        Ok(rows.into_iter().map(show).collect())
    }
}
