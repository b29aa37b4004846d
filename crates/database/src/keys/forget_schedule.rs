//! What was scheduled for somebody, and what modalities said that they did: both name the patient in words.

use uuid::Uuid;

use super::erase::Named;
use crate::{DatabaseError, engine::Tx, text::index_fold_person_name};

/// Takes away items of the worklist and performed steps that name the patient. Under the same Patient ID an item with
/// another name is somebody else's, unless `any_name`; so is a step without issuer when another patient has that ID, unless
/// it performs one of this patient's studies.
pub(super) async fn forget_schedule(
    tx: &mut Tx,
    patient: Uuid,
    of: &Named,
    any_name: bool,
) -> Result<(), DatabaseError> {
    const STEPS: &str = "DELETE FROM performed_step WHERE patient_id = $1 AND (issuer_of_patient_id = $2 \
        OR (issuer_of_patient_id = '' AND (NOT EXISTS (SELECT 1 FROM patient p WHERE p.patient_id = $1 AND p.id <> $3) \
        OR id IN (SELECT performed_step FROM performed_step_schedule WHERE study_instance_uid IN \
        (SELECT study_instance_uid FROM study WHERE patient = $3)))))";
    if of.patient_id.is_empty() {
        return Ok(());
    }
    on_tx!(tx, connection => sqlx::query(STEPS)
        .bind(&of.patient_id)
        .bind(&of.issuer_of_patient_id)
        .bind(patient)
        .execute(connection)
        .await
        .map(drop)?);
    forget_items(tx, of, any_name).await
}

async fn forget_items(tx: &mut Tx, of: &Named, any_name: bool) -> Result<(), DatabaseError> {
    const FIND: &str = "SELECT id, patient_name FROM worklist_item WHERE patient_id = $1 \
        AND issuer_of_patient_id IN ($2, '')";
    const DELETE: &str = "DELETE FROM worklist_item WHERE id = $1";
    let found: Vec<(Uuid, String)> = on_tx!(tx, connection => sqlx::query_as(FIND)
        .bind(&of.patient_id)
        .bind(&of.issuer_of_patient_id)
        .fetch_all(connection)
        .await?);
    for (id, name) in found {
        if any_name || of.may_be(&index_fold_person_name(&name)) {
            on_tx!(tx, connection =>
                sqlx::query(DELETE).bind(id).execute(connection).await.map(drop)?);
        }
    }
    Ok(())
}
