//! From the queue to a destination, over associations of our own.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use chrono::TimeDelta;
use database::{AuditRecord, DatabaseError, Forward, ForwardOutcome, ForwardRuleRow, StoredInstance};
use futures_util::future::try_join_all;
use model::{AeTitle, StudyInstanceUid, ae::Ae};
use service::shutdown::Shutdown;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Forwarder, wait};
use crate::{
    backend::Backend as _,
    backoff::{milliseconds, wait_after},
    call::can_be_called,
    destination::{Destination, Offered},
    dimse::status,
    store_scu::ScuError,
};

/// Instances of one association.
const BATCH: u32 = 50;
/// An instance that has not been sent by then is taken again, unless whoever took it says that it goes on.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// Which is said so often.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Refused: out of resources (PS3.4 table B.2-1).
const OUT_OF_RESOURCES: std::ops::RangeInclusive<u16> = 0xA700..=0xA7FF;

/// How attempts ended.
type Ended = Vec<(Uuid, ForwardOutcome)>;

impl Forwarder {
    /// Sends whatever is due for a destination.
    pub(super) async fn send_to(&self, destination: &AeTitle, shutdown: &Shutdown) {
        while !shutdown.has_begun() {
            match self.send_batch(destination, shutdown).await {
                Ok(true) if self.resting.is_resting(destination) => return,
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, %destination, "forwarding cannot go on now");
                    return wait(KEEP_EVERY, shutdown).await;
                }
            }
        }
    }

    /// Says whether there may be more.
    async fn send_batch(&self, destination: &AeTitle, shutdown: &Shutdown) -> Result<bool, DatabaseError> {
        let taken = self.database().take_forwards(destination, BATCH, LEASE).await?;
        if taken.is_empty() {
            return Ok(false);
        }
        // What has not ended is due again when the lease is over, or now after an orderly end.
        let left: Mutex<Vec<Forward>> = Mutex::new(taken);
        tokio::select! {
            sent = self.send_all(destination, &left) => return sent.map(|()| true),
            () = self.keep(destination, &left) => {}
            () = shutdown.cancelled() => {}
        }
        let again = |one: &Forward| (one.id, ForwardOutcome::Again(TimeDelta::zero(), String::new(), false));
        let ended: Ended = left.lock().await.iter().map(again).collect();
        self.database().settle_forwards(&ended).await?;
        Ok(true)
    }

    /// What is still to be sent stays ours. Ends when a rule does not ask for some of it any more.
    async fn keep(&self, destination: &AeTitle, left: &Mutex<Vec<Forward>>) {
        loop {
            tokio::time::sleep(KEEP_EVERY).await;
            let ours = left.lock().await.clone();
            match self.database().forward_rules().await {
                Ok(rules) => {
                    let counts =
                        |row: &ForwardRuleRow| row.rule.enabled && row.rule.destination == *destination;
                    let ids: HashSet<Uuid> =
                        rules.iter().filter(|row| counts(row)).map(|row| row.id).collect();
                    if ours.iter().any(|one| !ids.contains(&one.rule_id)) {
                        return;
                    }
                }
                Err(error) => tracing::debug!(%error, "the rules of forwarding cannot be read"),
            }
            let ids: Vec<Uuid> = ours.iter().map(|one| one.id).collect();
            if let Err(error) = self.database().keep_forwards(&ids, LEASE).await {
                // Somebody may send the same once more, which does no harm.
                tracing::debug!(%error, "what is being forwarded cannot be kept");
            }
        }
    }

    async fn send_all(&self, destination: &AeTitle, left: &Mutex<Vec<Forward>>) -> Result<(), DatabaseError> {
        let all = left.lock().await.clone();
        let registry = self.house.registry().await.ok();
        let ae = registry.iter().flat_map(|aes| aes.iter()).find(|ae| ae.title == *destination);
        let Some(ae) = ae.filter(|ae| can_be_called(ae)) else {
            self.resting.rest(destination);
            let why = format!("{destination} is not registered with a host and a port, or not enabled");
            let ended = all.iter().map(|one| (one.id, self.again(one, &why, false)));
            return self.settle(ended.collect(), left).await;
        };
        let uids: Vec<&str> = all.iter().map(|one| one.sop_instance_uid.as_str()).collect();
        let found = self.database().instances_by_uid(&self.scope, &uids).await?;
        let mut found: HashMap<Uuid, StoredInstance> = found.into_iter().map(|one| (one.id, one)).collect();
        let (mut instances, mut gone) = (Vec::new(), Ended::new());
        for forward in all {
            if let Some(instance) = found.remove(&forward.instance) {
                instances.push((forward, instance));
            } else {
                let why = "the instance is not there any more".to_owned();
                gone.push((forward.id, ForwardOutcome::Dead(why)));
            }
        }
        self.settle(gone, left).await?;
        self.record(destination, &instances).await?;
        self.send_instances(ae.clone(), instances, left).await
    }

    async fn send_instances(
        &self,
        ae: Ae,
        instances: Vec<(Forward, StoredInstance)>,
        left: &Mutex<Vec<Forward>>,
    ) -> Result<(), DatabaseError> {
        let (forwards, instances): (Vec<Forward>, Vec<StoredInstance>) = instances.into_iter().unzip();
        let title = ae.title.clone();
        let place = self.caller.place(&title).await;
        let mut destination = Destination::new(&ae, place, None, &instances);
        let mut settled = Ok(());
        for (index, forward) in forwards.iter().enumerate() {
            let offered = destination.offer(&self.house, &instances[index..]).await;
            let ended = match &offered {
                Offered::GivenUp => {
                    self.resting.rest(&title);
                    let why = "the destination does not answer";
                    forwards[index..].iter().map(|one| (one.id, self.again(one, why, false))).collect()
                }
                Offered::Broken(ScuError::Connect(_)) => {
                    self.resting.rest(&title);
                    vec![(forward.id, self.outcome(forward, offered))]
                }
                Offered::Answered(_) | Offered::NotTaken | Offered::Unreadable | Offered::Broken(_) => {
                    self.resting.wake(&title);
                    vec![(forward.id, self.outcome(forward, offered))]
                }
            };
            let is_last = ended.len() > 1;
            settled = self.settle(ended, left).await;
            if settled.is_err() || is_last {
                break;
            }
        }
        destination.release().await;
        settled
    }

    /// Before anything leaves: how much of which study goes where.
    async fn record(
        &self,
        destination: &AeTitle,
        instances: &[(Forward, StoredInstance)],
    ) -> Result<(), DatabaseError> {
        let mut studies: BTreeMap<&StudyInstanceUid, usize> = BTreeMap::new();
        for (_, instance) in instances {
            *studies.entry(&instance.study_instance_uid).or_default() += 1;
        }
        let actor = Self::actor();
        let record = |(study, count)| {
            let record = AuditRecord::success(&actor, "forward_instances").of_study(study);
            self.database().audit(record.saying(format!("to {destination}, {count} instances")))
        };
        // Together, so that they share a commit.
        try_join_all(studies.into_iter().map(record)).await.map(drop)
    }

    fn outcome(&self, forward: &Forward, offered: Offered) -> ForwardOutcome {
        match offered {
            Offered::Answered(status) if status::is_success(status) => ForwardOutcome::Sent,
            Offered::Answered(status) => {
                let why = format!("it was refused with status 0x{status:04X}");
                let for_good = !may_pass(status);
                let refusals = u32::try_from(forward.refusals).unwrap_or_default() + 1;
                if for_good && refusals >= self.config.refusals_max {
                    return ForwardOutcome::Dead(why);
                }
                self.again(forward, &why, for_good)
            }
            Offered::NotTaken => {
                let why = "the destination takes it in no transfer syntax that it can be had in";
                ForwardOutcome::Dead(why.to_owned())
            }
            Offered::Unreadable => self.again(forward, "it cannot be read", false),
            Offered::Broken(error) => self.again(forward, &error.to_string(), false),
            Offered::GivenUp => self.again(forward, "the destination does not answer", false),
        }
    }

    /// Another attempt, unless it has been tried for too long.
    fn again(&self, forward: &Forward, why: &str, refused: bool) -> ForwardOutcome {
        let tried_for = self.house.archive().clock().now() - forward.created_at;
        if tried_for >= milliseconds(self.config.give_up_after_ms) {
            return ForwardOutcome::Dead(why.to_owned());
        }
        let attempts = u32::try_from(forward.attempts).unwrap_or_default();
        let wait = wait_after(attempts, self.config.retry_first_ms, self.config.retry_longest_ms);
        ForwardOutcome::Again(milliseconds(wait), why.to_owned(), refused)
    }

    async fn settle(&self, ended: Ended, left: &Mutex<Vec<Forward>>) -> Result<(), DatabaseError> {
        if ended.is_empty() {
            return Ok(());
        }
        self.database().settle_forwards(&ended).await?;
        for (id, outcome) in ended {
            let outcome = match outcome {
                ForwardOutcome::Sent => "sent",
                ForwardOutcome::Again(..) => "again",
                ForwardOutcome::Dead(_) => "dead",
            };
            metrics::counter!("maxray_forwards_total", "outcome" => outcome).increment(1);
            left.lock().await.retain(|one| one.id != id);
        }
        Ok(())
    }
}

/// Another time the same instance may be taken: it says something of the destination and nothing of the instance (PS3.7 Annex C).
fn may_pass(status: u16) -> bool {
    OUT_OF_RESOURCES.contains(&status)
        || [status::PROCESSING_FAILURE, status::NOT_AUTHORIZED, status::RESOURCE_LIMITATION].contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_destination_may_pass() {
        for status in [0x0110, 0x0124, 0x0213, 0xA700, 0xA7FF] {
            assert!(may_pass(status), "{status:#06x}");
        }
        for status in [0x0111, 0x0117, 0x0122, 0x0211, 0x0212, 0xA800, 0xA900, 0xC000, 0xCFFF] {
            assert!(!may_pass(status), "{status:#06x}");
        }
    }
}
