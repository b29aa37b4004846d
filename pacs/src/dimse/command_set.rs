//! PS3.7 6.3 and Annex E: command sets, group 0000 in Implicit VR Little Endian.

use bytes::{Buf, BufMut, Bytes};

/// Longest command set; the longest that the Standard knows is well under 1 KiB.
pub const COMMAND_SET_LENGTH_MAX_BYTES: usize = 64 * 1024;
/// Most elements of a command set; group 0000 defines fewer than 60.
const ELEMENTS_MAX: usize = 256;
/// Longest Error Comment (0000,0902), VR LO.
const ERROR_COMMENT_LENGTH_MAX: usize = 64;

/// Element numbers of group 0000 (PS3.7 table E.1-1), named by keyword.
pub mod element {
    /// CommandGroupLength
    pub const COMMAND_GROUP_LENGTH: u16 = 0x0000;
    /// AffectedSOPClassUID
    pub const AFFECTED_SOP_CLASS_UID: u16 = 0x0002;
    /// RequestedSOPClassUID
    pub const REQUESTED_SOP_CLASS_UID: u16 = 0x0003;
    /// CommandField
    pub const COMMAND_FIELD: u16 = 0x0100;
    /// MessageID
    pub const MESSAGE_ID: u16 = 0x0110;
    /// MessageIDBeingRespondedTo
    pub const MESSAGE_ID_BEING_RESPONDED_TO: u16 = 0x0120;
    /// MoveDestination
    pub const MOVE_DESTINATION: u16 = 0x0600;
    /// Priority
    pub const PRIORITY: u16 = 0x0700;
    /// CommandDataSetType
    pub const COMMAND_DATA_SET_TYPE: u16 = 0x0800;
    /// Status
    pub const STATUS: u16 = 0x0900;
    /// OffendingElement
    pub const OFFENDING_ELEMENT: u16 = 0x0901;
    /// ErrorComment
    pub const ERROR_COMMENT: u16 = 0x0902;
    /// ErrorID
    pub const ERROR_ID: u16 = 0x0903;
    /// AffectedSOPInstanceUID
    pub const AFFECTED_SOP_INSTANCE_UID: u16 = 0x1000;
    /// RequestedSOPInstanceUID
    pub const REQUESTED_SOP_INSTANCE_UID: u16 = 0x1001;
    /// EventTypeID
    pub const EVENT_TYPE_ID: u16 = 0x1002;
    /// AttributeIdentifierList
    pub const ATTRIBUTE_IDENTIFIER_LIST: u16 = 0x1005;
    /// ActionTypeID
    pub const ACTION_TYPE_ID: u16 = 0x1008;
    /// NumberOfRemainingSuboperations
    pub const NUMBER_OF_REMAINING_SUBOPERATIONS: u16 = 0x1020;
    /// NumberOfCompletedSuboperations
    pub const NUMBER_OF_COMPLETED_SUBOPERATIONS: u16 = 0x1021;
    /// NumberOfFailedSuboperations
    pub const NUMBER_OF_FAILED_SUBOPERATIONS: u16 = 0x1022;
    /// NumberOfWarningSuboperations
    pub const NUMBER_OF_WARNING_SUBOPERATIONS: u16 = 0x1023;
    /// MoveOriginatorApplicationEntityTitle
    pub const MOVE_ORIGINATOR_APPLICATION_ENTITY_TITLE: u16 = 0x1030;
    /// MoveOriginatorMessageID
    pub const MOVE_ORIGINATOR_MESSAGE_ID: u16 = 0x1031;
}

