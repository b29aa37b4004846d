//! Jobs that change keys, each resumable: the database knows how far they are.

use std::time::Duration;

use chrono::TimeDelta;
use database::{AuditActor, DatabaseError, KeyJob, KeyJobKind, SealedRow, SealedRowKind};
use fail_point::Point;
use object_storage::{Rewrapped, SealedObject, StorageError};
use uuid::Uuid;

use crate::Archive;

/// Instances sealed anew between two notes of how far the job is.
const INSTANCES_AT_ONCE: u32 = 32;
/// Patients looked at together.
const PATIENTS_AT_ONCE: u32 = 100;
/// The job is held anew this often while root keys are rewrapped.
const HOLD_EVERY: Duration = Duration::from_secs(5);

/// Why a job did not end.
#[derive(Debug, thiserror::Error)]
pub enum KeyJobError {
    /// Another process works on it.
    #[error("another process works on this job")]
    Taken,
    /// Some objects could not be sealed anew: their old keys stay.
    #[error("{objects} objects could not be read, so the old keys stay: run `maxray verify --deep`")]
    Unreadable {
        /// How many.
        objects: u64,
    },
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl KeyJobError {
    /// Whether trying again may help, with nothing changed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Taken => true,
            Self::Unreadable { .. } => false,
            Self::Storage(error) => error.is_out_of_resources(),
            Self::Database(error) => matches!(error, DatabaseError::Busy | DatabaseError::Unavailable(_)),
        }
    }
}

/// A job that this process works on.
struct Held<'a> {
    archive: &'a Archive,
    job: &'a KeyJob,
    worker: Uuid,
    cursor: Option<Uuid>,
    done: u64,
    unreadable: u64,
}

impl Held<'_> {
    async fn note(&self) -> Result<(), KeyJobError> {
        let database = self.archive.database();
        let lease = self.archive.storage().keys().job_lease();
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::hours(1));
        let held = database.hold_key_job(self.job.id, self.worker, lease, self.cursor, self.done).await?;
        if held { Ok(()) } else { Err(KeyJobError::Taken) }
    }
}

impl Archive {
    /// Works on a job until it is done or fails for good; `worker` names this process.
    ///
    /// # Errors
    /// What may pass leaves the job open; the rest ends it as failed.
    pub async fn run_key_job(&self, job: &KeyJob, worker: Uuid) -> Result<(), KeyJobError> {
        let mut held = Held { archive: self, job, worker, cursor: job.cursor, done: job.done, unreadable: 0 };
        held.note().await?;
        let result = match (job.kind, job.patient) {
            (KeyJobKind::RotateRoot, _) => self.rotate_root(&mut held).await,
            (KeyJobKind::RotatePatient, Some(patient)) => self.rotate_patient(&mut held, patient).await,
            (KeyJobKind::RotatePatient, None) => Ok(()),
            (KeyJobKind::RotateAllPatients, _) => self.rotate_all_patients(&mut held).await,
        };
        let result = result.and(match held.unreadable {
            0 => Ok(()),
            objects => Err(KeyJobError::Unreadable { objects }),
        });
        let actor = AuditActor { role: "archive".to_owned(), ..AuditActor::default() };
        match &result {
            Ok(()) => self.database().end_key_job(job, None, &actor).await?,
            Err(error) if error.may_pass() => {}
            Err(error) => self.database().end_key_job(job, Some(&error.to_string()), &actor).await?,
        }
        result
    }

    async fn rotate_root(&self, held: &mut Held<'_>) -> Result<(), KeyJobError> {
        let keys = self.storage().keys();
        keys.begin_root_rotation().await?;
        let (progress, seen) = tokio::sync::watch::channel(Rewrapped::default());
        // Again until a pass finds nothing: another process may have made keys behind the first one.
        let rewrap = async {
            loop {
                let done = keys.rewrap_all(|done| _ = progress.send_replace(done)).await?;
                if done.rewrapped == 0 {
                    return Ok::<_, StorageError>(done);
                }
            }
        };
        tokio::pin!(rewrap);
        loop {
            tokio::select! {
                done = &mut rewrap => {
                    held.done = done?.keys;
                    break;
                }
                () = tokio::time::sleep(HOLD_EVERY) => {
                    held.done = seen.borrow().keys;
                    held.note().await?;
                }
            }
        }
        keys.finish_root_rotation().await?;
        held.note().await
    }

