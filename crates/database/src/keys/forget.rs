//! What names a patient in words and refers to no study: consultations, rights, what is scheduled and what modalities did.

use uuid::Uuid;

use super::erase::Named;
use crate::{DatabaseError, engine::Tx, text::index_fold_person_name};

/// Consultations name their patient in words, and the issuer where somebody knew it. One under the same Patient ID is
/// another's when the name says so, unless `any_name`. Gives how many forgot the patient, and which did not.
pub(super) async fn forget_in_consultations(
    tx: &mut Tx,
    of: &Named,
    any_name: bool,
) -> Result<(u64, Vec<Uuid>), DatabaseError> {
    const FIND: &str = "SELECT id, patient_name FROM consultation WHERE patient_id = $1 \
        AND issuer_of_patient_id IN ($2, '') ORDER BY id";
    const FORGET: &str = "UPDATE consultation SET patient_id = '', issuer_of_patient_id = '', \
        patient_name = 'erased', reason = '', version = version + 1, updated_at = $2 WHERE id = $1";
    if of.patient_id.is_empty() {
        return Ok((0, Vec::new()));
    }
    let found: Vec<(Uuid, String)> = on_tx!(tx, connection => sqlx::query_as(FIND)
        .bind(&of.patient_id)
        .bind(&of.issuer_of_patient_id)
        .fetch_all(connection)
        .await?);
    let (mut forgotten, mut left) = (0, Vec::new());
    let now = tx.now;
    for (id, name) in found {
        if !any_name && !of.may_be(&index_fold_person_name(&name)) {
            left.push(id);
            continue;
        }
        forgotten += 1;
        // First: prescriptions and reports refer to the patient whom the consultation names.
        forget_what_was_written(tx, id).await?;
        on_tx!(tx, connection => sqlx::query(FORGET).bind(id).bind(now).execute(connection).await.map(drop)?);
    }
    Ok((forgotten, left))
}

/// What doctors wrote in a consultation is about the patient, too.
async fn forget_what_was_written(tx: &mut Tx, consultation: Uuid) -> Result<(), DatabaseError> {
    for sql in [
        "DELETE FROM prescription WHERE consultation_id = $1",
        "DELETE FROM report WHERE consultation_id = $1",
        "DELETE FROM consultation_note WHERE consultation_id = $1",
        "UPDATE consultation_history SET remark = '' WHERE consultation_id = $1",
        "UPDATE slot SET patient_key = NULL, issuer_of_patient_id = NULL WHERE consultation_id = $1",
    ] {
        on_tx!(tx, connection => sqlx::query(sql).bind(consultation).execute(connection).await.map(drop)?);
    }
    Ok(())
}

/// Grants and emergency accesses name a Patient ID, and an issuer where somebody knew it. Those that another patient record may be meant by
/// stay, unless `any_name`: one with an issuer opens the records of this issuer, one without those of each. Gives the grants and the
/// emergency accesses that were left.
pub(super) async fn forget_rights(
    tx: &mut Tx,
    patient: Uuid,
    of: &Named,
    any_name: bool,
) -> Result<[Vec<Uuid>; 2], DatabaseError> {
    const FORGET: [(&str, &str); 2] = [
        ("access_grant", "DELETE FROM access_grant"),
        (
            "break_glass",
            "UPDATE break_glass SET patient_id = '', issuer_of_patient_id = '', reason = '', review_note = ''",
        ),
    ];
    let mut left = [Vec::new(), Vec::new()];
    if of.patient_id.is_empty() {
        return Ok(left);
    }
    for ((table, statement), left) in FORGET.into_iter().zip(&mut left) {
        let forget = format!(
            "{statement} WHERE patient_id = $1 AND issuer_of_patient_id IN ($2, '') AND ($4 OR NOT EXISTS \
             (SELECT 1 FROM patient p WHERE p.patient_id = $1 AND p.id <> $3 \
             AND {table}.issuer_of_patient_id IN ('', p.issuer_of_patient_id)))"
        );
        let find = format!(
            "SELECT id FROM {table} WHERE patient_id = $1 AND issuer_of_patient_id IN ($2, '') ORDER BY id"
        );
        on_tx!(tx, connection => sqlx::query(sqlx::AssertSqlSafe(forget))
            .bind(&of.patient_id)
            .bind(&of.issuer_of_patient_id)
            .bind(patient)
            .bind(any_name)
            .execute(connection)
            .await
            .map(drop)?);
        *left = on_tx!(tx, connection => sqlx::query_scalar(sqlx::AssertSqlSafe(find))
            .bind(&of.patient_id)
            .bind(&of.issuer_of_patient_id)
            .fetch_all(connection)
            .await?);
    }
    Ok(left)
}

/// Takes away performed steps of the patient: those under the Patient ID and issuer, and those of the patient's studies that
/// name nobody else. One without issuer under an ID that several patients have is left where it performs none of these
/// studies, unless `any_name`. And what is still to be told of the patient's studies.
pub(super) async fn forget_performed_steps(
    tx: &mut Tx,
    patient: Uuid,
    of: &Named,
    any_name: bool,
) -> Result<(), DatabaseError> {
    const SQL: &str = "DELETE FROM performed_step WHERE \
        ($1 <> '' AND patient_id = $1 AND (issuer_of_patient_id = $2 OR (issuer_of_patient_id = '' AND ($4 \
        OR NOT EXISTS (SELECT 1 FROM patient p WHERE p.patient_id = $1 AND p.id <> $3))))) \
        OR (patient_id IN ('', $1) AND id IN (SELECT performed_step FROM performed_step_schedule \
        WHERE study_instance_uid IN (SELECT study_instance_uid FROM study WHERE patient = $3)))";
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(&of.patient_id)
        .bind(&of.issuer_of_patient_id)
        .bind(patient)
        .bind(any_name)
        .execute(connection)
        .await
        .map(drop)?);
    // Who would have been told of the patient's studies, and which of them seemed quiet.
    for table in ["availability_notice", "quiet_study"] {
        let sql = sqlx::AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE study_instance_uid IN (SELECT study_instance_uid FROM study WHERE patient = $1)"
        ));
        on_tx!(tx, connection => sqlx::query(sql).bind(patient).execute(connection).await.map(drop)?);
    }
    Ok(())
}

/// Takes away items of the worklist under the Patient ID; one with another name is somebody else's, unless `any_name`. Gives
/// those that were left.
pub(super) async fn forget_worklist_items(
    tx: &mut Tx,
    of: &Named,
    any_name: bool,
) -> Result<Vec<Uuid>, DatabaseError> {
    const FIND: &str = "SELECT id, patient_name FROM worklist_item WHERE patient_id = $1 \
        AND issuer_of_patient_id IN ($2, '') ORDER BY id";
    const DELETE: &str = "DELETE FROM worklist_item WHERE id = $1";
    if of.patient_id.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(Uuid, String)> = on_tx!(tx, connection => sqlx::query_as(FIND)
        .bind(&of.patient_id)
        .bind(&of.issuer_of_patient_id)
        .fetch_all(connection)
        .await?);
    let mut left = Vec::new();
    for (id, name) in found {
        if any_name || of.may_be(&index_fold_person_name(&name)) {
            on_tx!(tx, connection =>
                sqlx::query(DELETE).bind(id).execute(connection).await.map(drop)?);
        } else {
            left.push(id);
        }
    }
    Ok(left)
}
