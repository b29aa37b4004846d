//! The database as what modalities are scheduled by.

use database::{WorklistQuery, WorklistStep};
use model::access::{Action, Scope};

use crate::{
    archive_backend::House,
    backend::{Backend, Peer, RefusedAct},
    dimse::status,
    query_retrieve::response::Refused,
    worklist_scp::Schedule,
};

impl Schedule for House {
    async fn schedule_scope(&self, peer: &Peer) -> Result<Scope, Refused> {
        let Some(person) = &peer.person else { return Ok(Scope::internal()) };
        if let Ok(scope) = person.principal.authorize(Action::ReadWorklist) {
            return Ok(scope);
        }
        self.record_refusal(peer, RefusedAct::Reading).await;
        Err(Refused::saying(status::NOT_AUTHORIZED, "the account may not read the worklist"))
    }

    async fn steps(&self, scope: &Scope, query: &WorklistQuery) -> Result<Vec<WorklistStep>, Refused> {
        self.archive().database().worklist_steps(scope, query).await.map_err(|error| {
            tracing::error!(%error, "the worklist cannot be asked");
            Refused::saying(status::OUT_OF_RESOURCES, "the worklist cannot be asked now")
        })
    }
}
