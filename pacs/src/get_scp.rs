//! PS3.4 C.4.3 and PS3.7 9.3.3, C-GET: instances go back over the association that asked for them, in the contexts in
//! which the requestor is provider of storage.

use std::sync::Arc;

use database::StoredInstance;
use model::{TransferSyntaxUid, ae::AeOperation};

use crate::{
    association::Association,
    backend::Backend,
    dimse::command_set::{CommandSet, command_field, element},
    query_retrieve::{
        cancel::{self, Cancel},
        lookup::NotOpened,
        response::Asked,
    },
    retrieve::{
        self,
        ahead::Ahead,
        sub_operations::{Outcome, SubOperations},
    },
    store_scu::store_request,
    upper_layer::{
        End, framing::Transport, message::SendError, negotiation::PresentationContext, pdu::AbortReason,
    },
};

/// Answers a C-GET-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_c_get_total").increment(1);
    let Some(instances) = retrieve::begin(association, asked, AeOperation::Get).await? else {
        return Ok(());
    };
    let mut sub_operations = SubOperations::new(instances.iter().map(|one| &one.study_instance_uid));
    if !retrieve::record(association, asked, &sub_operations, None).await? {
        return Ok(());
    }
    let ended = send_each(association, asked, &instances, &mut sub_operations).await;
    retrieve::finish(association, asked, &sub_operations, None, ended).await
}

/// True: cancelled before the last one.
async fn send_each<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    instances: &[StoredInstance],
    sub_operations: &mut SubOperations,
) -> Result<bool, End> {
    let mut cancel = Cancel::of(asked.message_id);
    let mut ahead = Ahead::default();
    for (index, instance) in instances.iter().enumerate() {
        if cancel.is_requested(association.upper_layer).await? {
            return Ok(true);
        }
        if !association.may_go_on_with(AeOperation::Get, &instance.study_instance_uid).await {
            sub_operations.fail(&instances[index..]);
            return Ok(false);
        }
        let turn = Turn { instance, next: instances.get(index + 1), ahead: &mut ahead };
        let outcome = send(association, &mut cancel, turn).await?;
        sub_operations.note(outcome, &instance.study_instance_uid, &instance.sop_instance_uid);
        if sub_operations.counts.remaining > 0 {
            asked.respond(association, &sub_operations.pending(), None).await?;
        }
    }
    Ok(false)
}

/// Whose turn it is, and what is done for the next one meanwhile.
struct Turn<'a> {
    instance: &'a StoredInstance,
    next: Option<&'a StoredInstance>,
    ahead: &'a mut Ahead,
}

/// One C-STORE sub-operation.
async fn send<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    cancel: &mut Cancel,
    Turn { instance, next, ahead }: Turn<'_>,
) -> Result<Outcome, End> {
    let backend = Arc::clone(&association.backend);
    let syntaxes = transfer_syntaxes(&association.contexts, instance);
    let opened = match ahead.open(&backend, instance, &syntaxes).await {
        Ok(opened) => opened,
        Err(NotOpened::TransferSyntax) => {
            tracing::warn!(
                sop_instance_uid = %instance.sop_instance_uid,
                sop_class_uid = %instance.sop_class_uid,
                transfer_syntax_uid = %instance.transfer_syntax_uid,
                "the requestor does not take the instance in a transfer syntax that it can be had in"
            );
            return Ok(Outcome::Failed);
        }
        Err(NotOpened::Unreadable) => return Ok(Outcome::Failed),
    };
    let context_id = accepting(&association.contexts, instance)
        .find(|one| one.transfer_syntax == opened.transfer_syntax)
        .map(|one| one.id);
    let Some(context_id) = context_id else { return Ok(Outcome::Failed) };
    if let Some(next) = next {
        ahead.begin(&backend, next, &transfer_syntaxes(&association.contexts, next));
    }
    association.message_id = association.message_id.wrapping_add(1);
    let message_id = association.message_id;
    let command = store_request(&instance.sop_class_uid, &instance.sop_instance_uid, message_id, None);
    association.upper_layer.send(context_id, true, true, &command).await?;
    let sent = association.upper_layer.send_data_set(context_id, retrieve::reader(opened.data_set)).await;
    sent.map_err(|error| match error {
        SendError::Ended(end) => end,
        // Half of it is there: nothing but the end of the association keeps it from being taken for the whole.
        error => {
            tracing::error!(%error, sop_instance_uid = %instance.sop_instance_uid, "an instance broke off");
            End::Aborting(AbortReason::NotSpecified)
        }
    })?;
    association.tally.instances_sent += 1;
    await_response(association, cancel, message_id).await
}

/// The contexts in which the requestor takes an instance.
fn accepting<'a>(
    contexts: &'a [PresentationContext],
    instance: &StoredInstance,
) -> impl Iterator<Item = &'a PresentationContext> {
    contexts.iter().filter(|one| one.requestor_is_scp && one.abstract_syntax == instance.sop_class_uid)
}

fn transfer_syntaxes(contexts: &[PresentationContext], instance: &StoredInstance) -> Vec<TransferSyntaxUid> {
    accepting(contexts, instance).map(|one| one.transfer_syntax.clone()).collect()
}

async fn await_response<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    cancel: &mut Cancel,
    message_id: u16,
) -> Result<Outcome, End> {
    loop {
        let indication = cancel::anything(association.upper_layer).await?;
        let Some(command) = cancel::receive_one(association.upper_layer, indication).await? else { continue };
        if command.command_field != command_field::C_STORE_RSP {
            cancel.read(&command)?;
            continue;
        }
        let is_ours = command.number(element::MESSAGE_ID_BEING_RESPONDED_TO) == Some(message_id);
        return match command.number(element::STATUS).filter(|_| is_ours && !command.has_data_set) {
            Some(status) => Ok(Outcome::of(status)),
            None => Err(End::Aborting(AbortReason::InvalidPduParameterValue)),
        };
    }
}
