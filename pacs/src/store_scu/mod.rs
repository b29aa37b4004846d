//! PS3.4 Annexes A and B as a user: C-ECHO and C-STORE to another AE, data sets sent exactly as they are.
//!
//! The association runs over the same upper layer as the door's, so that it bears our Implementation Class UID and
//! keeps time; dicom-ul's client can do neither, and its P-DATA writer blocks a worker thread when dropped.

mod error;
mod files;
mod proposal;
mod request;
mod response;

use std::time::Duration;

use dicom_ul::pdu::{Pdu, write_pdu};
use model::{AeTitle, SopClassUid, SopInstanceUid, TransferSyntaxUid};
use tokio::{io::AsyncRead, time::Instant};

pub use error::ScuError;
pub use files::{FileError, FileOutcome, store_files};
pub use proposal::Proposal;
pub(crate) use proposal::{PROPOSALS_MAX, plain_syntaxes};
pub use request::Originator;
pub(crate) use request::store_request;
pub use response::StoreResponse;

use self::{
    proposal::{AcceptedContext, accepted_contexts, peer_pdu_length_max, read_answer, request_pdu},
    response::read_response,
};
use crate::{
    call::{CallConfig, Callee},
    dimse::{
        command_set::{CommandSetBuilder, NO_DATA_SET, command_field, element},
        message::receive_command,
    },
    upper_layer::{
        End, Indication, UpperLayer,
        framing::{Framing, Transport},
        pace::{Pace, PaceLimits},
        pdu::{AbortReason, RELEASE_RP},
        state::State,
    },
};

/// Longest P-DATA-TF that we announce to take: responses are short.
const PDU_LENGTH_MAX_BYTES: u32 = 64 * 1024;

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub struct ScuTimeouts {
    /// To take the connection, to answer the association request, and to close in the end.
    pub associate: Duration,
    /// To answer a command, and to take what is written.
    pub response: Duration,
}

impl Default for ScuTimeouts {
    fn default() -> Self {
        Self { associate: Duration::from_secs(10), response: Duration::from_mins(2) }
    }
}

/// An instance to be sent.
#[derive(Debug, Clone, Copy)]
pub struct StoreItem<'a> {
    /// SOP Class UID.
    pub sop_class_uid: &'a SopClassUid,
    /// SOP Instance UID.
    pub sop_instance_uid: &'a SopInstanceUid,
    /// The transfer syntax that the data set is in.
    pub transfer_syntax_uid: &'a TransferSyntaxUid,
}

/// An association that we asked for.
pub struct ScuAssociation<S = Box<dyn Transport>> {
    pub(crate) upper_layer: UpperLayer<S>,
    contexts: Vec<AcceptedContext>,
    timeouts: ScuTimeouts,
    message_id: u16,
}

impl ScuAssociation {
    /// Connects and asks for an association. Verification is always proposed as well.
    ///
    /// # Errors
    /// See [`ScuError`].
    pub async fn connect(
        config: &CallConfig,
        callee: &Callee,
        calling_ae_title: &AeTitle,
        proposals: &[Proposal],
        timeouts: ScuTimeouts,
    ) -> Result<Self, ScuError> {
        let stream = config.connect(callee, timeouts.associate).await?;
        Self::request(stream, calling_ae_title, &callee.title, proposals, timeouts).await
    }
}

