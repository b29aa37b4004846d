//! PS3.7 and PS3.8 6: one established association, message by message.

use std::sync::Arc;

use bytes::Bytes;
use model::ae::AeOperation;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Rights,
    backend::{Backend, Peer, Unavailable},
    commitment_scp,
    connection::Door,
    dimse::{
        command_set::{CommandSet, command_field, encode_response},
        message::{receive_command, receive_value},
        service_status::statuses_of,
        status,
    },
    echo_scp, find_scp, get_scp, move_scp, mpps_scp,
    outstanding::Outstanding,
    query_retrieve::response::{Asked, Refused},
    store_scp,
    upper_layer::{
        End, Indication, UpperLayer,
        framing::Transport,
        negotiation::{PresentationContext, Service},
        pdu::{AbortReason, RELEASE_RP},
    },
    worklist_scp,
};

/// The right that a command needs; none when its context is not for it, or nobody here serves it.
pub(crate) fn operation_of(context: &PresentationContext, command: &CommandSet) -> Option<AeOperation> {
    match command.command_field {
        command_field::C_ECHO_RQ => Some(AeOperation::Echo),
        command_field::C_STORE_RQ => Some(AeOperation::Store),
        command_field::C_FIND_RQ if context.service == Service::Worklist => Some(AeOperation::Worklist),
        command_field::C_FIND_RQ => Some(AeOperation::Find),
        command_field::C_MOVE_RQ => Some(AeOperation::Move),
        command_field::C_GET_RQ => Some(AeOperation::Get),
        command_field::N_ACTION_RQ if context.service == Service::StorageCommitment => {
            Some(AeOperation::Commit)
        }
        command_field::N_CREATE_RQ | command_field::N_SET_RQ if context.service == Service::PerformedStep => {
            Some(AeOperation::Mpps)
        }
        _ => None,
    }
}

/// Whether the service that the command is for answers with this status: the conformance statement has no others.
pub(crate) fn is_stated(context: &PresentationContext, command: &CommandSet, status: u16) -> bool {
    let stated = statuses_of(operation_of(context, command), command.command_field);
    stated.iter().any(|(one, _)| *one == status)
}

/// The status that says that nothing can be done now: DIMSE-N has another one (PS3.7 C.4.1, PS3.4 C.4.1.1.4).
fn unable(command: &CommandSet) -> u16 {
    match command.command_field {
        command_field::N_ACTION_RQ | command_field::N_CREATE_RQ | command_field::N_SET_RQ => {
            status::PROCESSING_FAILURE
        }
        _ => status::OUT_OF_RESOURCES,
    }
}

/// What an association has done, for its last log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instances answered with success.
    pub instances_stored: u64,
    /// Instances answered with failure.
    pub instances_refused: u64,
    /// Instances sent by C-GET.
    pub instances_sent: u64,
    /// Bytes of data sets.
    pub data_set_bytes: u64,
}

/// An established association.
pub struct Association<'a, S, B> {
    pub(crate) upper_layer: &'a mut UpperLayer<S>,
    pub(crate) contexts: Vec<PresentationContext>,
    pub(crate) peer: Peer,
    pub(crate) rights: Rights,
    /// When the registry was asked for them.
    pub(crate) rights_read_at: Instant,
    /// When what it does was last known to be allowed: to its AE, and to the person for whom it asks.
    pub(crate) allowed_at: Instant,
    /// The door that it came through.
    pub(crate) door: &'a Door<B>,
    pub(crate) denied_operations: u32,
    pub(crate) backend: Arc<B>,
    pub(crate) tally: Tally,
    /// Of our last request.
    pub(crate) message_id: u16,
    /// C-STOREs that are not answered yet.
    pub(crate) outstanding: Outstanding,
}

