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
    Some(StoreResponse { status, error_comment: command.error_comment() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_cannot_write_on_the_terminal() {
        let comment = b"full\x1b[2J\x07 disk\r\n";
        let mut bytes = vec![0, 0, 0, 1, 2, 0, 0, 0, 0x01, 0x80];
        bytes.extend([0, 0, 0x20, 1, 2, 0, 0, 0, 7, 0]);
        bytes.extend([0, 0, 0, 8, 2, 0, 0, 0, 0x01, 0x01]);
        bytes.extend([0, 0, 0, 9, 2, 0, 0, 0, 0x00, 0xA7]);
        bytes.extend([0, 0, 2, 9, comment.len() as u8, 0, 0, 0]);
        bytes.extend(comment);
        let command = CommandSet::parse(bytes.into()).expect("a command set");
        let response = read_response(&command, 7).expect("a response");
        assert_eq!((response.status, response.error_comment.as_str()), (0xA700, "full[2J disk"));
    }
}
