//! PS3.7 6.3.1 and PS3.8 Annex E: messages put together from their fragments.

use bytes::BytesMut;

use super::command_set::{COMMAND_SET_LENGTH_MAX_BYTES, CommandSet};
use crate::upper_layer::{
    EMPTY_FRAGMENTS_MAX, End, Indication, UpperLayer,
    framing::Transport,
    pdu::{AbortReason, PresentationDataValue},
};

/// Fragments that one command set may come in.
const COMMAND_FRAGMENTS_MAX: u32 = EMPTY_FRAGMENTS_MAX;

/// Puts a command set together, beginning with its first fragment: it may come in several PDUs.
///
/// # Errors
/// When something else comes in between, or it is no command set.
pub async fn receive_command<S: Transport>(
    upper_layer: &mut UpperLayer<S>,
    first: PresentationDataValue,
) -> Result<CommandSet, End> {
    let context_id = first.context_id;
    let mut value = first;
    let mut gathered = BytesMut::new();
    for _ in 0..COMMAND_FRAGMENTS_MAX {
        if !value.is_command || value.context_id != context_id {
            return Err(End::Aborting(AbortReason::UnexpectedPduParameter));
        }
        if gathered.len() + value.fragment.len() > COMMAND_SET_LENGTH_MAX_BYTES {
            return Err(End::Aborting(AbortReason::InvalidPduParameterValue));
        }
        gathered.extend_from_slice(&value.fragment);
        if value.is_last {
            return CommandSet::parse(gathered.freeze())
                .map_err(|_| End::Aborting(AbortReason::InvalidPduParameterValue));
        }
        value = receive_value(upper_layer).await?;
    }
    Err(End::Aborting(AbortReason::InvalidPduParameterValue))
}

/// The next fragment of a message that has begun: a release is out of place here.
///
/// # Errors
/// When the association ends.
pub async fn receive_value<S: Transport>(
    upper_layer: &mut UpperLayer<S>,
) -> Result<PresentationDataValue, End> {
    match upper_layer.receive().await? {
        Indication::Data(value) => Ok(value),
        Indication::ReleaseRequested | Indication::ReleaseConfirmed => {
            Err(End::Aborting(AbortReason::UnexpectedPdu))
        }
    }
}
