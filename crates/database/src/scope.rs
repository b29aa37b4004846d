//! Which studies a scope reaches, as SQL: filtered where the rows are, so that counts do not leak.

use model::access::Scope;

/// A condition on `study.id` (of the alias `study`) for a doctor bound at `parameter`: the study is linked to a
/// consultation of the doctor, or its patient is the patient of one. A cancelled consultation gives nothing, and an
/// empty Patient ID is nobody's. Written as a list of ids, so that a plan starts from the doctor's few
/// consultations and not from all studies.
pub(crate) fn study_in_reach(parameter: &str) -> String {
    format!(
        "study.id IN (\
           SELECT link.study FROM consultation c JOIN consultation_study link ON link.consultation_id = c.id \
           WHERE c.doctor_id = {parameter} AND c.status <> 'cancelled' \
         UNION \
           SELECT own.id FROM consultation c JOIN patient p ON p.patient_id = c.patient_id \
           AND (c.issuer_of_patient_id = '' OR c.issuer_of_patient_id = p.issuer_of_patient_id) \
           JOIN study own ON own.patient = p.id \
           WHERE c.doctor_id = {parameter} AND c.status <> 'cancelled' AND c.patient_id <> '')"
    )
}

/// `" AND ..."` for a scope bound at `parameter`, empty when it reaches everything.
pub(crate) fn and_in_reach(scope: &Scope, parameter: &str) -> String {
    scope.doctor_id().map(|_| format!(" AND {}", study_in_reach(parameter))).unwrap_or_default()
}