impl<S: Transport, B: Backend> Association<'_, S, B> {
    /// Serves messages until the association is over. When `stopping` is cancelled it ends between two messages.
    pub async fn serve(&mut self, stopping: &CancellationToken) -> End {
        loop {
            if let Err(end) = self.serve_message(stopping).await {
                self.outstanding.finish().await;
                return end;
            }
        }
    }

    async fn serve_message(&mut self, stopping: &CancellationToken) -> Result<(), End> {
        self.upper_layer.await_message();
        let indication = loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    self.answer_all().await?;
                    return Err(End::Stopping);
                }
                Some(stored) = self.outstanding.next() => {
                    let (storing, outcome) = stored?;
                    store_scp::answer(self, storing.request(), outcome).await?;
                }
                indication = self.upper_layer.receive() => break indication?,
            }
        };
        let first = match indication {
            Indication::Data(value) => value,
            Indication::ReleaseRequested => {
                self.answer_all().await?;
                self.upper_layer.send_pdu(&RELEASE_RP).await?;
                return Err(End::Released);
            }
            Indication::ReleaseConfirmed => return Err(End::Aborting(AbortReason::UnexpectedPdu)),
        };
        let context = self.context(first.context_id)?;
        let command = receive_command(self.upper_layer, first).await?;
        if command.command_field != command_field::C_STORE_RQ {
            self.answer_all().await?;
        }
        self.dispatch(&context, &command).await
    }

    fn context(&self, id: u8) -> Result<PresentationContext, End> {
        let context = self.contexts.iter().find(|context| context.id == id);
        context.cloned().ok_or(End::Aborting(AbortReason::InvalidPduParameterValue))
    }

    async fn dispatch(&mut self, context: &PresentationContext, command: &CommandSet) -> Result<(), End> {
        if let Some(operation) = operation_of(context, command) {
            match self.refusal(operation).await {
                Ok(None) => {}
                Ok(Some(act)) => return self.deny(context, command, (operation, act)).await,
                Err(Unavailable) => {
                    self.skip_data_set(context, command).await?;
                    let said = Refused::saying(unable(command), "the registry cannot be read now");
                    return Asked::of(context, command)?.refuse(self, said).await;
                }
            }
        }
        match command.command_field {
            command_field::C_ECHO_RQ => echo_scp::serve(self, context, command).await,
            command_field::C_STORE_RQ => store_scp::serve(self, context, command).await,
            command_field::C_FIND_RQ if context.service == Service::Worklist => {
                worklist_scp::serve(self, context, command).await
            }
            command_field::C_FIND_RQ => find_scp::serve(self, context, command).await,
            command_field::C_GET_RQ => get_scp::serve(self, context, command).await,
            command_field::C_MOVE_RQ => move_scp::serve(self, context, command).await,
            command_field::N_CREATE_RQ | command_field::N_SET_RQ
                if context.service == Service::PerformedStep =>
            {
                mpps_scp::serve(self, context, command).await
            }
            command_field::N_ACTION_RQ if context.service == Service::StorageCommitment => {
                commitment_scp::serve(self, context, command).await
            }
            // Its operation has had the last response already, and a cancel is not answered (PS3.7 9.3.2.3).
            command_field::C_CANCEL_RQ => self.skip_data_set(context, command).await,
            field if field & command_field::RESPONSE != 0 => {
                Err(End::Aborting(AbortReason::UnexpectedPduParameter))
            }
            _ => {
                self.skip_data_set(context, command).await?;
                self.respond(context, command, status::UNRECOGNIZED_OPERATION, "").await
            }
        }
    }

    /// The next fragment of the data set that follows a command, and whether it is the last.
    pub(crate) async fn receive_fragment(
        &mut self,
        context: &PresentationContext,
    ) -> Result<(Bytes, bool), End> {
        let value = receive_value(self.upper_layer).await?;
        if value.is_command || value.context_id != context.id {
            return Err(End::Aborting(AbortReason::UnexpectedPduParameter));
        }
        self.tally.data_set_bytes += value.fragment.len() as u64;
        Ok((value.fragment, value.is_last))
    }

    /// Receives the data set of a command into memory; nothing when it is longer than `length_max`.
    pub(crate) async fn receive_data_set(
        &mut self,
        context: &PresentationContext,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, End> {
        let mut bytes = Vec::new();
        loop {
            let (fragment, is_last) = self.receive_fragment(context).await?;
            if bytes.len() + fragment.len() > length_max {
                if !is_last {
                    self.drain(context).await?;
                }
                return Ok(None);
            }
            bytes.extend_from_slice(&fragment);
            if is_last {
                return Ok(Some(bytes));
            }
        }
    }

    /// Receives what is left of a data set that nobody wants, so that the command can be answered in order.
    pub(crate) async fn drain(&mut self, context: &PresentationContext) -> Result<(), End> {
        let length_max = self.backend.instance_length_max_bytes();
        let mut length = 0;
        loop {
            let (fragment, is_last) = self.receive_fragment(context).await?;
            length += fragment.len() as u64;
            if length > length_max {
                return Err(End::Aborting(AbortReason::NotSpecified));
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Drains the data set of a command, when it has one.
    pub(crate) async fn skip_data_set(
        &mut self,
        context: &PresentationContext,
        command: &CommandSet,
    ) -> Result<(), End> {
        if command.has_data_set { self.drain(context).await } else { Ok(()) }
    }

    /// Answers a command.
    pub(crate) async fn respond(
        &mut self,
        context: &PresentationContext,
        command: &CommandSet,
        status: u16,
        comment: &str,
    ) -> Result<(), End> {
        let message_id =
            command.message_id().map_err(|_| End::Aborting(AbortReason::InvalidPduParameterValue))?;
        debug_assert!(is_stated(context, command, status), "{status:#06x} to {:#06x}", command.command_field);
        let response = encode_response(command, message_id, status, comment);
        self.upper_layer.send(context.id, true, true, &response).await
    }
}
