//! Records that name a study alone, and whose study it is.

use uuid::Uuid;

use super::record::AuditRecord;
use crate::{
    Database, DatabaseError,
    engine::Tx,
    statement::{Statement, text_rows},
};

/// The patients of these studies.
pub(super) static PATIENTS: Statement = Statement::new(
    "SELECT study_instance_uid, patient FROM study \
     WHERE study_instance_uid IN (SELECT uid FROM ROWS($1: uid text) AS r)",
);

fn lacks_patient(record: &AuditRecord) -> bool {
    record.patient.is_none() && !record.study_instance_uid.is_empty()
}

/// The studies that are named alone; `None` when there are none.
fn studies(records: &[AuditRecord]) -> Option<String> {
    records.iter().any(lacks_patient).then(|| {
        text_rows(records.iter().filter(|record| lacks_patient(record)).map(|record| {
            // Hostile requests name studies too; what no column can hold is no study of ours.
            if record.study_instance_uid.contains('\0') { "" } else { record.study_instance_uid.as_str() }
        }))
    })
}

fn name(records: &mut [AuditRecord], found: &[(String, Uuid)]) {
    for record in records.iter_mut().filter(|record| lacks_patient(record)) {
        let study = found.iter().find(|(study, _)| *study == record.study_instance_uid);
        record.patient = study.map(|(_, patient)| *patient);
    }
}

/// Adds the pseudonym of the patient to records that name a study alone, as a transaction sees it.
pub(super) async fn name_patients(tx: &mut Tx, records: &mut [AuditRecord]) -> Result<(), DatabaseError> {
    let Some(list) = studies(records) else { return Ok(()) };
    let sql = PATIENTS.on(tx.dialect());
    let found: Vec<(String, Uuid)> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?);
    name(records, &found);
    Ok(())
}

/// The same as everybody sees it.
pub(super) async fn name_known_patients(
    database: &Database,
    records: &mut [AuditRecord],
) -> Result<(), DatabaseError> {
    let Some(list) = studies(records) else { return Ok(()) };
    let sql = PATIENTS.on(database.dialect());
    let found: Vec<(String, Uuid)> =
        on!(database, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
    name(records, &found);
    Ok(())
}
