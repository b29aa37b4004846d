//! PS3.4 J.3.3 and PS3.7 10.1.1, N-EVENT-REPORT: what came of a request, said over an association that we ask for.

use dicom_dictionary_std::uids;
use dicom_header::VR;
use model::{AeTitle, SopClassUid, SopReference, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};

use super::{
    FAILED_SOP_SEQUENCE, FAILURE_REASON, REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID,
    REFERENCED_SOP_SEQUENCE, RETRIEVE_AE_TITLE, TRANSACTION_UID,
};
use crate::{
    dimse::{
        command_set::{CommandSetBuilder, DATA_SET_PRESENT, command_field, element},
        service_status::FAILURE_REASONS,
    },
    query_retrieve::data_set::DataSet,
    store_scu::{Proposal, ScuAssociation, ScuError, StoreResponse, plain_syntaxes},
    upper_layer::framing::Transport,
};

/// Event Type ID: Storage Commitment Request Successful.
const SUCCESSFUL: u16 = 1;
/// Event Type ID: Storage Commitment Request Complete - Failures Exist.
const FAILURES_EXIST: u16 = 2;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// What is committed to.
    pub committed: Vec<SopReference>,
    /// The others, each with its Failure Reason (0008,1197).
    pub failed: Vec<(SopReference, u16)>,
}

impl Findings {
    fn event_type(&self) -> u16 {
        if self.failed.is_empty() { SUCCESSFUL } else { FAILURES_EXIST }
    }

    /// The Event Information (PS3.4 table J.3-2).
    fn encode(&self, transaction_uid: &str, retrieve_from: &AeTitle, implicit_vr: bool) -> Vec<u8> {
        let mut data_set = DataSet::default();
        data_set.text(TRANSACTION_UID, VR::UI, transaction_uid);
        data_set.text(RETRIEVE_AE_TITLE, VR::AE, retrieve_from.as_str());
        if !self.committed.is_empty() {
            data_set.items(REFERENCED_SOP_SEQUENCE, self.committed.iter().map(item).collect());
        }
        if !self.failed.is_empty() {
            let failed = self.failed.iter().map(|(reference, reason)| {
                let mut item = item(reference);
                debug_assert!(FAILURE_REASONS.iter().any(|(one, _)| one == reason), "{reason:#06x}");
                item.short(FAILURE_REASON, Some(i32::from(*reason)));
                item
            });
            data_set.items(FAILED_SOP_SEQUENCE, failed.collect());
        }
        data_set.encode(implicit_vr, "")
    }
}

fn item(reference: &SopReference) -> DataSet {
    let mut item = DataSet::default();
    item.text(REFERENCED_SOP_CLASS_UID, VR::UI, reference.sop_class_uid.as_str());
    item.text(REFERENCED_SOP_INSTANCE_UID, VR::UI, reference.sop_instance_uid.as_str());
    item
}

/// What is proposed: Storage Commitment, of which we are the provider.
pub fn proposal() -> Option<Proposal> {
    Some(Proposal {
        sop_class_uid: SopClassUid::parse(uids::STORAGE_COMMITMENT_PUSH_MODEL).ok()?,
        transfer_syntax_uids: plain_syntaxes(),
        as_provider: true,
    })
}

impl<S: Transport> ScuAssociation<S> {
    /// N-EVENT-REPORT of a transaction.
    ///
    /// # Errors
    /// See [`ScuError`].
    pub(crate) async fn report_commitment(
        &mut self,
        transaction_uid: &str,
        retrieve_from: &AeTitle,
        findings: &Findings,
    ) -> Result<StoreResponse, ScuError> {
        let proposal = proposal().ok_or(ScuError::Proposal)?;
        let (context_id, syntax) = self.context_of(&proposal)?;
        let data_set = findings.encode(transaction_uid, retrieve_from, syntax == IMPLICIT_VR_LITTLE_ENDIAN);
        let message_id = self.next_message_id();
        let command = CommandSetBuilder::default()
            .uid(element::AFFECTED_SOP_CLASS_UID, Some(proposal.sop_class_uid.as_str()))
            .number(element::COMMAND_FIELD, command_field::N_EVENT_REPORT_RQ)
            .number(element::MESSAGE_ID, message_id)
            .number(element::COMMAND_DATA_SET_TYPE, DATA_SET_PRESENT)
            .uid(element::AFFECTED_SOP_INSTANCE_UID, Some(uids::STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE))
            .number(element::EVENT_TYPE_ID, findings.event_type())
            .build();
        self.upper_layer.send_message(context_id, &command, Some(&data_set)).await?;
        self.response(message_id).await
    }
}
