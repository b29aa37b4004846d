//! PS3.7 9.3.2.3, C-CANCEL-RQ, and whatever else a peer sends while an operation of its own runs.

use crate::{
    dimse::{
        command_set::{CommandSet, command_field, element},
        message::receive_command,
    },
    upper_layer::{
        End, Indication, UpperLayer,
        framing::Transport,
        pdu::{AbortReason, RELEASE_RP},
    },
};

/// Cancels of other messages that one operation hears: they are of no use, and a flood of them is none at all.
const STRAY_CANCELS_MAX: u32 = 100;

/// Listens for the cancel of one message.
#[derive(Debug)]
pub struct Cancel {
    message_id: u16,
    strays: u32,
    /// It has come.
    pub requested: bool,
}

impl Cancel {
    /// Of the message with this ID.
    pub fn of(message_id: u16) -> Self {
        Self { message_id, strays: 0, requested: false }
    }

    /// Whether a cancel has come by now; does not wait.
    pub async fn is_requested<S: Transport>(&mut self, upper_layer: &mut UpperLayer<S>) -> Result<bool, End> {
        while let Some(indication) = upper_layer.receive_if_there().await? {
            self.take(upper_layer, indication).await?;
        }
        Ok(self.requested)
    }

    /// Reads on from what has come.
    pub async fn take<S: Transport>(
        &mut self,
        upper_layer: &mut UpperLayer<S>,
        indication: Indication,
    ) -> Result<(), End> {
        if let Some(command) = receive_one(upper_layer, indication).await? {
            self.read(&command)?;
        }
        Ok(())
    }

    /// Takes note of a command. On an association that has contexts for such operations one is outstanding at a time,
    /// whatever window was proposed ([`crate::upper_layer::negotiation::negotiate`]): until this one has its last response,
    /// cancels are all that may come.
    pub fn read(&mut self, command: &CommandSet) -> Result<(), End> {
        if command.command_field != command_field::C_CANCEL_RQ || command.has_data_set {
            return Err(End::Aborting(AbortReason::UnexpectedPduParameter));
        }
        if command.number(element::MESSAGE_ID_BEING_RESPONDED_TO) == Some(self.message_id) {
            self.requested = true;
            return Ok(());
        }
        self.strays += 1;
        if self.strays > STRAY_CANCELS_MAX {
            return Err(End::Aborting(AbortReason::NotSpecified));
        }
        Ok(())
    }
}

/// Waits for whatever comes next. The wait may be dropped: nothing is lost with it.
pub async fn anything<S: Transport>(upper_layer: &mut UpperLayer<S>) -> Result<Indication, End> {
    upper_layer.await_message();
    upper_layer.receive().await
}

/// A whole command; a peer that releases while its own operation runs has lost interest in it.
pub(crate) async fn receive_one<S: Transport>(
    upper_layer: &mut UpperLayer<S>,
    indication: Indication,
) -> Result<Option<CommandSet>, End> {
    match indication {
        Indication::Data(first) => receive_command(upper_layer, first).await.map(Some),
        Indication::ReleaseRequested => {
            upper_layer.send_pdu(&RELEASE_RP).await?;
            Err(End::Released)
        }
        Indication::ReleaseConfirmed => Err(End::Aborting(AbortReason::UnexpectedPdu)),
    }
}
