//! From a data set that came whole to the answer: look for a duplicate when one is likely, make the object durable, commit.

use std::{sync::Arc, time::Instant};

use database::{AuditRecord, DatabaseError, NewInstance, Origin, StoreInstanceError, StoreOutcome};
use model::{SopInstanceUid, StudyInstanceUid, access::Scope, instance::InstanceHeader};
use object_storage::{ObjectKey, SealedObject};
use uuid::Uuid;

use super::{
    ExpectedPatient, StoreError, Stored,
    intake::{Complete, Intake},
    metrics,
};
use crate::Archive;

/// What the data set has to say, as far as the sender said it.
pub(super) struct Expected {
    pub(super) study: Option<StudyInstanceUid>,
    pub(super) patient: Option<ExpectedPatient>,
}

impl Expected {
    fn check(&self, header: &InstanceHeader) -> Result<(), StoreError> {
        if self.study.as_ref().is_some_and(|expected| *expected != header.study.study_instance_uid) {
            return Err(StoreError::WrongStudy);
        }
        let is_of = |ExpectedPatient { patient_id, issuer_of_patient_id }: &ExpectedPatient| {
            let any = issuer_of_patient_id.is_empty();
            *patient_id == header.patient.patient_id
                && (any || *issuer_of_patient_id == header.patient.issuer_of_patient_id)
        };
        if self.patient.as_ref().is_none_or(is_of) { Ok(()) } else { Err(StoreError::WrongPatient) }
    }
}

pub(super) async fn commit(
    archive: &Archive,
    origin: Origin,
    intake: Intake,
    expected: &Expected,
) -> Result<Stored, StoreError> {
    let started = Instant::now();
    let door = origin.door;
    let complete = intake.finish().await?;
    if let Err(error) = expected.check(&complete.header) {
        complete.object.abort().await;
        return Err(error);
    }
    let mut stored = describe(&complete.header);
    let database = archive.database();
    let known = if archive.0.resends.are_expected() {
        database.find_stored(&stored.sop_instance_uid, &complete.data_set_sha256).await
    } else {
        Ok(None)
    };
    match known {
        Ok(None) => stored.outcome = store(archive, origin, complete).await?,
        // Nothing of a resent instance has to reach the disk but the record that it came.
        Ok(Some(id)) => {
            complete.object.abort().await;
            database.audit(record_of_duplicate(&origin, &stored, id)).await?;
            stored.outcome = StoreOutcome::Duplicate { id };
            archive.0.resends.note();
        }
        Err(error) => {
            complete.object.abort().await;
            return Err(error.into());
        }
    }
    metrics::record_commit_time(door, started.elapsed());
    Ok(stored)
}

/// The answer, but for the outcome, which is not known yet.
fn describe(header: &InstanceHeader) -> Stored {
    Stored {
        outcome: StoreOutcome::Stored { id: Uuid::nil() },
        study_instance_uid: header.study.study_instance_uid.clone(),
        series_instance_uid: header.series.series_instance_uid.clone(),
        sop_instance_uid: header.instance.sop_instance_uid.clone(),
        sop_class_uid: header.instance.sop_class_uid.clone(),
        warnings: header.warnings.clone(),
    }
}

fn record_of_duplicate(origin: &Origin, stored: &Stored, id: Uuid) -> AuditRecord {
    let mut record = AuditRecord::success(&origin.actor(), "store_instance")
        .about(id)
        .of_study(&stored.study_instance_uid);
    record.detail = format!("{}: duplicate", origin.door);
    record
}

/// How often an instance is sealed anew, because its patient key turned out to be another patient's.
const SEALS_MAX: usize = 4;

async fn store(archive: &Archive, origin: Origin, complete: Complete) -> Result<StoreOutcome, StoreError> {
    let Complete { header, object, data_set_offset, data_set_length, data_set_sha256 } = complete;
    let key = match archive.patient_key_for(&header, None).await {
        Ok(key) => key,
        Err(error) => {
            object.abort().await;
            return Err(error);
        }
    };
    let object = object.finish(&key).await?;
    let mut new = NewInstance {
        id: Uuid::now_v7(),
        object_key: object.key.uuid(),
        object_seal: object.seal.to_bytes().to_vec(),
        patient_key_id: key.id(),
        object_length_bytes: object.length_bytes,
        data_set_offset,
        data_set_length_bytes: data_set_length,
        data_set_sha256,
        header,
        origin,
        conflict_policy: archive.config().conflict_policy,
    };
    let mut object = SealedObject::from(object);
    for _ in 1..SEALS_MAX {
        let shared = Arc::new(new);
        match archive.database().store_instance(Arc::clone(&shared)).await {
            Err(StoreInstanceError::PatientKeyUnusable) => new = Arc::unwrap_or_clone(shared),
            result => return conclude(archive, &shared, object.key, result).await,
        }
        object = seal_anew(archive, &mut new, object).await?;
    }
    let shared = Arc::new(new);
    let result = archive.database().store_instance(Arc::clone(&shared)).await;
    conclude(archive, &shared, object.key, result).await
}