impl<S: Transport> ScuAssociation<S> {
    /// Asks for an association over a stream.
    ///
    /// # Errors
    /// See [`ScuError`].
    pub async fn request(
        stream: S,
        calling_ae_title: &AeTitle,
        called_ae_title: &AeTitle,
        proposals: &[Proposal],
        timeouts: ScuTimeouts,
    ) -> Result<Self, ScuError> {
        let request = request_pdu(calling_ae_title, called_ae_title, proposals)?;
        let limits =
            PaceLimits { idle: timeouts.response, rate_window: timeouts.response, window_bytes_min: 1 };
        let pace = Pace::until(Instant::now() + timeouts.associate, limits);
        let framing = Framing::new(stream, pace, timeouts.response);
        let mut upper_layer = UpperLayer::new(framing, State::AwaitingAssociateAnswer, PDU_LENGTH_MAX_BYTES);
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, &Pdu::AssociationRQ(request.clone())).map_err(|_| ScuError::Proposal)?;
        let answer = match upper_layer.send_pdu(&bytes).await {
            Ok(()) => upper_layer.receive_associate().await,
            Err(end) => Err(end),
        };
        match answer.map_err(ScuError::from).and_then(|(pdu_type, body)| read_answer(pdu_type, body)) {
            Ok(answer) => {
                let peer_pdu_length_max = peer_pdu_length_max(&answer)?;
                upper_layer.establish(peer_pdu_length_max);
                let contexts = accepted_contexts(&request, &answer);
                Ok(Self { upper_layer, contexts, timeouts, message_id: 0 })
            }
            Err(error) => {
                let end = if let ScuError::Ended(end) = &error { end } else { &End::Released };
                upper_layer.close(end, timeouts.associate).await;
                Err(error)
            }
        }
    }

    /// The peer takes instances of this class in this syntax.
    pub fn accepts(&self, sop_class_uid: &SopClassUid, transfer_syntax_uid: &TransferSyntaxUid) -> bool {
        self.context_id(sop_class_uid.as_str(), Some(transfer_syntax_uid.as_str())).is_some()
    }

    pub(crate) fn context_id(&self, sop_class_uid: &str, transfer_syntax_uid: Option<&str>) -> Option<u8> {
        let fits = |context: &&AcceptedContext| {
            context.sop_class_uid == sop_class_uid
                && transfer_syntax_uid.is_none_or(|uid| context.transfer_syntax_uid == uid)
        };
        self.contexts.iter().find(fits).map(|context| context.id)
    }

    /// The context of a proposal, in the role in which it was made, and its transfer syntax.
    pub(crate) fn context_of(&self, proposal: &Proposal) -> Result<(u8, &str), ScuError> {
        let Proposal { sop_class_uid, transfer_syntax_uids, as_provider } = proposal;
        let fits = |context: &&AcceptedContext| {
            context.sop_class_uid == sop_class_uid.as_str() && !(*as_provider && context.provider_refused)
        };
        let context = self.contexts.iter().find(fits).ok_or_else(|| ScuError::NotAccepted {
            sop_class_uid: sop_class_uid.clone(),
            transfer_syntax_uid: transfer_syntax_uids[0].clone(),
        })?;
        Ok((context.id, &context.transfer_syntax_uid))
    }

    /// C-ECHO; gives the status.
    ///
    /// # Errors
    /// See [`ScuError`].
    pub async fn echo(&mut self) -> Result<u16, ScuError> {
        const VERIFICATION: &str = dicom_dictionary_std::uids::VERIFICATION;
        let context_id = self.context_id(VERIFICATION, None).ok_or(ScuError::Proposal)?;
        let message_id = self.next_message_id();
        let command = CommandSetBuilder::default()
            .uid(element::AFFECTED_SOP_CLASS_UID, Some(VERIFICATION))
            .number(element::COMMAND_FIELD, command_field::C_ECHO_RQ)
            .number(element::MESSAGE_ID, message_id)
            .number(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
            .build();
        self.upper_layer.send(context_id, true, true, &command).await?;
        Ok(self.response(message_id).await?.status)
    }

    /// The transfer syntaxes in which the peer takes instances of this class.
    pub fn transfer_syntaxes(&self, sop_class_uid: &SopClassUid) -> Vec<TransferSyntaxUid> {
        let of_class = self.contexts.iter().filter(|context| context.sop_class_uid == sop_class_uid.as_str());
        of_class.filter_map(|context| TransferSyntaxUid::parse(&context.transfer_syntax_uid).ok()).collect()
    }

    /// C-STORE of one data set in the transfer syntax it is in.
    ///
    /// # Errors
    /// See [`ScuError`]. After [`ScuError::NotAccepted`] the association goes on; after any other it is of no use.
    pub async fn store(
        &mut self,
        sop_class_uid: &SopClassUid,
        sop_instance_uid: &SopInstanceUid,
        transfer_syntax_uid: &TransferSyntaxUid,
        data_set: impl AsyncRead + Unpin,
    ) -> Result<StoreResponse, ScuError> {
        let item = StoreItem { sop_class_uid, sop_instance_uid, transfer_syntax_uid };
        self.store_item(item, None, data_set).await
    }

    /// The same for whoever asked for it by C-MOVE.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub async fn store_item(
        &mut self,
        item: StoreItem<'_>,
        originator: Option<&Originator>,
        data_set: impl AsyncRead + Unpin,
    ) -> Result<StoreResponse, ScuError> {
        let StoreItem { sop_class_uid, sop_instance_uid, transfer_syntax_uid } = item;
        let context_id = self
            .context_id(sop_class_uid.as_str(), Some(transfer_syntax_uid.as_str()))
            .ok_or_else(|| ScuError::NotAccepted {
                sop_class_uid: sop_class_uid.clone(),
                transfer_syntax_uid: transfer_syntax_uid.clone(),
            })?;
        let message_id = self.next_message_id();
        let command = store_request(sop_class_uid, sop_instance_uid, message_id, originator);
        self.upper_layer.send(context_id, true, true, &command).await?;
        self.upper_layer.send_data_set(context_id, data_set).await?;
        self.response(message_id).await
    }

    pub(crate) async fn response(&mut self, message_id: u16) -> Result<StoreResponse, ScuError> {
        self.upper_layer.await_message();
        let first = match self.upper_layer.receive().await? {
            Indication::Data(value) => value,
            Indication::ReleaseRequested | Indication::ReleaseConfirmed => {
                return Err(End::Aborting(AbortReason::UnexpectedPdu).into());
            }
        };
        let command = receive_command(&mut self.upper_layer, first).await?;
        read_response(&command, message_id).ok_or(End::Aborting(AbortReason::InvalidPduParameterValue).into())
    }

    pub(crate) fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1);
        self.message_id
    }

    /// Ends the association in order.
    ///
    /// # Errors
    /// When the peer does not confirm; the association is over all the same.
    pub async fn release(mut self) -> Result<(), ScuError> {
        self.upper_layer.await_message();
        let end = match self.upper_layer.request_release().await {
            Ok(()) => self.await_release().await,
            Err(end) => end,
        };
        self.upper_layer.close(&end, self.timeouts.associate).await;
        if let End::Released = end { Ok(()) } else { Err(end.into()) }
    }

    async fn await_release(&mut self) -> End {
        let mut collided = false;
        loop {
            match self.upper_layer.receive().await {
                Ok(Indication::ReleaseConfirmed) => return End::Released,
                // PS3.8 table 9-10, Sta11: nothing else may follow the collision.
                Ok(_) if collided => return End::Aborting(AbortReason::UnexpectedPdu),
                // What was under way already.
                Ok(Indication::Data(_)) => {}
                Ok(Indication::ReleaseRequested) => {
                    if let Err(end) = self.upper_layer.send_pdu(&RELEASE_RP).await {
                        return end;
                    }
                    collided = true;
                }
                Err(end) => return end,
            }
        }
    }

    /// Ends the association at once, because of this: the peer hears what it did wrong, and nothing when it has ended it itself.
    pub async fn abort(self, error: &ScuError) {
        let not_specified = End::Aborting(AbortReason::NotSpecified);
        let end = if let ScuError::Ended(end) = error { end } else { &not_specified };
        self.upper_layer.close(end, self.timeouts.associate).await;
    }
}

#[cfg(test)]
mod tests;
