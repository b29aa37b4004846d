//! PS3.7 9.3.1.1, C-STORE-RQ: one command set for whoever sends instances, a user or the provider of C-GET.

use model::{AeTitle, SopClassUid, SopInstanceUid};

use crate::dimse::command_set::{
    CommandSetBuilder, DATA_SET_PRESENT, PRIORITY_MEDIUM, command_field, element,
};

/// Who asked for an instance to be sent, by C-MOVE (PS3.7 9.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originator {
    /// Its AE title.
    pub ae_title: AeTitle,
    /// Message ID of its request.
    pub message_id: u16,
}

/// The command set before the data set.
pub(crate) fn store_request(
    sop_class_uid: &SopClassUid,
    sop_instance_uid: &SopInstanceUid,
    message_id: u16,
    originator: Option<&Originator>,
) -> Vec<u8> {
    let mut command = CommandSetBuilder::default()
        .uid(element::AFFECTED_SOP_CLASS_UID, Some(sop_class_uid.as_str()))
        .number(element::COMMAND_FIELD, command_field::C_STORE_RQ)
        .number(element::MESSAGE_ID, message_id)
        .number(element::PRIORITY, PRIORITY_MEDIUM)
        .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
        .uid(element::AFFECTED_SOP_INSTANCE_UID, Some(sop_instance_uid.as_str()));
    if let Some(Originator { ae_title, message_id }) = originator {
        command = command
            .ae_title(element::MOVE_ORIGINATOR_APPLICATION_ENTITY_TITLE, ae_title.as_str())
            .number(element::MOVE_ORIGINATOR_MESSAGE_ID, *message_id);
    }
    command.build()
}