/// Seals the object with another key. The old object goes: nothing of a patient stays under another one's key.
async fn seal_anew(
    archive: &Archive,
    new: &mut NewInstance,
    object: SealedObject,
) -> Result<SealedObject, StoreError> {
    let made = async {
        let key = archive.patient_key_for(&new.header, Some(new.patient_key_id)).await?;
        Ok::<_, StoreError>((archive.storage().reseal(&object, &key).await?, key))
    };
    let made = made.await;
    delete(archive, object.key).await;
    let (object, key) = made?;
    new.object_key = object.key.uuid();
    new.object_seal = object.seal.to_bytes().to_vec();
    new.patient_key_id = key.id();
    Ok(object)
}

async fn conclude(
    archive: &Archive,
    new: &NewInstance,
    object: ObjectKey,
    result: Result<StoreOutcome, StoreInstanceError>,
) -> Result<StoreOutcome, StoreError> {
    match result {
        Ok(outcome @ StoreOutcome::Duplicate { .. }) => {
            archive.0.resends.note();
            delete(archive, object).await;
            Ok(outcome)
        }
        Ok(outcome @ (StoreOutcome::Stored { .. } | StoreOutcome::Conflict { .. })) => Ok(outcome),
        Err(StoreInstanceError::Database(error)) => {
            let found = look_up(archive, &new.header.instance.sop_instance_uid, &new.data_set_sha256).await;
            resolve(archive, new.id, found, error).await
        }
        Err(refused) => {
            delete(archive, object).await;
            Err(refused.into())
        }
    }
}

/// A database whose disk failed under a commit may show what it cannot keep: its word counts only while it is well.
async fn look_up(
    archive: &Archive,
    sop_instance_uid: &SopInstanceUid,
    data_set_sha256: &[u8; 32],
) -> Result<Option<Uuid>, DatabaseError> {
    archive.database().ping().await?;
    archive.database().find_stored(sop_instance_uid, data_set_sha256).await
}

/// The database failed while it stored: perhaps before, perhaps after the commit. The object stays in every case,
/// for a commit that is not seen now may be seen later; without a row it is an orphan that checks find.
async fn resolve(
    archive: &Archive,
    id: Uuid,
    found: Result<Option<Uuid>, DatabaseError>,
    error: DatabaseError,
) -> Result<StoreOutcome, StoreError> {
    match found {
        Ok(None) => Err(error.into()),
        Ok(Some(other)) if other != id => Ok(StoreOutcome::Duplicate { id: other }),
        Ok(Some(_)) => match archive.database().instance_by_id(&Scope::internal(), id).await {
            Ok(Some(_)) => Ok(StoreOutcome::Stored { id }),
            Ok(None) => Ok(StoreOutcome::Conflict { id }),
            Err(error) => Err(StoreError::CommitUnknown(error)),
        },
        Err(lookup) => {
            tracing::warn!(%error, %lookup, %id, "whether an instance was committed is not known");
            Err(StoreError::CommitUnknown(error))
        }
    }
}

/// Removes an object that the database has certainly no row for. When that fails it stays as an orphan.
async fn delete(archive: &Archive, key: ObjectKey) {
    if let Err(error) = archive.storage().delete(key).await {
        tracing::warn!(%error, %key, "could not delete the object of an instance that was not stored");
    }
}

#[cfg(test)]
mod tests {
    use database::{Database, DatabaseConfig};
    use model::clock::Clock;
    use object_storage::{KeysConfig, ObjectStorage, ObjectStorageConfig};

    use super::*;
    use crate::ArchiveConfig;

    /// Every way in which a transaction can be found again has tests through the doors; that it is not there at last, after
    /// the database has run it again and again, only this one.
    #[tokio::test]
    async fn nothing_is_stored_that_is_not_found() {
        let root = tempfile::tempdir().expect("a folder");
        let database = Database::open(&DatabaseConfig::default(), root.path(), Clock::system()).await;
        let (for_objects, keys) = (ObjectStorageConfig::default(), KeysConfig::default());
        let storage = ObjectStorage::open(&for_objects, &keys, root.path()).await.expect("storage");
        let config = ArchiveConfig::default();
        let archive = Archive::new(database.expect("a database"), storage, config, Clock::system());
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let resolve = async |found| resolve(&archive, id, found, DatabaseError::Busy).await;
        let refused = resolve(Ok(None)).await.expect_err("no row has it");
        assert!(!matches!(refused, StoreError::CommitUnknown(_)), "it is known: {refused}");
        let unknown = resolve(Err(DatabaseError::Busy)).await.expect_err("nobody knows");
        assert!(matches!(unknown, StoreError::CommitUnknown(_)), "{unknown}");
        let duplicate = resolve(Ok(Some(other))).await.expect("another one came first");
        assert!(matches!(duplicate, StoreOutcome::Duplicate { id } if id == other), "{duplicate:?}");
        let conflict = resolve(Ok(Some(id))).await.expect("a row that is not current");
        assert!(matches!(conflict, StoreOutcome::Conflict { .. }), "{conflict:?}");
    }
}
