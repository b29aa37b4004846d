//! Requestors are told what came of their requests, again and again until they have heard it, over any restart.

use std::{sync::Arc, time::Duration};

use archive::Archive;
use chrono::{DateTime, TimeDelta, Utc};
use database::{Commitment, CommitmentEnd, DatabaseError};
use model::{AeTitle, ae::AeOperation};
use service::shutdown::Shutdown;
use tokio::sync::Notify;

use super::{CommitmentConfig, event::proposal};
use crate::{
    archive_commitment::look,
    backoff::milliseconds,
    call::{CallConfig, Callee, can_be_called},
    config::PacsConfig,
    delivery::{Debt, DeliveryError, Owed, Patience, deliver, teller},
    registry::Registry,
    store_scu::{ScuAssociation, ScuTimeouts},
};

/// Time between two looks for what can be forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Tells requestors what came of their requests, until they have heard it.
pub struct Reporter {
    archive: Archive,
    registry: Registry,
    call: CallConfig,
    config: CommitmentConfig,
    requested: Arc<Notify>,
}

impl Reporter {
    /// For the requests that wait in the archive's database. `requested` tells of new ones.
    pub fn new(archive: Archive, config: &PacsConfig, requested: Arc<Notify>) -> Self {
        let registry = Registry::new(archive.database().clone());
        let (call, config) = (config.call.clone(), config.commitment.clone());
        Self { archive, registry, call, config, requested }
    }

    /// Works until the shutdown begins.
    pub async fn run(&self, shutdown: &Shutdown) {
        tokio::select! {
            () = deliver(self, self.config.reports_max, &self.requested, shutdown) => {}
            () = self.forget() => {}
        }
    }

    async fn forget(&self) {
        loop {
            let before = self.archive.clock().now() - milliseconds(self.config.remember_ms);
            if let Err(error) = self.archive.database().forget_commitments(before).await {
                tracing::warn!(%error, "old requests for storage commitment cannot be removed");
            }
            tokio::time::sleep(FORGET_EVERY).await;
        }
    }

    /// Looks at everything anew and tells the requestor; gives how many are committed to and how many are not.
    async fn report(&self, commitment: &Commitment) -> Result<(usize, usize), DeliveryError> {
        let registry = self.registry.get().await.map_err(|_| DeliveryError::Registry)?;
        let ae = registry.iter().find(|ae| ae.title == commitment.ae_title);
        let ae = ae
            .filter(|ae| can_be_called(ae) && ae.profile.operations.contains(&AeOperation::Commit))
            .ok_or(DeliveryError::NotRegistered)?;
        let findings = look(&self.archive, commitment, ae).await?;
        let (us, timeouts) = (&commitment.called_ae_title, ScuTimeouts::default());
        let proposals: Vec<_> = proposal().into_iter().collect();
        let association =
            ScuAssociation::connect(&self.call, &Callee::of(ae), us, &proposals, timeouts).await;
        let mut association = association.map_err(DeliveryError::Unreachable)?;
        let response = association.report_commitment(&commitment.transaction_uid, us, &findings).await;
        match response {
            Ok(response) => {
                // It has heard everything.
                let _ = association.release().await;
                if !response.is_success() {
                    return Err(DeliveryError::Status(response.status));
                }
                Ok((findings.committed.len(), findings.failed.len()))
            }
            Err(error) => {
                association.abort(&error).await;
                Err(error.into())
            }
        }
    }
}

impl Owed for Reporter {
    type Item = Commitment;
    const WHAT: &'static str = "storage commitment";
    const FAILED: &'static str = "maxray_commitment_attempts_failed_total";

    fn archive(&self) -> &Archive {
        &self.archive
    }

    fn patience(&self) -> Patience {
        let CommitmentConfig { retry_first_ms, retry_longest_ms, give_up_after_ms, .. } = self.config;
        Patience {
            retry_first: retry_first_ms,
            retry_longest: retry_longest_ms,
            give_up_after: give_up_after_ms,
        }
    }

    fn debt<'a>(&self, commitment: &'a Commitment) -> Debt<'a> {
        Debt {
            ae_title: &commitment.ae_title,
            about: &commitment.transaction_uid,
            since: commitment.requested_at,
            attempts: commitment.attempts,
        }
    }

    async fn claim(&self, lease: TimeDelta) -> Result<Option<Commitment>, DatabaseError> {
        self.archive.database().claim_commitment(lease).await
    }

    async fn tell(&self, commitment: &Commitment) -> Result<(), DeliveryError> {
        let (committed, failed) = self.report(commitment).await?;
        metrics::counter!("maxray_commitments_reported_total").increment(1);
        let (transaction_uid, ae_title) = (&commitment.transaction_uid, &commitment.ae_title);
        tracing::info!(%transaction_uid, %ae_title, committed, failed, "storage commitment reported");
        let end = CommitmentEnd::Reported { committed, failed };
        Ok(self.archive.database().end_commitment(commitment, end, &teller()).await?)
    }

    async fn postpone(&self, commitment: &Commitment, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.archive.database().postpone_commitment(commitment, until).await
    }

    async fn postpone_all(&self, ae_title: &AeTitle, until: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.archive.database().postpone_commitments_of(ae_title, until).await
    }

    async fn give_up(&self, commitment: &Commitment) -> Result<(), DatabaseError> {
        let database = self.archive.database();
        database.end_commitment(commitment, CommitmentEnd::GivenUp, &teller()).await
    }
}
