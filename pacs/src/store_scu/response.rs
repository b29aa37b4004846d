//! PS3.7 9.3.1.2 and 9.3.5.2: what a peer answers.

use crate::dimse::{
    command_set::{CommandSet, command_field, element},
    status,
};

/// The answer to a C-STORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreResponse {
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902).
    pub error_comment: String,
}

impl StoreResponse {
    /// Stored, with a warning or without.
    pub fn is_success(&self) -> bool {
        status::is_success(self.status)
    }
}

/// A response to our command; nothing when it is another message.
pub fn read_response(command: &CommandSet, message_id: u16) -> Option<StoreResponse> {
    let is_response = command.command_field & command_field::RESPONSE != 0;
    let is_ours = command.number(element::MESSAGE_ID_BEING_RESPONDED_TO) == Some(message_id);
    let status =
        command.number(element::STATUS).filter(|_| is_response && is_ours && !command.has_data_set)?;
    let error_comment = command.text(element::ERROR_COMMENT).unwrap_or_default().to_owned();
    Some(StoreResponse { status, error_comment })
}
