//! The database as what modalities are scheduled by.

use database::{WorklistQuery, WorklistStep};

use crate::{
    archive_backend::House, dimse::status, query_retrieve::response::Refused, worklist_scp::Schedule,
};

impl Schedule for House {
    async fn steps(&self, query: &WorklistQuery) -> Result<Vec<WorklistStep>, Refused> {
        self.archive().database().worklist_steps(query).await.map_err(|error| {
            tracing::error!(%error, "the worklist cannot be asked");
            Refused::saying(status::OUT_OF_RESOURCES, "the worklist cannot be asked now")
        })
    }
}
