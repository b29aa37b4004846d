//! Requestors are told what came of their requests, again and again until they have heard it, over any restart.

use std::{sync::Arc, time::Duration};

use archive::Archive;
use chrono::TimeDelta;
use database::{AuditActor, Commitment, CommitmentEnd, DatabaseError};
use futures_util::future::join_all;
use model::ae::AeOperation;
use service::shutdown::Shutdown;
use tokio::sync::Notify;

use super::{CommitmentConfig, can_be_called, event::proposal};
use crate::{
    archive_commitment::{LookError, look},
    backoff::milliseconds,
    call::{CallConfig, Callee},
    config::PacsConfig,
    registry::Registry,
    store_scu::{ScuAssociation, ScuError, ScuTimeouts},
};

/// Time between two looks for what is due: other nodes take requests, too.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Time between two looks for what can be forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// An attempt that has not ended by then is lost, with the node that made it.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Who acts, in the audit trail.
const ROLE: &str = "server";

/// Why an attempt to report failed.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    Look(#[from] LookError),
    #[error("the registry cannot be read")]
    Registry,
    #[error("it is not registered for storage commitment with a host and a port any more")]
    NotRegistered,
    #[error("no association: {0}")]
    Unreachable(ScuError),
    #[error(transparent)]
    Scu(#[from] ScuError),
    #[error("it answered with status {0:#06x}")]
    Status(u16),
}

impl ReportError {
    /// Whether other reports to the same AE would fail as well. One that it breaks off over may be a report that it cannot
    /// take.
    fn is_of_the_ae(&self) -> bool {
        matches!(self, Self::NotRegistered | Self::Unreachable(_))
    }
}

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

    /// Works until the shutdown begins. An attempt that it cuts off is made again after the next start.
    pub async fn run(&self, shutdown: &Shutdown) {
        let workers = (0..self.config.reports_max.max(1)).map(|_| self.report_all(shutdown));
        tokio::select! {
            _ = join_all(workers) => {}
            () = self.forget() => {}
        }
    }

    async fn report_all(&self, shutdown: &Shutdown) {
        while !shutdown.has_begun() {
            match self.archive.database().claim_commitment(LEASE).await {
                Ok(Some(commitment)) => tokio::select! {
                    () = self.attempt(&commitment) => {}
                    () = shutdown.cancelled() => self.give_back(&commitment).await,
                },
                Ok(None) => self.wait(shutdown).await,
                Err(error) => {
                    tracing::warn!(%error, "requests for storage commitment cannot be read");
                    self.wait(shutdown).await;
                }
            }
        }
    }

    async fn wait(&self, shutdown: &Shutdown) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.requested.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }

    /// The next start makes the attempt at once.
    async fn give_back(&self, commitment: &Commitment) {
        let now = self.archive.clock().now();
        // What is not given back is taken when the lease ends.
        let _ = self.archive.database().postpone_commitment(commitment, now).await;
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

    /// One attempt, and what is to come after it.
    async fn attempt(&self, commitment: &Commitment) {
        let database = self.archive.database();
        let settled = match self.report(commitment).await {
            Ok((committed, failed)) => {
                metrics::counter!("maxray_commitments_reported_total").increment(1);
                let (transaction_uid, ae_title) = (&commitment.transaction_uid, &commitment.ae_title);
                tracing::info!(%transaction_uid, %ae_title, committed, failed, "storage commitment reported");
                let end = CommitmentEnd::Reported { committed, failed };
                database.end_commitment(commitment, end, &reporter()).await
            }
            Err(error) => self.put_off(commitment, &error).await,
        };
        if let Err(error) = settled {
            // The lease ends by itself, and the attempt is made again.
            tracing::error!(%error, "what came of a storage commitment cannot be kept");
        }
    }

    async fn put_off(&self, commitment: &Commitment, error: &ReportError) -> Result<(), DatabaseError> {
        metrics::counter!("maxray_commitment_attempts_failed_total").increment(1);
        let (database, now) = (self.archive.database(), self.archive.clock().now());
        let attempts = commitment.attempts;
        tracing::warn!(
            %error,
            attempts,
            ae_title = %commitment.ae_title,
            transaction_uid = commitment.transaction_uid,
            "storage commitment not reported"
        );
        if now - commitment.requested_at >= milliseconds(self.config.give_up_after_ms) {
            return database.end_commitment(commitment, CommitmentEnd::GivenUp, &reporter()).await;
        }
        let until = now + milliseconds(self.config.wait_after_ms(attempts));
        if error.is_of_the_ae() {
            database.postpone_commitments_of(&commitment.ae_title, until).await?;
        }
        database.postpone_commitment(commitment, until).await
    }

    /// Looks at everything anew and tells the requestor; gives how many are committed to and how many are not.
    async fn report(&self, commitment: &Commitment) -> Result<(usize, usize), ReportError> {
        let registry = self.registry.get().await.map_err(|_| ReportError::Registry)?;
        let ae = registry.iter().find(|ae| ae.title == commitment.ae_title);
        let ae = ae
            .filter(|ae| can_be_called(ae) && ae.profile.operations.contains(&AeOperation::Commit))
            .ok_or(ReportError::NotRegistered)?;
        let findings = look(&self.archive, commitment, ae).await?;
        let (us, timeouts) = (&commitment.called_ae_title, ScuTimeouts::default());
        let proposals: Vec<_> = proposal().into_iter().collect();
        let association =
            ScuAssociation::connect(&self.call, &Callee::of(ae), us, &proposals, timeouts).await;
        let mut association = association.map_err(ReportError::Unreachable)?;
        let response = association.report_commitment(&commitment.transaction_uid, us, &findings).await;
        match response {
            Ok(response) => {
                // It has heard everything.
                let _ = association.release().await;
                if !response.is_success() {
                    return Err(ReportError::Status(response.status));
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

fn reporter() -> AuditActor {
    AuditActor { role: ROLE.to_owned(), ..AuditActor::default() }
}
