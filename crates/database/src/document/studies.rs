//! Which studies a document may name: those that are linked to its consultation and those of its patient, in reach of who writes.

use model::clinical::{Consultation, DocumentContent};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::DocumentError;
use crate::{DatabaseError, engine::Tx, scope::Reach};

/// First parameter of the reach that [`check_studies`] takes.
pub(super) const FIRST_OF_REACH: usize = 5;

/// Looked at whenever something is written, and again when it is signed: a study may have been unlinked or given to another
/// patient since.
///
/// # Errors
/// [`DocumentError::ForeignStudies`].
pub(super) async fn check_studies<C: DocumentContent>(
    tx: &mut Tx,
    content: &C,
    consultation: &Consultation,
    reach: &Reach,
) -> Result<(), DocumentError> {
    let mut foreign = Vec::new();
    for (index, uid) in content.study_instance_uids().iter().enumerate() {
        if !is_of(tx, uid, consultation, reach).await? {
            foreign.push(index);
        }
    }
    if foreign.is_empty() { Ok(()) } else { Err(DocumentError::ForeignStudies(foreign)) }
}

async fn is_of(
    tx: &mut Tx,
    study_instance_uid: &str,
    consultation: &Consultation,
    reach: &Reach,
) -> Result<bool, DatabaseError> {
    let sql = AssertSqlSafe(format!(
        "SELECT study.id FROM study JOIN patient p ON p.id = study.patient WHERE study.study_instance_uid = $1 \
         AND ((p.patient_id = $2 AND p.patient_id <> '' AND ($3 = '' OR p.issuer_of_patient_id = $3)) \
         OR EXISTS (SELECT 1 FROM consultation_study link WHERE link.study = study.id AND link.consultation_id = $4)){}",
        reach.sql
    ));
    let found: Option<Uuid> = on_tx!(tx, connection => {
        let query = sqlx::query_scalar(sql)
            .bind(study_instance_uid)
            .bind(&consultation.patient_id)
            .bind(&consultation.issuer_of_patient_id)
            .bind(consultation.id);
        bind_reach!(query, reach).fetch_optional(connection).await?
    });
    Ok(found.is_some())
}
