//! Whom a patient key serves: decided with the identity rules, in the transaction that makes an instance visible.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::{
    REINDEX, RESTORE, StoreInstanceError,
    known::{KeyUse, Known, PatientKey},
    prepare::Prepared,
    resolve::{Plan, differ, joined_patient},
};
use crate::{
    DatabaseError,
    engine::Tx,
    statement::{Statement, uuid_rows},
};

/// The key in use, or in use before the index was removed; and how the patient record is named, when it is there.
static KEPT: Statement = Statement::new(
    "SELECT r.key_id, COALESCE(k.patient, m.patient), p.patient_id, p.issuer_of_patient_id \
     FROM ROWS($1: key_id uuid) AS r LEFT JOIN patient_key k ON k.key_id = r.key_id \
     LEFT JOIN remembered_patient m ON m.key_id = r.key_id \
     LEFT JOIN patient p ON p.id = COALESCE(k.patient, m.patient) WHERE COALESCE(k.patient, m.patient) IS NOT NULL",
);

/// The patient of a key that something comes back under.
#[derive(Debug)]
pub(super) struct KeptPatient {
    /// The id, which the audit trail, deletions and legal holds name.
    pub(super) patient: Uuid,
    /// Of the record; none when it has to be made again.
    pub(super) named: Option<PatientKey>,
}

type KeptRow = (Uuid, Uuid, Option<String>, Option<String>);

/// Whether it was here before.
fn comes_back(new: &Prepared) -> bool {
    [REINDEX, RESTORE].contains(&new.door)
}

/// The patients of the keys of what comes back.
pub(super) async fn read(
    tx: &mut Tx,
    group: &[Prepared],
) -> Result<HashMap<Uuid, KeptPatient>, DatabaseError> {
    let keys: BTreeSet<Uuid> =
        group.iter().filter(|new| comes_back(new)).map(|new| new.patient_key_id).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (sql, list) = (KEPT.on(tx.dialect()), uuid_rows(keys));
    let found: Vec<KeptRow> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?);
    let kept = found.into_iter().map(|(key, patient, patient_id, issuer)| {
        let named = patient_id.zip(issuer);
        (key, KeptPatient { patient, named })
    });
    Ok(kept.collect())
}

/// Whose what comes back is: its key serves nobody else, whatever the identity rules would say of it today. None for what comes for the
/// first time, under a key that nobody knows, or when the record is of another Patient ID or issuer.
pub(super) fn kept_patient<'a>(new: &Prepared, known: &'a Known) -> Option<&'a KeptPatient> {
    let kept = known.kept_patients.get(&new.patient_key_id).filter(|_| comes_back(new))?;
    let theirs = &new.demographics;
    let is_of_another = kept.named.as_ref().is_some_and(|(patient_id, issuer)| {
        differ(patient_id, &theirs.patient_id) || differ(issuer, &theirs.issuer_of_patient_id)
    });
    (!is_of_another).then_some(kept)
}

/// A patient key serves one patient: who destroys it for that one must not take anything of another.
pub(super) fn refuse_foreign_key(new: &Prepared, known: &Known) -> Result<(), StoreInstanceError> {
    let Some(key) = known.patient_keys.get(&new.patient_key_id) else { return Ok(()) };
    let patient = match known.studies.get(&new.study_instance_uid) {
        Some(study) => Some(study.patient),
        None => kept_patient(new, known).map(|kept| kept.patient).or_else(|| joined_patient(new, known)),
    };
    // An index that is made again seals nothing.
    let usable = key.usable || (key.retired && new.door == REINDEX);
    if usable && patient == Some(key.patient) { Ok(()) } else { Err(StoreInstanceError::PatientKeyUnusable) }
}

/// A key that serves nobody yet serves the patient of this instance from now on.
pub(super) fn bind_key(new: &Prepared, known: &mut Known, plan: &mut Plan) {
    let Some(patient) = known.studies.get(&new.study_instance_uid).map(|study| study.patient) else { return };
    known.patient_keys.entry(new.patient_key_id).or_insert_with(|| {
        plan.patient_keys.insert(new.patient_key_id, patient);
        KeyUse { patient, usable: true, retired: false }
    });
}
