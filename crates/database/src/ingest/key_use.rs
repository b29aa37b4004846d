//! Whom a patient key serves: decided with the identity rules, in the transaction that makes an instance visible.

use super::{
    StoreInstanceError,
    known::{KeyUse, Known},
    prepare::Prepared,
    resolve::{Plan, joined_patient},
};

/// A patient key serves one patient: who destroys it for that one must not take anything of another.
pub(super) fn refuse_foreign_key(new: &Prepared, known: &Known) -> Result<(), StoreInstanceError> {
    let Some(key) = known.patient_keys.get(&new.patient_key_id) else { return Ok(()) };
    let patient = match known.studies.get(&new.study_instance_uid) {
        Some(study) => Some(study.patient),
        None => joined_patient(new, known),
    };
    if key.usable && patient == Some(key.patient) {
        Ok(())
    } else {
        Err(StoreInstanceError::PatientKeyUnusable)
    }
}

/// A key that serves nobody yet serves the patient of this instance from now on.
pub(super) fn bind_key(new: &Prepared, known: &mut Known, plan: &mut Plan) {
    let Some(patient) = known.studies.get(&new.study_instance_uid).map(|study| study.patient) else { return };
    known.patient_keys.entry(new.patient_key_id).or_insert_with(|| {
        plan.patient_keys.insert(new.patient_key_id, patient);
        KeyUse { patient, usable: true }
    });
}