    async fn rotate_all_patients(&self, held: &mut Held<'_>) -> Result<(), KeyJobError> {
        loop {
            let after = held.cursor.unwrap_or(Uuid::nil());
            let patients = self.database().patients_after(after, PATIENTS_AT_ONCE).await?;
            if patients.is_empty() {
                return Ok(());
            }
            for patient in patients {
                self.rotate_patient(held, patient).await?;
                held.cursor = Some(patient);
                held.note().await?;
            }
        }
    }

    /// A new key for what comes, everything that is there sealed anew with it, and the old keys dropped.
    async fn rotate_patient(&self, held: &mut Held<'_>, patient: Uuid) -> Result<(), KeyJobError> {
        let database = self.database();
        // Retired keys mean that an earlier run began.
        if database.patient_keys(patient).await?.1.is_empty() {
            let spare = self.storage().keys().spare().await?;
            if !database.begin_patient_rotation(patient, spare.id()).await? {
                self.storage().keys().give_back(spare);
                return Ok(());
            }
        }
        let (active, retired) = database.patient_keys(patient).await?;
        let Some(active) = active else { return Ok(()) };
        for key in retired {
            self.0.study_keys.forget_key(key);
        }
        let unreadable_before = held.unreadable;
        // A preview may be recorded behind the pass that sealed its instance anew: again, until nothing is left.
        loop {
            let done_before = held.done;
            self.seal_patient_anew(held, patient, active).await?;
            if held.done == done_before || held.unreadable > unreadable_before {
                break;
            }
        }
        if held.unreadable == unreadable_before {
            database.drop_retired_keys(patient, self.grace()).await?;
        }
        Ok(())
    }

    /// One pass over what is kept of a patient.
    async fn seal_patient_anew(
        &self,
        held: &mut Held<'_>,
        patient: Uuid,
        active: Uuid,
    ) -> Result<(), KeyJobError> {
        let mut after = Uuid::nil();
        loop {
            let rows = self.database().sealed_rows(patient, after, INSTANCES_AT_ONCE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.instance;
            for row in &rows {
                self.seal_row_anew(held, row, active).await?;
            }
            held.note().await?;
        }
    }

    async fn seal_row_anew(
        &self,
        held: &mut Held<'_>,
        row: &SealedRow,
        active: Uuid,
    ) -> Result<(), KeyJobError> {
        let resealed = async {
            let object = SealedObject::new(row.object_key, &row.object_seal)?;
            if object.seal.patient_key_id() == active {
                return Ok(None);
            }
            let key = self.storage().keys().patient_key(active).await?;
            self.storage().reseal(&object, &key).await.map(Some)
        };
        let new = match resealed.await {
            Ok(Some(new)) => new,
            Ok(None) => return Ok(()),
            Err(error) => return self.skip_unreadable(held, row, error).await,
        };
        let seal = new.seal.to_bytes();
        held.done += 1;
        fail_point::pass(Point::K38SealedAnew);
        if !self.database().replace_object(row, new.key.into(), &seal, self.grace()).await? {
            self.storage().delete(new.key).await?;
        }
        fail_point::pass(Point::K38RowReplaced);
        Ok(())
    }

    /// Pictures are made again; an instance that cannot be read keeps its old key, and the job says so at its end.
    async fn skip_unreadable(
        &self,
        held: &mut Held<'_>,
        row: &SealedRow,
        error: StorageError,
    ) -> Result<(), KeyJobError> {
        let is_gone = matches!(
            error,
            StorageError::Altered { .. } | StorageError::NotFound(_) | StorageError::KeyMissing(_)
        );
        if !is_gone {
            return Err(error.into());
        }
        if matches!(row.kind, SealedRowKind::Instance | SealedRowKind::Deleted) {
            // Erased while we worked, or replaced by another process.
            if self.database().names_object(row.instance, row.object_key).await? {
                self.tell_altered(row.instance, "instance", &error);
                held.unreadable += 1;
            }
        } else {
            self.database().requeue_preview(row.instance).await?;
        }
        Ok(())
    }

    fn grace(&self) -> TimeDelta {
        TimeDelta::from_std(self.storage().keys().rotation_grace()).unwrap_or(TimeDelta::hours(1))
    }
}
