//! PS3.4 Annex F and PS3.7 10.1.3, 10.1.5, Modality Performed Procedure Step as provider: N-CREATE and N-SET, from IN
//! PROGRESS to COMPLETED or DISCONTINUED and no further.

mod attributes;

use std::{future::Future, sync::Arc};

use model::{
    SopInstanceUid,
    performed_step::{PerformedStep, PerformedStepStatus},
};
use uuid::Uuid;

use self::attributes::{Attributes, Beginning, LENGTH_MAX_BYTES};
use crate::{
    association::{Association, is_stated},
    backend::{Backend, Peer, RefusedAct, Unavailable},
    dimse::{
        command_set::{CommandSet, CommandSetBuilder, NO_DATA_SET, command_field, element},
        status,
    },
    upper_layer::{End, framing::Transport, negotiation::PresentationContext, pdu::AbortReason},
};

/// Error ID (0000,0903): Performed Procedure Step Object may no longer be updated (PS3.4 F.7.2.2.4).
const MAY_NO_LONGER_BE_UPDATED: u16 = 0xA506;
/// Changes of one step that may cross before the last one is sent back.
const ATTEMPTS_MAX: u32 = 5;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Status (0000,0900).
    status: u16,
    /// Error Comment (0000,0902); holds no patient data.
    comment: String,
    /// Error ID (0000,0903).
    error_id: Option<u16>,
    /// Attribute Identifier List (0000,1005).
    attributes: Vec<u32>,
}

impl Refusal {
    fn saying(status: u16, comment: impl Into<String>) -> Self {
        Self { status, comment: comment.into(), error_id: None, attributes: Vec::new() }
    }

    fn at(self, attributes: Vec<u32>) -> Self {
        Self { attributes, ..self }
    }
}

impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        Self::saying(status::PROCESSING_FAILURE, "it cannot be kept now: send it again later")
    }
}

/// Where performed steps are kept.
pub trait KeepSteps: Send + Sync + 'static {
    /// A step by its UID.
    fn step(
        &self,
        sop_instance_uid: &SopInstanceUid,
    ) -> impl Future<Output = Result<Option<PerformedStep>, Unavailable>> + Send;

    /// Keeps a new step; false when its UID is taken. Durable when it returns.
    fn create_step(
        &self,
        peer: &Peer,
        step: &PerformedStep,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Replaces what a step says; false when it is not at its version any more. Durable when it returns.
    fn update_step(
        &self,
        peer: &Peer,
        step: &PerformedStep,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;
}

/// Answers an N-CREATE-RQ or an N-SET-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let creates = command.command_field == command_field::N_CREATE_RQ;
    metrics::counter!("maxray_dimse_performed_steps_total", "creates" => creates.to_string()).increment(1);
    let is_of = if creates { context.is_of(command) } else { context.is_requested_by(command) };
    if !is_of {
        association.skip_data_set(context, command).await?;
        let comment = "the SOP class is not that of the presentation context";
        let refusal = Refusal::saying(status::SOP_CLASS_NOT_SUPPORTED, comment);
        return respond(association, context, command, None, Err(refusal)).await;
    }
    let attributes = match receive(association, context, command).await? {
        Ok(attributes) => attributes,
        Err(refusal) => return respond(association, context, command, None, Err(refusal)).await,
    };
    let backend = Arc::clone(&association.backend);
    let peer = association.peer.clone();
    let (uid, done) = if creates {
        create(backend.as_ref(), &peer, command, attributes).await
    } else {
        let uid = parse(command.text(element::REQUESTED_SOP_INSTANCE_UID));
        let done = match &uid {
            Some(uid) => set(backend.as_ref(), &peer, uid, &attributes).await,
            None => {
                Err(Refusal::saying(status::NO_SUCH_SOP_INSTANCE, "Requested SOP Instance UID is no UID"))
            }
        };
        if matches!(&done, Err(refusal) if refusal.status == status::NO_SUCH_SOP_INSTANCE) {
            association.record_denied(RefusedAct::Step).await?;
        }
        (uid, done)
    };
    respond(association, context, command, uid.as_ref(), done).await
}

/// The attributes. The inner result is for the answer.
async fn receive<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<Result<Attributes, Refusal>, End> {
    if !command.has_data_set {
        return Ok(Err(Refusal::saying(status::MISSING_ATTRIBUTE, "there are no attributes")));
    }
    let received = association.receive_data_set(context, LENGTH_MAX_BYTES).await?;
    let too_long = || Refusal::saying(status::RESOURCE_LIMITATION, "the attributes are too long");
    let read = received.ok_or_else(too_long);
    Ok(read.and_then(|bytes| Attributes::read(&context.transfer_syntax, &bytes)))
}

