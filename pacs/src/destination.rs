//! Where instances are sent to, by C-MOVE and by rules of forwarding: one association at a time, made when it is needed.

use std::{collections::HashSet, sync::Arc};

use database::StoredInstance;
use model::{
    TransferSyntaxUid,
    ae::Ae,
    transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
};

use crate::{
    call::Callee,
    caller::Place,
    query_retrieve::lookup::{Lookup, NotOpened, Opened},
    retrieve::{self, ahead::Ahead, sub_operations::Outcome},
    store_scu::{Originator, PROPOSALS_MAX, Proposal, ScuAssociation, ScuError, StoreItem},
};

/// Associations that may fail one after the other before the rest is given up.
const FAILURES_MAX: u32 = 3;

/// What became of an instance.
#[derive(Debug)]
pub enum Offered {
    /// The destination answered with this status.
    Answered(u16),
    /// It takes the instance in no transfer syntax that it can be had in.
    NotTaken,
    /// The instance cannot be read. The operator's log says more.
    Unreadable,
    /// The association failed, or there is none.
    Broken(ScuError),
    /// Associations failed one after the other: nothing more is tried.
    GivenUp,
}

/// A destination, and how far the instances have come.
pub struct Destination<'a> {
    callee: Callee,
    place: Place<'a>,
    /// Who asked for it by C-MOVE.
    originator: Option<Originator>,
    /// Contexts to propose, with the number of instances from the front that they are for.
    batches: Vec<(usize, Vec<Proposal>)>,
    open: Option<ScuAssociation>,
    ahead: Ahead,
    failures: u32,
}

impl<'a> Destination<'a> {
    /// For these instances, in this order.
    pub fn new(
        ae: &Ae,
        place: Place<'a>,
        originator: Option<Originator>,
        instances: &[StoredInstance],
    ) -> Self {
        let mut batches = batches(instances);
        batches.reverse();
        Self {
            callee: Callee::of(ae),
            place,
            originator,
            batches,
            open: None,
            ahead: Ahead::default(),
            failures: 0,
        }
    }

    /// Sends the first of these instances, and tells how a sub-operation ended.
    pub async fn send<L: Lookup>(&mut self, lookup: &Arc<L>, instances: &[StoredInstance]) -> Outcome {
        match self.offer(lookup, instances).await {
            Offered::Answered(status) => Outcome::of(status),
            Offered::NotTaken | Offered::Unreadable | Offered::Broken(_) | Offered::GivenUp => {
                Outcome::Failed
            }
        }
    }

    /// Sends the first of these instances: those that are left of what this was made for.
    pub async fn offer<L: Lookup>(&mut self, lookup: &Arc<L>, instances: &[StoredInstance]) -> Offered {
        if self.batches.last().is_some_and(|(left, _)| *left == 0) {
            self.batches.pop();
            self.release().await;
        }
        if let Some((left, _)) = self.batches.last_mut() {
            *left -= 1;
        }
        if self.failures >= FAILURES_MAX {
            return Offered::GivenUp;
        }
        match self.try_offer(lookup, instances).await {
            Ok(offered) => {
                self.failures = 0;
                offered
            }
            // The next instance needs another association.
            Err(error) => {
                tracing::warn!(%error, destination = %self.callee.title, "an instance was not sent");
                // What cannot be read to its end says nothing of the destination.
                if !matches!(error, ScuError::DataSet(_) | ScuError::OddLength) {
                    self.failures += 1;
                }
                if let Some(broken) = self.open.take() {
                    broken.abort(&error).await;
                }
                Offered::Broken(error)
            }
        }
    }

