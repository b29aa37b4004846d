//! PS3.4 Annex J, Storage Commitment Push Model as provider: N-ACTION is answered once the request is kept, and what
//! came of it is told by N-EVENT-REPORT over an association of our own.

mod config;
mod event;
mod report;
mod request;

use std::{future::Future, sync::Arc};

use dicom_dictionary_std::uids;

pub use self::{config::CommitmentConfig, event::Findings, report::Reporter, request::CommitmentRequest};
use crate::{
    association::Association,
    backend::{Backend, Peer},
    dimse::{
        command_set::{CommandSet, element},
        status,
    },
    query_retrieve::response::Refused,
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

const RETRIEVE_AE_TITLE: u32 = 0x0008_0054;
const REFERENCED_SOP_CLASS_UID: u32 = 0x0008_1150;
const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
const TRANSACTION_UID: u32 = 0x0008_1195;
const FAILURE_REASON: u32 = 0x0008_1197;
const FAILED_SOP_SEQUENCE: u32 = 0x0008_1198;
const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;

/// Action Type ID: Request Storage Commitment (PS3.4 J.3.2).
const REQUEST_STORAGE_COMMITMENT: u16 = 1;

/// Where requests are kept.
pub trait KeepCommitments: Send + Sync + 'static {
    /// Keeps a request; durable when it returns. At most `pending_max` of one AE wait at once.
    fn keep_commitment(
        &self,
        peer: &Peer,
        request: &CommitmentRequest,
        pending_max: u32,
    ) -> impl Future<Output = Result<(), Refused>> + Send;
}

/// Answers an N-ACTION-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    metrics::counter!("maxray_dimse_n_action_total").increment(1);
    let kept = match check(context, command) {
        Ok(()) => keep(association, context).await?,
        Err(refused) => {
            association.skip_data_set(context, command).await?;
            Err(refused)
        }
    };
    match kept {
        Ok(()) => association.respond(context, command, status::SUCCESS, "").await,
        Err(Refused { status, comment, .. }) => {
            tracing::warn!(status = format_args!("{status:#06x}"), reason = comment, "commitment not taken");
            association.respond(context, command, status, &comment).await
        }
    }
}

/// PS3.7 10.1.4.1: the one action of the one instance of the class.
fn check(context: &PresentationContext, command: &CommandSet) -> Result<(), Refused> {
    if !context.is_requested_by(command) {
        let comment = "the SOP class is not that of the presentation context";
        return Err(Refused::saying(status::SOP_CLASS_NOT_SUPPORTED, comment));
    }
    let instance = command.text(element::REQUESTED_SOP_INSTANCE_UID);
    if instance != Some(uids::STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE) {
        let comment = "the class has its well-known instance alone";
        return Err(Refused::saying(status::NO_SUCH_SOP_INSTANCE, comment));
    }
    if command.number(element::ACTION_TYPE_ID) != Some(REQUEST_STORAGE_COMMITMENT) {
        return Err(Refused::saying(status::NO_SUCH_ACTION_TYPE, "Action Type ID is not 1"));
    }
    if !command.has_data_set {
        return Err(Refused::saying(status::INVALID_ARGUMENT_VALUE, "there is no Action Information"));
    }
    Ok(())
}

/// Receives the request and has it kept. The inner result is for the answer.
async fn keep<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
) -> Result<Result<(), Refused>, End> {
    let CommitmentConfig { references_max, pending_per_ae_max, .. } = association.door.config.commitment;
    let received = association.receive_data_set(context, request::length_max(references_max)).await?;
    let Some(bytes) = received else { return Ok(Err(request::too_many(references_max))) };
    let request = match CommitmentRequest::read(&context.transfer_syntax, &bytes, references_max) {
        Ok(request) => request,
        Err(refused) => return Ok(Err(refused)),
    };
    let backend = Arc::clone(&association.backend);
    Ok(backend.keep_commitment(&association.peer, &request, pending_per_ae_max).await)
}
