//! PS3.7 9.3.2 to 9.3.4: responses to C-FIND, C-GET and C-MOVE.

use model::ae::AeOperation;

use super::information_model::InformationModel;
use crate::{
    association::{Association, is_stated},
    backend::Backend,
    dimse::{
        command_set::{CommandSet, CommandSetBuilder, DATA_SET_PRESENT, NO_DATA_SET, command_field, element},
        status,
    },
    upper_layer::{
        End,
        framing::Transport,
        negotiation::{PresentationContext, Service},
        pdu::AbortReason,
    },
};

/// Why a request is not served. No text holds patient data: the peer sent it, others read the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902).
    pub comment: String,
    /// Offending Element (0000,0901).
    pub offending: Vec<u32>,
}

impl Refused {
    /// Because of this.
    pub fn saying(status: u16, comment: impl Into<String>) -> Self {
        Self { status, comment: comment.into(), offending: Vec::new() }
    }

    /// Because of this attribute.
    #[must_use]
    pub fn at(self, tag: u32) -> Self {
        Self { offending: vec![tag], ..self }
    }
}

/// Numbers of sub-operations (PS3.4 C.4.2.1.6 to C.4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Still to do.
    pub remaining: u32,
    /// Done.
    pub completed: u32,
    /// Failed.
    pub failed: u32,
    /// Done with a warning.
    pub warning: u32,
}

/// What a response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What it says of itself.
    pub said: Refused,
    /// Only of retrievals.
    pub counts: Option<Counts>,
    /// Pending and Cancel tell what remains, the others must not (PS3.4 C.4.2.1.6).
    pub tells_remaining: bool,
}

impl Response {
    /// With a status alone.
    pub fn status(status: u16) -> Self {
        Self { said: Refused::saying(status, ""), counts: None, tells_remaining: false }
    }

    /// The command set.
    fn encode(
        &self,
        request: &CommandSet,
        message_id: u16,
        sop_class_uid: &str,
        has_data_set: bool,
    ) -> Vec<u8> {
        // A number of VR US: more than it holds is said as the most it holds.
        let short = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        let data_set_type = if has_data_set { DATA_SET_PRESENT } else { NO_DATA_SET };
        let mut command = CommandSetBuilder::default()
            .uid(element::AFFECTED_SOP_CLASS_UID, Some(sop_class_uid))
            .number(element::COMMAND_FIELD, request.command_field | command_field::RESPONSE)
            .number(element::MESSAGE_ID_BEING_RESPONDED_TO, message_id)
            .number(element::COMMAND_DATA_SET_TYPE, data_set_type)
            .number(element::STATUS, self.said.status)
            .tags(element::OFFENDING_ELEMENT, &self.said.offending)
            .error_comment(&self.said.comment);
        if let Some(counts) = self.counts {
            if self.tells_remaining {
                command = command.number(element::NUMBER_OF_REMAINING_SUBOPERATIONS, short(counts.remaining));
            }
            command = command
                .number(element::NUMBER_OF_COMPLETED_SUBOPERATIONS, short(counts.completed))
                .number(element::NUMBER_OF_FAILED_SUBOPERATIONS, short(counts.failed))
                .number(element::NUMBER_OF_WARNING_SUBOPERATIONS, short(counts.warning));
        }
        command.build()
    }
}

/// A request that is being served.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Where.
    pub context: &'a PresentationContext,
    /// The command.
    pub command: &'a CommandSet,
    /// Its Message ID.
    pub message_id: u16,
}

impl<'a> Asked<'a> {
    /// A command of a context.
    pub(crate) fn of(context: &'a PresentationContext, command: &'a CommandSet) -> Result<Self, End> {
        let message_id = command.message_id();
        let message_id = message_id.map_err(|_| End::Aborting(AbortReason::InvalidPduParameterValue))?;
        Ok(Self { context, command, message_id })
    }

    /// The information model that is asked by. `None`: the context is for something else, or the command is of another
    /// SOP class than the context, and the request has its answer already.
    pub(crate) async fn model<S: Transport, B: Backend>(
        self,
        association: &mut Association<'_, S, B>,
        operation: AeOperation,
    ) -> Result<Option<InformationModel>, End> {
        match self.context.service {
            Service::QueryRetrieve(model, of) if of == operation && self.context.is_of(self.command) => {
                Ok(Some(model))
            }
            _ => self.refuse_class(association).await.map(|()| None),
        }
    }

