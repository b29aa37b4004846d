//! The one question of a group: what the archive has under its UIDs and keys.

use uuid::Uuid;

use super::{
    known::{KeyUse, Known, KnownSeries, KnownStudy, Version},
    prepare::Demographics,
};
use crate::{DatabaseError, statement::Statement};

/// Everything that is asked for by UIDs and by patient keys, in one trip: a group waits for each. First the instances, then studies,
/// series and patient keys; each uses the columns that it needs. A destroyed key may have lost its row: it must not get a new one.
pub(super) static FOUND: Statement = Statement::new(
    "SELECT 1 AS kind, instance.sop_instance_uid AS uid, study.study_instance_uid AS a, series.series_instance_uid AS b, \
     NULL AS c, NULL AS d, NULL AS e, instance.id, CAST(NULL AS uuid) AS other_id, CAST(NULL AS uuid) AS third_id, \
     instance.data_set_sha256 AS bytes, instance.current AS flag \
     FROM ROWS($1: uid text) AS r CROSS JOIN instance JOIN series ON series.id = instance.series \
     JOIN study ON study.id = series.study WHERE instance.sop_instance_uid = r.uid \
     UNION ALL SELECT 2, study.study_instance_uid, patient.patient_id, patient.issuer_of_patient_id, \
     patient.patient_name_folded, patient.patient_birth_date, patient.patient_sex, study.id, study.patient, \
     study.uploaded_by, NULL, study.review \
     FROM ROWS($2: uid text) AS r CROSS JOIN study JOIN patient ON patient.id = study.patient \
     WHERE study.study_instance_uid = r.uid \
     UNION ALL SELECT 3, series.series_instance_uid, study.study_instance_uid, NULL, NULL, NULL, NULL, series.id, \
     NULL, NULL, NULL, NULL \
     FROM ROWS($3: uid text) AS r CROSS JOIN series JOIN study ON study.id = series.study \
     WHERE series.series_instance_uid = r.uid \
     UNION ALL SELECT 4, '', k.state, NULL, NULL, NULL, NULL, r.key_id, k.patient, NULL, NULL, d.key_id IS NOT NULL \
     FROM ROWS($4: key_id uuid) AS r LEFT JOIN patient_key k ON k.key_id = r.key_id \
     LEFT JOIN destroyed_key d ON d.key_id = r.key_id WHERE k.key_id IS NOT NULL OR d.key_id IS NOT NULL",
);

/// A row of it.
#[derive(sqlx::FromRow)]
pub(super) struct FoundRow {
    kind: i32,
    uid: String,
    a: Option<String>,
    b: Option<String>,
    c: Option<String>,
    d: Option<String>,
    e: Option<String>,
    id: Uuid,
    other_id: Option<Uuid>,
    third_id: Option<Uuid>,
    bytes: Option<Vec<u8>>,
    flag: Option<bool>,
}

impl FoundRow {
    pub(super) fn add_to(self, known: &mut Known) -> Result<(), DatabaseError> {
        let missing = || DatabaseError::Corrupt("a column of what is known".to_owned());
        let text = |text: Option<String>| text.ok_or_else(missing);
        let flag = self.flag.unwrap_or_default();
        match self.kind {
            1 => {
                let version = Version {
                    id: self.id,
                    data_set_sha256: self.bytes.ok_or_else(missing)?,
                    current: flag,
                    study_instance_uid: text(self.a)?,
                    series_instance_uid: text(self.b)?,
                };
                known.versions.entry(self.uid).or_default().push(version);
            }
            2 => {
                let demographics = Demographics {
                    patient_id: text(self.a)?,
                    issuer_of_patient_id: text(self.b)?,
                    patient_name_folded: text(self.c)?,
                    patient_birth_date: text(self.d)?,
                    patient_sex: text(self.e)?,
                };
                let study = KnownStudy {
                    key: self.id,
                    patient: self.other_id.ok_or_else(missing)?,
                    demographics,
                    review: flag,
                    uploaded_by: self.third_id,
                };
                known.studies.insert(self.uid, study);
            }
            3 => {
                let series = KnownSeries { key: self.id, study_instance_uid: text(self.a)? };
                known.series.insert(self.uid, series);
            }
            _ => {
                let is = |state| !flag && self.a.as_deref() == Some(state);
                let patient = self.other_id.unwrap_or(Uuid::nil());
                known
                    .patient_keys
                    .insert(self.id, KeyUse { patient, usable: is("active"), retired: is("retired") });
            }
        }
        Ok(())
    }
}