    async fn try_offer<L: Lookup>(
        &mut self,
        lookup: &Arc<L>,
        instances: &[StoredInstance],
    ) -> Result<Offered, ScuError> {
        let [instance, behind @ ..] = instances else { return Ok(Offered::GivenUp) };
        let association = self.associate().await?;
        let syntaxes = association.transfer_syntaxes(&instance.sop_class_uid);
        let Opened { transfer_syntax, data_set } = match self.ahead.open(lookup, instance, &syntaxes).await {
            Ok(opened) => opened,
            Err(NotOpened::TransferSyntax) => {
                tracing::warn!(
                    sop_instance_uid = %instance.sop_instance_uid,
                    sop_class_uid = %instance.sop_class_uid,
                    transfer_syntax_uid = %instance.transfer_syntax_uid,
                    "the destination does not take the instance in a transfer syntax that it can be had in"
                );
                return Ok(Offered::NotTaken);
            }
            Err(NotOpened::Unreadable) => return Ok(Offered::Unreadable),
        };
        let item = StoreItem {
            sop_class_uid: &instance.sop_class_uid,
            sop_instance_uid: &instance.sop_instance_uid,
            transfer_syntax_uid: &transfer_syntax,
        };
        let originator = self.originator.clone();
        self.begin_next(lookup, behind.first());
        let association = self.associate().await?;
        let stored = association.store_item(item, originator.as_ref(), retrieve::reader(data_set)).await?;
        if !stored.is_success() {
            tracing::warn!(
                sop_instance_uid = %instance.sop_instance_uid,
                status = format_args!("{:#06x}", stored.status),
                "the destination refused an instance"
            );
        }
        Ok(Offered::Answered(stored.status))
    }

    /// What comes over the same association is opened while it is busy with the one before.
    fn begin_next<L: Lookup>(&mut self, lookup: &Arc<L>, next: Option<&StoredInstance>) {
        let is_of_this_batch = self.batches.last().is_some_and(|(left, _)| *left > 0);
        if let (Some(next), Some(association), true) = (next, &self.open, is_of_this_batch) {
            self.ahead.begin(lookup, next, &association.transfer_syntaxes(&next.sop_class_uid));
        }
    }

    async fn associate(&mut self) -> Result<&mut ScuAssociation, ScuError> {
        if self.open.is_none() {
            let proposals =
                self.batches.last().map(|(_, proposals)| proposals.as_slice()).unwrap_or_default();
            self.open = Some(self.place.call(&self.callee, proposals).await?);
        }
        self.open.as_mut().ok_or(ScuError::Proposal)
    }

    /// Ends the association in order.
    pub async fn release(&mut self) {
        if let Some(open) = self.open.take() {
            // Every instance has its answer already.
            let _ = open.release().await;
        }
    }
}

/// As many instances from the front as one association has contexts for, and those contexts: one for each pair of SOP
/// class and stored transfer syntax, so that the destination cannot choose another while it takes this one, and one
/// for each class with what every receiver should take.
fn batches(instances: &[StoredInstance]) -> Vec<(usize, Vec<Proposal>)> {
    let default: Vec<TransferSyntaxUid> = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]
        .into_iter()
        .filter_map(|uid| TransferSyntaxUid::parse(uid).ok())
        .collect();
    let mut batches: Vec<(usize, Vec<Proposal>)> = Vec::new();
    let mut seen: HashSet<Proposal> = HashSet::new();
    for instance in instances {
        let wanted = [vec![instance.transfer_syntax_uid.clone()], default.clone()].map(|syntaxes| Proposal {
            sop_class_uid: instance.sop_class_uid.clone(),
            transfer_syntax_uids: syntaxes,
            as_provider: false,
        });
        let room = batches.last().map_or(0, |(_, proposals)| PROPOSALS_MAX - proposals.len());
        if wanted.iter().filter(|one| !seen.contains(one)).count() > room || batches.is_empty() {
            seen.clear();
            batches.push((0, Vec::new()));
        }
        if let Some((count, proposals)) = batches.last_mut() {
            *count += 1;
            proposals.extend(wanted.into_iter().filter(|one| seen.insert(one.clone())));
        }
    }
    batches
}
