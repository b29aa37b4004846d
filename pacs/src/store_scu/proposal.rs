//! PS3.8 7.1 as a requestor: what is proposed, and what of it the peer takes.

use bytes::Bytes;
use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, AssociationRQ, PresentationContextProposed, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};
use model::{
    AeTitle, SopClassUid, TransferSyntaxUid,
    transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
};

use super::{PDU_LENGTH_MAX_BYTES, ScuError};
use crate::{
    transfer_syntaxes::trim_uid,
    upper_layer::{
        End,
        acceptance::parse_acceptance,
        negotiation::{APPLICATION_CONTEXT_NAME, PRESENTATION_CONTEXTS_MAX, own_user_variables},
        pdu::{AbortReason, PEER_PDU_LENGTH_MIN_BYTES, PduType},
    },
};

/// Proposals that fit one association beside Verification.
pub const PROPOSALS_MAX: usize = PRESENTATION_CONTEXTS_MAX - 1;

/// A SOP class with the transfer syntaxes that its instances can be sent in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// Abstract syntax.
    pub sop_class_uid: SopClassUid,
    /// Transfer syntaxes, the most wanted first.
    pub transfer_syntax_uids: Vec<TransferSyntaxUid>,
    /// We are the provider of the class, though we ask for the association (PS3.7 D.3.3.4).
    pub as_provider: bool,
}

/// Those of data sets that are written here, the more telling first.
pub fn plain_syntaxes() -> Vec<TransferSyntaxUid> {
    let syntaxes = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN];
    syntaxes.iter().filter_map(|uid| TransferSyntaxUid::parse(uid).ok()).collect()
}

/// A presentation context that the peer has accepted.
pub struct AcceptedContext {
    pub id: u8,
    pub sop_class_uid: String,
    pub transfer_syntax_uid: String,
    /// The peer has refused us the role of provider. One that says nothing of roles has not: many take what a provider
    /// sends without ever having heard of role selection.
    pub provider_refused: bool,
}

/// The A-ASSOCIATE-RQ: Verification first, then the proposals in order.
pub fn request_pdu(
    calling_ae_title: &AeTitle,
    called_ae_title: &AeTitle,
    proposals: &[Proposal],
) -> Result<AssociationRQ, ScuError> {
    if proposals.len() > PROPOSALS_MAX
        || proposals.iter().any(|proposal| proposal.transfer_syntax_uids.is_empty())
    {
        return Err(ScuError::Proposal);
    }
    let verification = PresentationContextProposed {
        id: 1,
        abstract_syntax: uids::VERIFICATION.to_owned(),
        transfer_syntaxes: vec![IMPLICIT_VR_LITTLE_ENDIAN.to_owned()],
    };
    let others =
        proposals.iter().zip((3..=255).step_by(2)).map(|(proposal, id)| PresentationContextProposed {
            id,
            abstract_syntax: proposal.sop_class_uid.to_string(),
            transfer_syntaxes: proposal.transfer_syntax_uids.iter().map(ToString::to_string).collect(),
        });
    let roles = proposals.iter().filter(|proposal| proposal.as_provider).map(|proposal| {
        let uid = proposal.sop_class_uid.to_string();
        UserVariableItem::ScuScpRoleSelectionSubItem(uid, RequestorRoles { scu: false, scp: true })
    });
    Ok(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling_ae_title.to_string(),
        called_ae_title: called_ae_title.to_string(),
        application_context_name: APPLICATION_CONTEXT_NAME.to_owned(),
        presentation_contexts: std::iter::once(verification).chain(others).collect(),
        user_variables: own_user_variables(PDU_LENGTH_MAX_BYTES).into_iter().chain(roles).collect(),
    })
}

/// Reads the A-ASSOCIATE-AC or -RJ.
pub fn read_answer(pdu_type: PduType, body: Bytes) -> Result<AssociationAC, ScuError> {
    if pdu_type == PduType::AssociateRj {
        let [_, result, source_, reason] = *body.first_chunk().ok_or(invalid())?;
        return Err(ScuError::Rejected { result, source_, reason });
    }
    parse_acceptance(body).ok_or_else(invalid)
}

fn invalid() -> ScuError {
    End::Aborting(AbortReason::InvalidPduParameterValue).into()
}

/// Longest P-DATA-TF that the peer takes; 0 is no limit.
pub fn peer_pdu_length_max(answer: &AssociationAC) -> Result<u32, ScuError> {
    let announced = answer.user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    match announced {
        None | Some(0) => Ok(0),
        Some(length) if length < PEER_PDU_LENGTH_MIN_BYTES => Err(invalid()),
        Some(length) => Ok(length),
    }
}

/// The contexts that the peer accepted, in a transfer syntax that we did propose.
pub fn accepted_contexts(request: &AssociationRQ, answer: &AssociationAC) -> Vec<AcceptedContext> {
    let refused = |class: &str| {
        answer.user_variables.iter().any(|item| match item {
            UserVariableItem::ScuScpRoleSelectionSubItem(uid, roles) => trim_uid(uid) == class && !roles.scp,
            _ => false,
        })
    };
    let accepted = |proposed: &PresentationContextProposed| {
        let result = answer.presentation_contexts.iter().find(|result| result.id == proposed.id)?;
        let transfer_syntax_uid = trim_uid(&result.transfer_syntax);
        let ours = result.reason == PresentationContextResultReason::Acceptance
            && proposed.transfer_syntaxes.iter().any(|uid| uid == transfer_syntax_uid);
        ours.then(|| AcceptedContext {
            id: proposed.id,
            sop_class_uid: proposed.abstract_syntax.clone(),
            transfer_syntax_uid: transfer_syntax_uid.to_owned(),
            provider_refused: refused(&proposed.abstract_syntax),
        })
    };
    request.presentation_contexts.iter().filter_map(accepted).collect()
}
