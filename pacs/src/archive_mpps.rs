//! The database as what keeps performed procedure steps.

use database::DatabaseError;
use model::{SopInstanceUid, performed_step::PerformedStep};

use crate::{
    archive_backend::{House, actor},
    backend::{Peer, Unavailable},
    mpps_scp::KeepSteps,
};

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn unavailable(error: DatabaseError) -> Unavailable {
    tracing::error!(%error, "performed procedure steps cannot be kept");
    Unavailable
}

impl KeepSteps for House {
    async fn step(&self, sop_instance_uid: &SopInstanceUid) -> Result<Option<PerformedStep>, Unavailable> {
        self.archive().database().performed_step(sop_instance_uid).await.map_err(unavailable)
    }

    async fn create_step(&self, peer: &Peer, step: &PerformedStep) -> Result<bool, Unavailable> {
        self.archive().database().create_performed_step(step, &actor(peer)).await.map_err(unavailable)
    }

    async fn update_step(&self, peer: &Peer, step: &PerformedStep) -> Result<bool, Unavailable> {
        self.archive().database().update_performed_step(step, &actor(peer)).await.map_err(unavailable)
    }
}
