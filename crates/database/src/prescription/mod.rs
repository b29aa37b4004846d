//! Prescriptions: written as drafts, signed once, unchanged from then on.

mod settle;
mod write;

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{
        ConsultationStatus, Prescription, PrescriptionContent, PrescriptionStatus, SignedPrescription,
        UnknownPrescriptionStatus,
    },
};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use crate::{Database, DatabaseError, engine::Tx, scope::Reach, statement::Dialect};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PrescriptionError {
    /// A prescription that stands there does not take this.
    #[error("not possible for a prescription that is {}", .0.as_str())]
    Settled(PrescriptionStatus),
    /// Nothing is prescribed in a consultation that stands there.
    #[error("nothing is prescribed in a consultation that is {}", .0.as_str())]
    NotMet(ConsultationStatus),
    /// It is at another version.
    #[error("it was changed meanwhile")]
    Changed,
    /// Another draft takes the place of the same prescription already.
    #[error("another draft takes its place already")]
    ReplacedAlready,
    /// The prescription whose place it would take was taken back meanwhile.
    #[error("the prescription whose place it takes was taken back")]
    ReplacedGone,
    /// Anything else.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StatusText(String);

impl TryFrom<StatusText> for PrescriptionStatus {
    type Error = UnknownPrescriptionStatus;
    fn try_from(text: StatusText) -> Result<Self, UnknownPrescriptionStatus> {
        text.0.parse()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    consultation_id: Uuid,
    doctor_id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    #[sqlx(try_from = "StatusText")]
    status: PrescriptionStatus,
    version: i64,
    supersedes: Option<Uuid>,
    content: Json<PrescriptionContent>,
    jws: Option<String>,
    content_sha256: Option<Vec<u8>>,
    key_id: Option<String>,
    finalized_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    remark: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Prescription {
    fn from(row: Row) -> Self {
        let hash = row.content_sha256.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let signed = row.jws.zip(hash).zip(row.key_id).zip(row.finalized_at);
        let signed = signed.map(|(((jws, content_sha256), key_id), finalized_at)| SignedPrescription {
            jws,
            content_sha256,
            key_id,
            finalized_at,
        });
        Self {
            id: row.id,
            consultation_id: row.consultation_id,
            doctor_id: row.doctor_id,
            patient_id: row.patient_id,
            issuer_of_patient_id: row.issuer_of_patient_id,
            status: row.status,
            version: row.version,
            supersedes: row.supersedes,
            content: row.content.0,
            signed,
            cancelled_at: row.cancelled_at,
            remark: row.remark,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const COLUMNS: &str = "SELECT id, consultation_id, doctor_id, patient_id, issuer_of_patient_id, status, version, \
    supersedes, content, jws, content_sha256, key_id, finalized_at, cancelled_at, remark, created_at, updated_at \
    FROM prescription";

impl Database {
    /// One prescription; `None` when it is not in reach.
    pub async fn prescription(&self, scope: &Scope, id: Uuid) -> Result<Option<Prescription>, DatabaseError> {
        let reach = self.prescription_reach(scope, 2);
        let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1{}", reach.sql));
        let row: Option<Row> = on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(&engine.read).await?
        });
        Ok(row.map(Into::into))
    }

    /// A patient's prescriptions in reach, the newest first.
    pub async fn prescriptions_of_patient(
        &self,
        scope: &Scope,
        patient_id: &str,
        issuer_of_patient_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Prescription>, DatabaseError> {
        if patient_id.is_empty() {
            return Ok(Vec::new());
        }
        let reach = self.prescription_reach(scope, 4);
        let sql = AssertSqlSafe(format!(
            "{COLUMNS} WHERE patient_id = $1 AND (issuer_of_patient_id = $2 OR $2 = ''){} \
             ORDER BY created_at DESC, id DESC LIMIT $3",
            reach.sql
        ));
        let rows: Vec<Row> = on!(self, engine => {
            let query = sqlx::query_as(sql)
                .bind(patient_id)
                .bind(issuer_of_patient_id.unwrap_or_default())
                .bind(i64::from(limit));
            bind_reach!(query, reach).fetch_all(&engine.read).await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Keeps others from changing it until the transaction ends.
async fn lock_row(tx: &mut Tx, id: Uuid, reach: &Reach) -> Result<Prescription, DatabaseError> {
    let lock = match tx.dialect() {
        Dialect::Postgres => " FOR UPDATE",
        Dialect::Sqlite => "",
    };
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE id = $1{}{lock}", reach.sql));
    let row: Option<Row> = on_tx!(tx, connection => {
        bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(connection).await?
    });
    row.map(Into::into).ok_or(DatabaseError::NotFound)
}
