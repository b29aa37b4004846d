//! PS3.8 7.1.1.13, presentation contexts: what was accepted, and who serves it.

use model::{SopClassUid, TransferSyntaxUid, ae::AeOperation};

use crate::{
    dimse::command_set::{CommandSet, element},
    query_retrieve::{information_model::InformationModel, options::QueryOptions},
};

/// What a presentation context is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// PS3.4 Annex A.
    Verification,
    /// PS3.4 Annex B.
    Storage,
    /// PS3.4 Annex C.
    QueryRetrieve(InformationModel, AeOperation),
    /// PS3.4 Annex F.
    PerformedStep,
    /// PS3.4 Annex K.
    Worklist,
    /// PS3.4 Annex J.
    StorageCommitment,
}

impl Service {
    /// Its operations may take long and listen for C-CANCEL meanwhile: another command has to wait for their last response.
    pub fn can_be_cancelled(self) -> bool {
        matches!(self, Self::QueryRetrieve(..) | Self::Worklist)
    }
}

/// An accepted presentation context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentationContext {
    /// Presentation-context-ID.
    pub id: u8,
    /// Abstract syntax: the SOP class.
    pub abstract_syntax: SopClassUid,
    /// The transfer syntax of data sets in it.
    pub transfer_syntax: TransferSyntaxUid,
    /// Who serves it.
    pub service: Service,
    /// Instances of it may be sent to the requestor: C-GET (PS3.4 C.5.3).
    pub requestor_is_scp: bool,
    /// What was agreed on for queries and retrievals.
    pub options: QueryOptions,
}

impl PresentationContext {
    /// Whether a command that came in it is of its SOP class, as it has to be (PS3.7 9.1.1.1.3).
    pub fn is_of(&self, command: &CommandSet) -> bool {
        command.text(element::AFFECTED_SOP_CLASS_UID) == Some(self.abstract_syntax.as_str())
    }

    /// The same of a command about an instance that is there: N-ACTION, N-SET (PS3.7 10.1.4.1.3).
    pub fn is_requested_by(&self, command: &CommandSet) -> bool {
        command.text(element::REQUESTED_SOP_CLASS_UID) == Some(self.abstract_syntax.as_str())
    }
}
