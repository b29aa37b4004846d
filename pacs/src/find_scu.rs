//! PS3.4 C.4.1 as a user: C-FIND in the Study Root model to another AE, answers handed on as they come.

use dicom_dictionary_std::uids;
use dicom_header::{HeaderReader, Limits, PlainDataSet, VR, vr_of_tag};
use model::{SopClassUid, TransferSyntaxUid, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};

use crate::{
    dimse::{
        command_set::{
            CommandSet, CommandSetBuilder, DATA_SET_PRESENT, NO_DATA_SET, PRIORITY_MEDIUM, command_field,
            element,
        },
        message::{receive_command, receive_value},
        status,
    },
    query_retrieve::{data_set::DataSet, information_model::QUERY_RETRIEVE_LEVEL},
    store_scu::{Proposal, ScuAssociation, ScuError, plain_syntaxes},
    upper_layer::{End, framing::Transport, pdu::AbortReason},
};

pub use crate::query_retrieve::information_model::QueryLevel;

/// Longest answer that is taken.
const ANSWER_LENGTH_MAX_BYTES: usize = 1 << 20;

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindResponse {
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902).
    pub error_comment: String,
}

impl FindResponse {
    /// Everything has been told, or as much as was wanted.
    pub fn is_success(&self) -> bool {
        matches!(self.status, status::SUCCESS | status::CANCEL)
    }
}

/// What has to be proposed for [`ScuAssociation::find`].
///
/// # Panics
/// Never: the UIDs of the Standard are UIDs.
pub fn find_proposal() -> Proposal {
    let class = SopClassUid::parse(uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND);
    Proposal {
        sop_class_uid: class.expect("a UID of the Standard is a UID"),
        transfer_syntax_uids: plain_syntaxes(),
        as_provider: false,
    }
}

impl<S: Transport> ScuAssociation<S> {
    /// Asks for what fits `keys`: tags with their values, empty ones to be told. `each` gets every answer, and says
    /// whether there shall be more; after that the query is cancelled.
    ///
    /// # Errors
    /// See [`ScuError`]; the association is of no use then.
    pub async fn find(
        &mut self,
        level: QueryLevel,
        keys: &[(u32, String)],
        mut each: impl FnMut(&PlainDataSet) -> bool,
    ) -> Result<FindResponse, ScuError> {
        let proposal = find_proposal();
        let uid = &proposal.sop_class_uid;
        let syntax = self.transfer_syntaxes(uid).into_iter().next().ok_or_else(|| ScuError::NotAccepted {
            sop_class_uid: uid.clone(),
            transfer_syntax_uid: proposal.transfer_syntax_uids[0].clone(),
        })?;
        let context_id = self.context_id(uid.as_str(), None).ok_or(ScuError::Proposal)?;
        let message_id = self.next_message_id();
        let command = CommandSetBuilder::default()
            .uid(element::AFFECTED_SOP_CLASS_UID, Some(uid.as_str()))
            .number(element::COMMAND_FIELD, command_field::C_FIND_RQ)
            .number(element::MESSAGE_ID, message_id)
            .number(element::PRIORITY, PRIORITY_MEDIUM)
            .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
            .build();
        let implicit_vr = syntax.as_str() == IMPLICIT_VR_LITTLE_ENDIAN;
        let identifier = identifier(level, keys).encode(implicit_vr, "");
        self.upper_layer.send_message(context_id, &command, Some(&identifier)).await?;
        let mut wanted = true;
        loop {
            let (command, data_set) = self.find_response(&syntax).await?;
            let is_ours = command.command_field == command_field::C_FIND_RQ | command_field::RESPONSE
                && command.number(element::MESSAGE_ID_BEING_RESPONDED_TO) == Some(message_id);
            let status = command.number(element::STATUS).filter(|_| is_ours);
            match status.ok_or(End::Aborting(AbortReason::InvalidPduParameterValue))? {
                status::PENDING | status::PENDING_WITH_UNSUPPORTED_KEYS => {
                    if wanted
                        && let Some(data_set) = &data_set
                        && !each(data_set)
                    {
                        wanted = false;
                        self.cancel(context_id, message_id).await?;
                    }
                }
                status => {
                    return Ok(FindResponse { status, error_comment: command.error_comment() });
                }
            }
        }
    }

    /// C-CANCEL-RQ (PS3.7 9.3.2.3).
    async fn cancel(&mut self, context_id: u8, message_id: u16) -> Result<(), End> {
        let command = CommandSetBuilder::default()
            .number(element::COMMAND_FIELD, command_field::C_CANCEL_RQ)
            .number(element::MESSAGE_ID_BEING_RESPONDED_TO, message_id)
            .number(element::COMMAND_DATA_SET_TYPE, NO_DATA_SET)
            .build();
        self.upper_layer.send(context_id, true, true, &command).await
    }

    async fn find_response(
        &mut self,
        syntax: &TransferSyntaxUid,
    ) -> Result<(CommandSet, Option<PlainDataSet>), ScuError> {
        self.upper_layer.await_message();
        let first = receive_value(&mut self.upper_layer).await?;
        let command = receive_command(&mut self.upper_layer, first).await?;
        if !command.has_data_set {
            return Ok((command, None));
        }
        let mut reader = HeaderReader::new(syntax, Limits::default());
        let (mut length, mut is_last) = (0, false);
        while !is_last {
            let value = receive_value(&mut self.upper_layer).await?;
            length += value.fragment.len();
            if value.is_command || length > ANSWER_LENGTH_MAX_BYTES {
                return Err(End::Aborting(AbortReason::InvalidPduParameterValue).into());
            }
            reader.push(&value.fragment).map_err(ScuError::Answer)?;
            is_last = value.is_last;
        }
        Ok((command, Some(reader.finish_plain().map_err(ScuError::Answer)?)))
    }
}

fn identifier(level: QueryLevel, keys: &[(u32, String)]) -> DataSet {
    let mut identifier = DataSet::default();
    for (tag, value) in keys {
        match vr_of_tag(*tag).unwrap_or(VR::LO) {
            VR::US => identifier.short(*tag, value.parse().ok()),
            VR::SQ => identifier.items(*tag, Vec::new()),
            vr => identifier.text(*tag, vr, value),
        };
    }
    identifier.text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str());
    identifier
}