/// Values of CommandField (0000,0100).
pub mod command_field {
    /// C-STORE-RQ
    pub const C_STORE_RQ: u16 = 0x0001;
    /// C-STORE-RSP
    pub const C_STORE_RSP: u16 = 0x8001;
    /// C-GET-RQ
    pub const C_GET_RQ: u16 = 0x0010;
    /// C-FIND-RQ
    pub const C_FIND_RQ: u16 = 0x0020;
    /// C-MOVE-RQ
    pub const C_MOVE_RQ: u16 = 0x0021;
    /// C-ECHO-RQ
    pub const C_ECHO_RQ: u16 = 0x0030;
    /// N-EVENT-REPORT-RQ
    pub const N_EVENT_REPORT_RQ: u16 = 0x0100;
    /// N-SET-RQ
    pub const N_SET_RQ: u16 = 0x0120;
    /// N-CREATE-RQ
    pub const N_CREATE_RQ: u16 = 0x0140;
    /// N-ACTION-RQ
    pub const N_ACTION_RQ: u16 = 0x0130;
    /// C-CANCEL-RQ
    pub const C_CANCEL_RQ: u16 = 0x0FFF;
    /// Set in the field of every response.
    pub const RESPONSE: u16 = 0x8000;
}

/// Value of CommandDataSetType that says that no data set follows; every other value says that one does.
pub const NO_DATA_SET: u16 = 0x0101;
/// What we send when one does.
pub const DATA_SET_PRESENT: u16 = 0x0000;
/// Value of Priority (0000,0700): medium (PS3.7 9.3.1.1).
pub const PRIORITY_MEDIUM: u16 = 0x0000;

/// Bytes that are no command set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandSetError {
    /// An element runs past the end, or has an odd length.
    #[error("an element does not fit the command set")]
    Length,
    /// An element of another group.
    #[error("an element is not of group 0000")]
    Group,
    /// The same element twice: which one counts?
    #[error("an element is repeated")]
    Repeated,
    /// Too many elements.
    #[error("too many elements")]
    TooMany,
    /// CommandField, MessageID or CommandDataSetType is missing or not a number.
    #[error("a mandatory element is missing or mistyped")]
    Mandatory,
}

/// A command set that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSet {
    elements: Vec<(u16, Bytes)>,
    /// CommandField (0000,0100).
    pub command_field: u16,
    /// A data set follows.
    pub has_data_set: bool,
}

impl CommandSet {
    /// Reads a whole command set.
    ///
    /// # Errors
    /// See [`CommandSetError`].
    pub fn parse(mut bytes: Bytes) -> Result<Self, CommandSetError> {
        let mut elements: Vec<(u16, Bytes)> = Vec::with_capacity(12);
        while !bytes.is_empty() {
            if bytes.len() < 8 {
                return Err(CommandSetError::Length);
            }
            let (group, element, length) =
                (bytes.get_u16_le(), bytes.get_u16_le(), bytes.get_u32_le() as usize);
            if group != 0 {
                return Err(CommandSetError::Group);
            }
            if length > bytes.len() || !length.is_multiple_of(2) {
                return Err(CommandSetError::Length);
            }
            if elements.len() == ELEMENTS_MAX {
                return Err(CommandSetError::TooMany);
            }
            if elements.iter().any(|(number, _)| *number == element) {
                return Err(CommandSetError::Repeated);
            }
            elements.push((element, bytes.split_to(length)));
        }
        let mut command = Self { elements, command_field: 0, has_data_set: false };
        command.command_field = command.number(element::COMMAND_FIELD).ok_or(CommandSetError::Mandatory)?;
        let data_set_type =
            command.number(element::COMMAND_DATA_SET_TYPE).ok_or(CommandSetError::Mandatory)?;
        command.has_data_set = data_set_type != NO_DATA_SET;
        Ok(command)
    }

    fn value(&self, element: u16) -> Option<&Bytes> {
        self.elements.iter().find(|(number, _)| *number == element).map(|(_, value)| value)
    }

    /// A value of VR US.
    pub fn number(&self, element: u16) -> Option<u16> {
        let value = self.value(element)?;
        value.first_chunk::<2>().filter(|_| value.len() == 2).map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// A value of VR UI, AE or LO, without padding; nothing when it is not ASCII.
    pub fn text(&self, element: u16) -> Option<&str> {
        let text = std::str::from_utf8(self.value(element)?).ok().filter(|text| text.is_ascii())?;
        Some(text.trim_end_matches(['\0', ' ']).trim_start_matches(' '))
    }

    /// ErrorComment (0000,0902) without control characters: people read it on a terminal.
    pub fn error_comment(&self) -> String {
        let comment = self.text(element::ERROR_COMMENT).unwrap_or_default();
        comment.chars().filter(|character| !character.is_control()).collect()
    }

    /// MessageID (0000,0110).
    ///
    /// # Errors
    /// When it is missing: nothing could be answered.
    pub fn message_id(&self) -> Result<u16, CommandSetError> {
        self.number(element::MESSAGE_ID).ok_or(CommandSetError::Mandatory)
    }
}

/// Writes a command set. Elements are given in ascending order.
#[derive(Debug, Default)]
pub struct CommandSetBuilder {
    bytes: Vec<u8>,
}

impl CommandSetBuilder {
    /// A value of VR US.
    #[must_use]
    pub fn number(mut self, element: u16, value: u16) -> Self {
        self.put_header(element, 2);
        self.bytes.put_u16_le(value);
        self
    }

