//! Storing instances: the one way in. Concurrent calls share a transaction; each has its own outcome.
//!
//! `prepare` makes the rows (in the caller's task), `group_commit` gathers callers, `known`, `found` and `restorable` read
//! what the archive has, `resolve` decides without touching the database, `write` inserts.

mod found;
mod group_commit;
mod key_use;
mod known;
mod prepare;
mod resolve;
mod restorable;
mod write;

use std::sync::Arc;

use model::{AeTitle, SopInstanceUid, instance::InstanceHeader};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{AuditActor, Database, DatabaseError};

pub(crate) use group_commit::{Waiting, commit_in_groups, record_repeatedly};
pub(crate) use prepare::demographics;
use prepare::prepare;

/// The door of what is read again from the objects, for an index that is made anew.
const REINDEX: &str = "reindex";
/// The door of what was deleted and is given back.
const RESTORE: &str = "restore";

/// An instance whose object is durable, to be made visible.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInstance {
    /// Identity, a UUIDv7; also of the X-ray in REST paths. The same id may be given again after an error.
    pub id: Uuid,
    /// Name of the object in object storage.
    pub object_key: Uuid,
    /// What opens the object, together with the patient's key.
    pub object_seal: Vec<u8>,
    /// The patient key that the seal is made with: it serves this patient, or nobody yet.
    pub patient_key_id: Uuid,
    /// Length of the whole object.
    pub object_length_bytes: u64,
    /// Where the data set starts in the object.
    pub data_set_offset: u64,
    /// Length of the data set.
    pub data_set_length_bytes: u64,
    /// SHA-256 of the data set.
    pub data_set_sha256: [u8; 32],
    /// What was read from it.
    pub header: InstanceHeader,
    /// Where it came from.
    pub origin: Origin,
    /// What to do with other content under a known SOP Instance UID.
    pub conflict_policy: ConflictPolicy,
}

/// By which door an instance came, and from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `dimse`, `stow-rs` or `rest`; of the operator's commands `import`, `reindex` or `restore`.
    pub door: &'static str,
    /// Calling AE title.
    pub calling_ae: Option<AeTitle>,
    /// Called AE title.
    pub called_ae: Option<AeTitle>,
    /// The account, on HTTP.
    pub user_id: Option<Uuid>,
    /// Whether the account may add to studies that it began, and to no others.
    pub own_studies_only: bool,
    /// Network address.
    pub source_address: String,
    /// The request or association it belongs to.
    pub request_id: String,
}

impl Origin {
    /// The sender, for the audit trail.
    pub fn actor(&self) -> AuditActor {
        let role = match self.door {
            "import" | "reindex" | "restore" => "operator",
            _ if self.user_id.is_some() => "user",
            _ => "modality",
        };
        AuditActor {
            user_id: self.user_id,
            role: role.to_owned(),
            calling_ae: self.calling_ae.as_ref().map_or_else(String::new, ToString::to_string),
            source_address: self.source_address.clone(),
            request_id: self.request_id.clone(),
            ..AuditActor::default()
        }
    }
}

/// What to do with other content under a known SOP Instance UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictPolicy {
    /// Keep both: the first stays current, the second is hidden and reported.
    #[default]
    KeepBoth,
    /// Refuse the second.
    Refuse,
}

/// What became of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is visible.
    Stored {
        /// Its id.
        id: Uuid,
    },
    /// The same content is there already, as current instance or as kept conflict version: the new object is not
    /// needed.
    Duplicate {
        /// Id of what is there.
        id: Uuid,
    },
    /// Other content is current under this SOP Instance UID; this one is kept, hidden.
    Conflict {
        /// Id of the hidden version.
        id: Uuid,
    },
}

/// Why an instance was not stored. Nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
pub enum StoreInstanceError {
    /// The SOP Instance UID is known under another study or series.
    #[error("this SOP Instance UID belongs to another study or series")]
    ForeignStudy,
    /// The Series Instance UID is known under another study.
    #[error("this Series Instance UID belongs to another study")]
    ForeignSeries,
    /// The study is known with another Patient ID or issuer.
    #[error("this study belongs to another patient")]
    StudyOfAnotherPatient,
    /// The study was begun by somebody else, and the sender may add to own studies alone.
    #[error("this study was begun by another sender")]
    StudyOfAnotherSender,
    /// The patient key serves another patient, or is not in use any more: seal the instance with another one.
    #[error("the patient key cannot be used for this patient")]
    PatientKeyUnusable,
    /// Other content is known under this SOP Instance UID, and the policy refuses a second version.
    #[error("other content is known under this SOP Instance UID")]
    ConflictRefused,
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Database {
    /// Makes an instance visible: its rows, its event and its audit record, in one durable transaction that it may
    /// share with concurrent calls. Calling again with the same id, or the same content, is safe.
    ///
    /// Dropping the future does not take the instance back once it is queued.
    pub async fn store_instance(
        &self,
        new: impl Into<Arc<NewInstance>>,
    ) -> Result<StoreOutcome, StoreInstanceError> {
        let prepared = prepare(new.into()).await?;
        let ingest = on!(self, engine => engine.ingest.as_ref()).ok_or_else(DatabaseError::closing)?;
        let (reply, outcome) = oneshot::channel();
        ingest
            .send(Waiting::Instance { prepared: Box::new(prepared), reply })
            .await
            .map_err(|_| DatabaseError::closing())?;
        outcome.await.map_err(|_| DatabaseError::closing())?
    }

    /// The instance, current or a conflict version, with this UID and content.
    pub async fn find_stored(
        &self,
        sop_instance_uid: &SopInstanceUid,
        data_set_sha256: &[u8; 32],
    ) -> Result<Option<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT id FROM instance WHERE sop_instance_uid = $1 AND data_set_sha256 = $2";
        Ok(on!(self, engine => sqlx::query_scalar(SQL)
            .bind(sop_instance_uid.as_str())
            .bind(data_set_sha256.as_slice())
            .fetch_optional(&engine.read)
            .await?))
    }
}
