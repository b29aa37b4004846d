//! With which patient key an instance is sealed: the one that serves its patient, else a spare that serves nobody.
//!
//! Which patient an instance belongs to is decided in the transaction that makes it visible, and by then its object is
//! sealed. So this is a guess from what is known before; the transaction refuses a wrong one, and the object is sealed
//! anew with a spare. A study has one patient: its instances share a key, even before the first one is committed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::instance::InstanceHeader;
use object_storage::{PatientKey, StorageError};
use uuid::Uuid;

use crate::{Archive, StoreError};

/// Studies remembered; beyond it all are forgotten, and the database is asked again.
const STUDIES_MAX: usize = 8192;

/// The keys of the studies that came last, by Study Instance UID.
#[derive(Default)]
pub(crate) struct StudyKeys(Mutex<HashMap<String, Uuid>>);

impl StudyKeys {
    fn get(&self, study: &str) -> Option<Uuid> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(study).copied()
    }

    /// The key of the study from now on: the one of who came first.
    fn agree(&self, study: &str, key: Uuid) -> Uuid {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= STUDIES_MAX {
            keys.clear();
        }
        *keys.entry(study.to_owned()).or_insert(key)
    }

    /// Forgets the key of a study, unless it has got another one already.
    fn forget(&self, study: &str, key: Uuid) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.get(study) == Some(&key) {
            keys.remove(study);
        }
    }

    /// Forgets a key that is not to be used any more.
    pub(crate) fn forget_key(&self, key: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, known| *known != key);
    }
}

impl Archive {
    /// The key to seal an instance with; `not` is one that was tried and refused.
    pub(crate) async fn patient_key_for(
        &self,
        header: &InstanceHeader,
        not: Option<Uuid>,
    ) -> Result<Arc<PatientKey>, StoreError> {
        let (study, keys) = (&header.study.study_instance_uid, self.storage().keys());
        if let Some(refused) = not {
            self.0.study_keys.forget(study.as_str(), refused);
        }
        let mut known = self.0.study_keys.get(study.as_str());
        if known.is_none() {
            known = self.database().patient_key_for(study, &header.patient).await?;
        }
        if let Some(id) = known.filter(|id| Some(*id) != not) {
            match keys.patient_key(id).await {
                Ok(key) => {
                    self.0.study_keys.agree(study.as_str(), id);
                    return Ok(key);
                }
                // Destroyed a moment ago.
                Err(StorageError::KeyMissing(_)) => self.0.study_keys.forget(study.as_str(), id),
                Err(error) => return Err(error.into()),
            }
        }
        let spare = keys.spare().await?;
        let agreed = self.0.study_keys.agree(study.as_str(), spare.id());
        if agreed == spare.id() || Some(agreed) == not {
            return Ok(spare);
        }
        keys.give_back(spare);
        Ok(keys.patient_key(agreed).await?)
    }
}
