//! Keys, as far as rows know them: whom each patient key serves, how keys are changed, and how a patient is erased.

mod drop;
mod erase;
mod forget;
mod gate;
mod job;
mod legal_hold;
mod patient_key;
mod rotate;

use uuid::Uuid;

use crate::{Database, DatabaseError};

pub(crate) use drop::drop_objects;
pub use erase::{Erased, Erasure};
pub(crate) use gate::{BEGIN_HOLDING_KEYS, retire_keys};
pub use job::{KeyJob, KeyJobKind, KeyJobState};
pub use legal_hold::LegalHold;
pub use rotate::{SealedRow, SealedRowKind};

/// The patient key that a seal names (docs/object-format.md, the seal); nil when it is none.
pub(crate) fn patient_key_of(object_seal: &[u8]) -> Uuid {
    object_seal.get(8..24).and_then(|id| Uuid::from_slice(id).ok()).unwrap_or_default()
}

/// A patient record, found by what people call it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PatientFound {
    /// Its id, which is also its name in the audit trail.
    pub id: Uuid,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: String,
    /// How many studies it has.
    #[sqlx(try_from = "i64")]
    pub studies: u64,
}

impl Database {
    /// The patient records with a Patient ID; of any issuer when none is given. There may be several: demographics
    /// that clash keep them apart.
    pub async fn patients_by_patient_id(
        &self,
        patient_id: &str,
        issuer: Option<&str>,
    ) -> Result<Vec<PatientFound>, DatabaseError> {
        const SQL: &str = "SELECT patient.id, patient.issuer_of_patient_id, \
            (SELECT COUNT(*) FROM study WHERE study.patient = patient.id) AS studies \
            FROM patient WHERE patient.patient_id = $1 \
            AND (CAST($2 AS TEXT) IS NULL OR patient.issuer_of_patient_id = $2) ORDER BY patient.id";
        Ok(
            on!(self, engine => sqlx::query_as(SQL).bind(patient_id).bind(issuer).fetch_all(&engine.read).await?),
        )
    }
}