fn parse(uid: Option<&str>) -> Option<SopInstanceUid> {
    uid.and_then(|uid| SopInstanceUid::parse(uid).ok())
}

/// PS3.4 F.7.2.1. A UID is made when the request has none (PS3.7 10.1.5.1.3).
async fn create<B: Backend>(
    backend: &B,
    peer: &Peer,
    command: &CommandSet,
    attributes: Attributes,
) -> (Option<SopInstanceUid>, Result<u16, Refusal>) {
    let named = command.text(element::AFFECTED_SOP_INSTANCE_UID);
    let uid = match named {
        None | Some("") => Some(SopInstanceUid::from_uuid(Uuid::now_v7())),
        named => parse(named),
    };
    let Some(sop_instance_uid) = uid.clone() else {
        return (
            None,
            Err(Refusal::saying(status::INVALID_SOP_INSTANCE, "Affected SOP Instance UID is no UID")),
        );
    };
    let begun = async {
        let Beginning { modality, patient_id, issuer_of_patient_id, scheduled } = attributes.beginning()?;
        let step = PerformedStep {
            sop_instance_uid,
            ae_title: peer.calling_ae_title.clone(),
            status: PerformedStepStatus::InProgress,
            modality,
            patient_id,
            issuer_of_patient_id,
            scheduled,
            attributes: attributes.into_json(),
            version: 1,
        };
        if backend.create_step(peer, &step).await? {
            return Ok(status::SUCCESS);
        }
        Err(Refusal::saying(status::DUPLICATE_SOP_INSTANCE, "the step is there already"))
    };
    (uid, begun.await)
}

/// PS3.4 F.7.2.2. Only who made a step changes it; for others it is not there.
async fn set<B: Backend>(
    backend: &B,
    peer: &Peer,
    sop_instance_uid: &SopInstanceUid,
    changes: &Attributes,
) -> Result<u16, Refusal> {
    for _ in 0..ATTEMPTS_MAX {
        let found = backend.step(sop_instance_uid).await?;
        let Some(mut step) = found.filter(|step| step.ae_title == peer.calling_ae_title) else {
            let comment = "this AE title has made no step with this UID";
            return Err(Refusal::saying(status::NO_SUCH_SOP_INSTANCE, comment));
        };
        if step.status.is_final() {
            let comment = "Performed Procedure Step Object may no longer be updated";
            let refusal = Refusal::saying(status::PROCESSING_FAILURE, comment);
            return Err(Refusal { error_id: Some(MAY_NO_LONGER_BE_UPDATED), ..refusal });
        }
        let (changed, left_out) = Attributes::from(step.attributes).changed_by(changes)?;
        step.status = changes.status()?.unwrap_or(step.status);
        if step.status.is_final() {
            changed.check_end(step.status)?;
        }
        step.attributes = changed.into_json();
        if backend.update_step(peer, &step).await? {
            return Ok(if left_out { status::ATTRIBUTE_LIST_ERROR } else { status::SUCCESS });
        }
    }
    Err(Refusal::saying(status::PROCESSING_FAILURE, "the step is being changed: send it again"))
}

async fn respond<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
    sop_instance_uid: Option<&SopInstanceUid>,
    done: Result<u16, Refusal>,
) -> Result<(), End> {
    let message_id =
        command.message_id().map_err(|_| End::Aborting(AbortReason::InvalidPduParameterValue))?;
    let Refusal { status, comment, error_id, attributes } = match done {
        Ok(status) => Refusal::saying(status, ""),
        Err(refusal) => {
            let status = refusal.status;
            tracing::warn!(
                status = format_args!("{status:#06x}"),
                reason = refusal.comment,
                "step not taken"
            );
            refusal
        }
    };
    debug_assert!(is_stated(context, command, status), "{status:#06x} to {:#06x}", command.command_field);
    let mut response = CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, Some(context.abstract_syntax.as_str()))
        .number(element::COMMAND_FIELD, command.command_field | command_field::RESPONSE)
        .number(element::MESSAGE_ID_BEING_RESPONDED_TO, message_id)
        .number(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
        .number(element::STATUS, status)
        .error_comment(&comment);
    if let Some(error_id) = error_id {
        response = response.number(element::ERROR_ID, error_id);
    }
    let response = response
        .uid(element::AFFECTED_SOP_INSTANCE_UID, sop_instance_uid.map(SopInstanceUid::as_str))
        .tags(element::ATTRIBUTE_IDENTIFIER_LIST, &attributes)
        .build();
    association.upper_layer.send(context.id, true, true, &response).await
}
