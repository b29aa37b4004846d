//! PS3.7 D.3.3.3: C-STOREs that have come and are not answered yet. While they become durable the next data set is
//! received; as many as were agreed on are outstanding at once, and more are not read.

use model::SopInstanceUid;
use tokio::{task::JoinSet, time::Instant};
use tracing::Instrument as _;

use crate::{
    association::Association,
    backend::{Backend, InstanceSink, Refused},
    dimse::command_set::CommandSet,
    store_scp,
    upper_layer::{End, framing::Transport, negotiation::PresentationContext, pdu::AbortReason},
};

/// A C-STORE whose data set is here.
pub(crate) struct Storing {
    /// Where it came.
    pub context: PresentationContext,
    /// The request.
    pub command: CommandSet,
    /// When it came.
    pub began: Instant,
}

impl Storing {
    /// What is to be answered.
    pub fn request(&self) -> (&PresentationContext, &CommandSet, Instant) {
        (&self.context, &self.command, self.began)
    }
}

/// A C-STORE that can be answered.
type Stored = (Storing, Result<(), Refused>);

/// C-STOREs that are not answered yet.
pub(crate) struct Outstanding {
    operations_max: usize,
    commits: JoinSet<(SopInstanceUid, Stored)>,
    /// What is being stored.
    instances: Vec<SopInstanceUid>,
}

impl Outstanding {
    /// None yet. At least one operation may be outstanding.
    pub fn new(operations_max: u16) -> Self {
        let operations_max = usize::from(operations_max).max(1);
        Self { operations_max, commits: JoinSet::new(), instances: Vec::new() }
    }

    /// One operation after the other (PS3.7 D.3.3.3: the default mode).
    pub fn is_synchronous(&self) -> bool {
        self.operations_max == 1
    }

    /// The next one that can be answered; `None`: none is outstanding. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Option<Result<Stored, End>> {
        let joined = self.commits.join_next().await?;
        // A commit that broke down has been told of by its panic; whether it did its work is not known, and not said.
        Some(joined.map_err(|_| End::Aborting(AbortReason::NotSpecified)).map(|(instance, stored)| {
            if let Some(place) = self.instances.iter().position(|one| *one == instance) {
                self.instances.swap_remove(place);
            }
            stored
        }))
    }

    /// The association is over: what is here becomes durable all the same, and nobody is told.
    pub async fn finish(&mut self) {
        while self.next().await.is_some() {}
    }
}

impl<S: Transport, B: Backend> Association<'_, S, B> {
    /// Begins to make an instance durable. Of the same instance the one that came first is stored first.
    pub(crate) async fn store_meanwhile(
        &mut self,
        storing: Storing,
        instance: SopInstanceUid,
        writer: B::Writer,
    ) -> Result<(), End> {
        while self.outstanding.instances.contains(&instance) {
            self.answer_next().await?;
        }
        self.outstanding.instances.push(instance.clone());
        let commit = async move { (instance, (storing, writer.commit().await)) };
        self.outstanding.commits.spawn(commit.in_current_span());
        // A peer that sends more than was agreed on waits.
        while self.outstanding.commits.len() >= self.outstanding.operations_max {
            self.answer_next().await?;
        }
        Ok(())
    }

    /// Answers all that is outstanding: what comes next is not to overtake it.
    pub(crate) async fn answer_all(&mut self) -> Result<(), End> {
        while self.answer_next().await? {}
        Ok(())
    }

    /// False: none is outstanding.
    async fn answer_next(&mut self) -> Result<bool, End> {
        let Some(stored) = self.outstanding.next().await else { return Ok(false) };
        let (storing, outcome) = stored?;
        store_scp::answer(self, storing.request(), outcome).await?;
        Ok(true)
    }
}