    /// The answer to a command of another SOP class than that of its context.
    pub(crate) async fn refuse_class<S: Transport, B: Backend>(
        self,
        association: &mut Association<'_, S, B>,
    ) -> Result<(), End> {
        association.skip_data_set(self.context, self.command).await?;
        let comment = "the SOP class is not that of the presentation context";
        self.refuse(association, Refused::saying(status::SOP_CLASS_NOT_SUPPORTED, comment)).await
    }

    /// Sends a response, with its data set when it has one, in one write.
    pub(crate) async fn respond<S: Transport, B: Backend>(
        self,
        association: &mut Association<'_, S, B>,
        response: &Response,
        data_set: Option<&[u8]>,
    ) -> Result<(), End> {
        let status = response.said.status;
        debug_assert!(
            is_stated(self.context, self.command, status),
            "{status:#06x} to {:#06x}",
            self.command.command_field
        );
        let sop_class_uid = self.context.abstract_syntax.as_str();
        let command = response.encode(self.command, self.message_id, sop_class_uid, data_set.is_some());
        association.upper_layer.send_message(self.context.id, &command, data_set).await
    }

    /// Sends the last response: it is not done.
    pub(crate) async fn refuse<S: Transport, B: Backend>(
        self,
        association: &mut Association<'_, S, B>,
        said: Refused,
    ) -> Result<(), End> {
        let said = Refused { status: status_of(self.command.command_field, said.status), ..said };
        tracing::warn!(
            status = format_args!("{:#06x}", said.status),
            reason = said.comment,
            "request refused"
        );
        self.respond(association, &Response { said, counts: None, tells_remaining: false }, None).await
    }
}

/// Retrievals have no 0xA700: they tell apart what could not be found and what could not be sent (PS3.4 C.4.2.1.5 and
/// C.4.3.1.4).
fn status_of(command_field: u16, status: u16) -> u16 {
    match (command_field, status) {
        (command_field::C_GET_RQ | command_field::C_MOVE_RQ, status::OUT_OF_RESOURCES) => {
            status::MATCHES_NOT_COUNTED
        }
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_retrieval_that_has_no_resources_says_for_what() {
        for (field, expected) in [
            (command_field::C_FIND_RQ, 0xA700),
            (command_field::C_GET_RQ, 0xA701),
            (command_field::C_MOVE_RQ, 0xA701),
        ] {
            assert_eq!(status_of(field, status::OUT_OF_RESOURCES), expected);
            assert_eq!(status_of(field, status::UNABLE_TO_PROCESS), 0xC001);
        }
    }

    #[test]
    fn a_response_tells_what_its_status_allows() {
        let request = CommandSetBuilder::default()
            .number(element::COMMAND_FIELD, command_field::C_MOVE_RQ)
            .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
            .build();
        let request = CommandSet::parse(Bytes::from(request)).expect("a command set");
        let counts = Counts { remaining: 70_000, completed: 1, failed: 2, warning: 3 };
        let said = Refused::saying(0xFE00, "why").at(0x0020_000D);
        for tells_remaining in [true, false] {
            let response = Response { said: said.clone(), counts: Some(counts), tells_remaining };
            let bytes = response.encode(&request, 7, "1.2.3", false);
            let read = CommandSet::parse(Bytes::from(bytes)).expect("a command set");
            assert_eq!((read.command_field, read.has_data_set), (0x8021, false));
            let number = |element| read.number(element);
            assert_eq!(number(element::MESSAGE_ID_BEING_RESPONDED_TO), Some(7));
            let remaining = tells_remaining.then_some(u16::MAX);
            assert_eq!(number(element::NUMBER_OF_REMAINING_SUBOPERATIONS), remaining);
            assert_eq!(number(element::NUMBER_OF_WARNING_SUBOPERATIONS), Some(3));
            assert_eq!(read.text(element::ERROR_COMMENT), Some("why"));
        }
    }
}
