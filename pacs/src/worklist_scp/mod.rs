//! PS3.4 Annex K, the Modality Worklist as provider.

mod query;
mod row;

use std::{future::Future, sync::Arc};

use database::{WorklistQuery, WorklistStep};
use model::access::Scope;

use self::query::Query;
use crate::{
    association::Association,
    backend::{Backend, Peer},
    dimse::command_set::CommandSet,
    query_retrieve::{
        answers::{self, Answers},
        data_set::DataSet,
        identifier::{self, Keys},
        lookup::Looked,
        response::{Asked, Refused},
    },
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Steps read at once.
const PAGE_STEPS: u32 = 200;

/// Where it stands what is scheduled.
pub trait Schedule: Send + Sync + 'static {
    /// How much of it a peer sees: as much as the person for whom it asks, else all of it.
    fn schedule_scope(&self, peer: &Peer) -> impl Future<Output = Result<Scope, Refused>> + Send;

    /// Steps in reach that match, in the order of their start.
    fn steps(
        &self,
        scope: &Scope,
        query: &WorklistQuery,
    ) -> impl Future<Output = Result<Vec<WorklistStep>, Refused>> + Send;
}

/// Answers a C-FIND-RQ in a context of the Modality Worklist Information Model.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_worklist_total").increment(1);
    if !context.is_of(command) {
        return asked.refuse_class(association).await;
    }
    let received = identifier::receive_keys(association, context, command).await?;
    let station = association.rights.own_worklist.then(|| association.peer.calling_ae_title.clone());
    let read = received.and_then(|keys| Query::read(&keys, station.as_ref()).map(|query| (keys, query)));
    match read {
        Ok((keys, query)) => answer(association, asked, &keys, query).await,
        Err(refused) => asked.refuse(association, refused).await,
    }
}

async fn answer<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    keys: &Keys,
    query: Query,
) -> Result<(), End> {
    let backend = Arc::clone(&association.backend);
    let scope = match backend.schedule_scope(&association.peer).await {
        Ok(scope) => scope,
        Err(refused) => return asked.refuse(association, refused).await,
    };
    let wanted = WorklistQuery { conditions: query.conditions.clone(), after: None, limit: PAGE_STEPS };
    let mut steps =
        Steps { schedule: backend.as_ref(), scope: &scope, wanted, more: true, query: &query, keys };
    answers::send(association, asked, &mut steps).await
}

/// Scheduled procedure steps.
struct Steps<'a, L> {
    schedule: &'a L,
    scope: &'a Scope,
    wanted: WorklistQuery,
    more: bool,
    query: &'a Query,
    keys: &'a Keys,
}

impl<L: Schedule> Answers for Steps<'_, L> {
    type Found = WorklistStep;

    async fn next(&mut self) -> Result<Vec<WorklistStep>, Refused> {
        let page = self.schedule.steps(self.scope, &self.wanted).await?;
        self.more = page.len() >= PAGE_STEPS as usize;
        self.wanted.after = page.last().map(|last| last.cursor.clone());
        Ok(page)
    }

    /// The worklist has rules of its own.
    fn scope(&self) -> Option<&Scope> {
        None
    }

    fn has_more(&self) -> bool {
        self.more
    }

    fn looked(&self, found: usize) -> Looked {
        Looked::SearchedWorklist { filter: self.query.filter_hash(), found, more: self.more }
    }

    fn data_set(&self, step: &WorklistStep) -> (DataSet, bool) {
        let mut data_set = row::of(step);
        let known = row::select(&mut data_set, &self.keys.keys);
        (data_set, known && self.query.is_fully_matched)
    }

    fn character_set(&self) -> &str {
        &self.keys.character_set
    }
}
