//! The archive as what storage commitment is promised for: requests are rows, and "committed" is said of what is in the
//! index and whose object was looked at a moment ago.

use std::collections::{HashMap, HashSet};

use archive::{Archive, CheckError};
use database::{Commitment, CommitmentRequested, DatabaseError, NewCommitment, StoredInstance};
use futures_util::{StreamExt as _, stream};
use model::{SopReference, access::Scope, ae::Ae};
use uuid::Uuid;

use crate::{
    archive_backend::{House, actor},
    archive_lookup::reading_scope,
    backend::{Backend, Peer},
    call::can_be_called,
    commitment_scp::{CommitmentRequest, Findings, KeepCommitments},
    dimse::status,
    query_retrieve::response::Refused,
    storage_sop_classes::is_storage_sop_class,
};

/// Objects looked at together.
const CHECKS_MAX: usize = 8;

fn not_now(error: &DatabaseError) -> Refused {
    tracing::error!(%error, "a request for storage commitment cannot be kept");
    Refused::saying(status::PROCESSING_FAILURE, "the archive cannot keep the request now")
}

impl KeepCommitments for House {
    async fn keep_commitment(
        &self,
        peer: &Peer,
        request: &CommitmentRequest,
        pending_max: u32,
    ) -> Result<(), Refused> {
        let registry = self.registry().await;
        let registry = registry
            .map_err(|_| Refused::saying(status::PROCESSING_FAILURE, "the registry cannot be read now"))?;
        let known = registry.iter().find(|ae| ae.title == peer.calling_ae_title);
        if !known.is_some_and(can_be_called) {
            let comment = "this AE is registered without host and port to report to";
            return Err(Refused::saying(status::PROCESSING_FAILURE, comment));
        }
        let new = NewCommitment {
            ae_title: &peer.calling_ae_title,
            called_ae_title: &peer.called_ae_title,
            transaction_uid: &request.transaction_uid,
            references: &request.references,
        };
        let kept = self.archive().database().request_commitment(new, pending_max, &actor(peer)).await;
        match kept.map_err(|error| not_now(&error))? {
            CommitmentRequested::Kept { .. } => {
                self.commitments().notify_one();
                Ok(())
            }
            CommitmentRequested::TooMany => {
                let comment = "too many requests of this AE wait to be reported on";
                Err(Refused::saying(status::RESOURCE_LIMITATION, comment))
            }
        }
    }
}

/// Why nothing can be said of a request.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The index cannot be asked.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The store does not answer.
    #[error("an object could not be looked at: {0}")]
    Check(#[from] CheckError),
}

/// What can be committed to of what was asked for. PS3.4 J.3.3: each instance is in the index, within what the AE may
/// see or has sent itself, and its object is there as it was stored.
pub async fn look(archive: &Archive, commitment: &Commitment, ae: &Ae) -> Result<Findings, LookError> {
    let references = &commitment.references;
    if commitment.duplicate {
        let all = references.iter().map(|one| (one.clone(), status::DUPLICATE_TRANSACTION_UID));
        return Ok(Findings { committed: Vec::new(), failed: all.collect() });
    }
    let known = known(archive, references, ae).await?;
    let mut checked = stream::iter(references.iter().cloned())
        .map(|reference| {
            let instance = known.get(reference.sop_instance_uid.as_str());
            async move {
                let reason = failure_reason(archive, &reference, instance).await?;
                Ok::<_, LookError>((reference, reason))
            }
        })
        .buffered(CHECKS_MAX);
    let mut findings = Findings::default();
    while let Some(found) = checked.next().await {
        match found? {
            (reference, None) => findings.committed.push(reference),
            (reference, Some(reason)) => findings.failed.push((reference, reason)),
        }
    }
    Ok(findings)
}

async fn known(
    archive: &Archive,
    references: &[SopReference],
    ae: &Ae,
) -> Result<HashMap<String, StoredInstance>, LookError> {
    let database = archive.database();
    let uids: Vec<&str> = references.iter().map(|one| one.sop_instance_uid.as_str()).collect();
    let mut found = match reading_scope(database, ae.profile.reads_as).await? {
        Some(scope) => database.instances_by_uid(&scope, &uids).await?,
        None => Vec::new(),
    };
    if ae.profile.reads_as.is_some() {
        let everything = database.instances_by_uid(&Scope::internal(), &uids).await?;
        let seen: HashSet<Uuid> = found.iter().map(|one| one.id).collect();
        let others: Vec<&StoredInstance> = everything.iter().filter(|one| !seen.contains(&one.id)).collect();
        let sent = database.sent_by(&ae.title, &others).await?;
        found.extend(everything.into_iter().filter(|one| sent.contains(&one.id)));
    }
    Ok(found.into_iter().map(|one| (one.sop_instance_uid.to_string(), one)).collect())
}

/// Failure Reason (0008,1197), PS3.3 C.14.1.1; none for an instance that is committed to.
async fn failure_reason(
    archive: &Archive,
    reference: &SopReference,
    instance: Option<&StoredInstance>,
) -> Result<Option<u16>, CheckError> {
    let Some(instance) = instance else {
        let storable = is_storage_sop_class(reference.sop_class_uid.as_str());
        return Ok(Some(if storable {
            status::NO_SUCH_SOP_INSTANCE
        } else {
            status::SOP_CLASS_NOT_SUPPORTED
        }));
    };
    if instance.sop_class_uid != reference.sop_class_uid {
        return Ok(Some(status::CLASS_INSTANCE_CONFLICT));
    }
    let difference = archive.check_object(instance).await?;
    Ok(difference.map(|difference| {
        let sop_instance_uid = &instance.sop_instance_uid;
        tracing::error!(%sop_instance_uid, %difference, "an instance cannot be committed to");
        status::PROCESSING_FAILURE
    }))
}