    /// A value of VR UI; left out when there is none.
    #[must_use]
    pub fn uid(self, element: u16, value: Option<&str>) -> Self {
        self.text(element, value.unwrap_or_default(), 0)
    }

    /// A value of VR AE.
    #[must_use]
    pub fn ae_title(self, element: u16, value: &str) -> Self {
        self.text(element, value, b' ')
    }

    /// Values of VR AT; left out when there are none.
    #[must_use]
    pub fn tags(mut self, element: u16, tags: &[u32]) -> Self {
        if !tags.is_empty() {
            self.put_header(element, tags.len() as u32 * 4);
        }
        for tag in tags {
            self.bytes.put_u16_le((tag >> 16) as u16);
            self.bytes.put_u16_le(*tag as u16);
        }
        self
    }

    /// ErrorComment (0000,0902), cut to what its VR allows; left out when empty.
    #[must_use]
    pub fn error_comment(self, comment: &str) -> Self {
        let printable = |c: &char| (' '..='~').contains(c) && *c != '\\';
        let comment: String = comment.chars().filter(printable).take(ERROR_COMMENT_LENGTH_MAX).collect();
        self.text(element::ERROR_COMMENT, comment.trim(), b' ')
    }

    fn text(mut self, element: u16, value: &str, padding: u8) -> Self {
        if value.is_empty() {
            return self;
        }
        let length = value.len().next_multiple_of(2);
        self.put_header(element, length as u32);
        self.bytes.put_slice(value.as_bytes());
        if length > value.len() {
            self.bytes.put_u8(padding);
        }
        self
    }

    fn put_header(&mut self, element: u16, length: u32) {
        self.bytes.put_u16_le(0);
        self.bytes.put_u16_le(element);
        self.bytes.put_u32_le(length);
    }

    /// The command set with its group length in front.
    pub fn build(self) -> Vec<u8> {
        let mut whole = Self { bytes: Vec::with_capacity(self.bytes.len() + 12) };
        whole.put_header(element::COMMAND_GROUP_LENGTH, 4);
        whole.bytes.put_u32_le(self.bytes.len() as u32);
        whole.bytes.extend(self.bytes);
        whole.bytes
    }
}

/// The response to `request` (PS3.7 9.3): without a data set, with a comment when the status is a failure.
pub fn encode_response(request: &CommandSet, message_id: u16, status: u16, comment: &str) -> Vec<u8> {
    let sop_class = request
        .text(element::AFFECTED_SOP_CLASS_UID)
        .or_else(|| request.text(element::REQUESTED_SOP_CLASS_UID));
    let sop_instance = request
        .text(element::AFFECTED_SOP_INSTANCE_UID)
        .or_else(|| request.text(element::REQUESTED_SOP_INSTANCE_UID));
    CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, sop_class.filter(|uid| is_uid_like(uid)))
        .number(element::COMMAND_FIELD, request.command_field | command_field::RESPONSE)
        .number(element::MESSAGE_ID_BEING_RESPONDED_TO, message_id)
        .number(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
        .number(element::STATUS, status)
        .error_comment(comment)
        .uid(element::AFFECTED_SOP_INSTANCE_UID, sop_instance.filter(|uid| is_uid_like(uid)))
        .build()
}

/// Nothing but a UID is sent back as one.
fn is_uid_like(text: &str) -> bool {
    model::uid::check_uid(text).is_ok()
}

#[cfg(test)]
mod tests;
