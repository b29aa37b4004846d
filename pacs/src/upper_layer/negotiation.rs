//! PS3.8 7.1 and 9.3.2 to 9.3.3; PS3.7 D.3: what is proposed, and what is answered.

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason, UserVariableItem, write_pdu,
};
use model::{
    AeTitle, SopClassUid, TransferSyntaxUid,
    transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
};

use super::{
    extended::answer_extended,
    operations_window::{self, OPERATIONS_WINDOW_ITEM},
    pdu::{AbortReason, PEER_PDU_LENGTH_MIN_BYTES, Rejection},
    user_identity::{EMPTY_SERVER_RESPONSE, USER_IDENTITY_ANSWER_ITEM},
};
pub use super::{
    presentation_context::{PresentationContext, Service},
    request::{Request, parse_request},
};
use crate::{
    query_retrieve::{information_model::of_sop_class, options::QueryOptions},
    storage_sop_classes::{is_storage_sop_class, may_be_storage_sop_class},
    transfer_syntaxes::{choose, trim_uid},
};

/// The DICOM Application Context Name (PS3.7 A.2.1).
pub const APPLICATION_CONTEXT_NAME: &str = uids::DICOM_APPLICATION_CONTEXT;
/// Presentation-context-IDs are odd and at most 255.
pub const PRESENTATION_CONTEXTS_MAX: usize = 128;

/// What a request can be answered with other than acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A-ASSOCIATE-RJ.
    Reject(Rejection),
    /// A-ABORT: the PDU is broken.
    Abort(AbortReason),
}

pub(super) const INVALID: Refusal = Refusal::Abort(AbortReason::InvalidPduParameterValue);

/// What the acceptor takes.
#[derive(Debug, Clone, Default)]
pub struct NegotiationRules {
    /// Chosen first, in this order, when offered.
    pub transfer_syntax_preferences: Vec<TransferSyntaxUid>,
    /// Take SOP classes that are not in the list.
    pub accept_unknown_sop_classes: bool,
    /// Take transfer syntaxes that the Standard does not register.
    pub accept_unknown_transfer_syntaxes: bool,
    /// The only storage classes that this peer may send; empty for every one.
    pub sop_classes: Vec<SopClassUid>,
    /// The only transfer syntaxes that this peer may send in; empty for every one.
    pub transfer_syntaxes: Vec<TransferSyntaxUid>,
    /// Announced to the peer.
    pub pdu_length_max_bytes: u32,
    /// The peer hears that its user identity was proved.
    pub confirms_identity: bool,
    /// Operations that the peer may have outstanding at once, when it has asked for more than one; one, when a context that is
    /// accepted is for operations that can be cancelled.
    pub operations_window: Option<u16>,
}

/// What was agreed.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// Accepted contexts.
    pub contexts: Vec<PresentationContext>,
    /// Longest P-DATA-TF that the peer takes; 0 is no limit.
    pub peer_pdu_length_max: u32,
    /// Operations that the peer may have outstanding at once.
    pub operations_max: u16,
}

/// Called and calling AE title, when the request is for DICOM at all.
///
/// # Errors
/// When the application context is another, or a title is none.
pub fn read_titles(request: &AssociationRQ) -> Result<(AeTitle, AeTitle), Rejection> {
    if trim_uid(&request.application_context_name) != APPLICATION_CONTEXT_NAME {
        return Err(Rejection::ApplicationContextNameNotSupported);
    }
    let called =
        AeTitle::parse(trim_uid(&request.called_ae_title)).or(Err(Rejection::CalledAeTitleNotRecognized))?;
    let calling = AeTitle::parse(trim_uid(&request.calling_ae_title))
        .or(Err(Rejection::CallingAeTitleNotRecognized))?;
    Ok((called, calling))
}

/// Decides on each presentation context, and writes the A-ASSOCIATE-AC.
///
/// # Errors
/// When the proposal breaks the rules of PS3.8 9.3.2.2, or nothing is proposed.
pub fn negotiate(request: &AssociationRQ, rules: &NegotiationRules) -> Result<(Agreement, Vec<u8>), Refusal> {
    let peer_pdu_length_max = peer_pdu_length_max(request)?;
    check_context_ids(&request.presentation_contexts)?;
    let mut contexts = Vec::new();
    let mut results = Vec::with_capacity(request.presentation_contexts.len());
    for proposed in &request.presentation_contexts {
        let outcome = decide(proposed, rules);
        let (reason, transfer_syntax) = match &outcome {
            Ok(context) => {
                (PresentationContextResultReason::Acceptance, context.transfer_syntax.as_str().to_owned())
            }
            // The sub-item must be there but says nothing (PS3.8 table 9-18).
            Err(reason) => (reason.clone(), IMPLICIT_VR_LITTLE_ENDIAN.to_owned()),
        };
        results.push(PresentationContextResult { id: proposed.id, reason, transfer_syntax });
        contexts.extend(outcome);
    }
    let mut extended = answer_extended(request, &mut contexts);
    // The window is that of the whole association (PS3.7 D.3.3.3).
    let one_at_a_time = contexts.iter().any(|context| context.service.can_be_cancelled());
    let operations_window = rules.operations_window.map(|most| if one_at_a_time { 1 } else { most });
    let item = |window| UserVariableItem::Unknown(OPERATIONS_WINDOW_ITEM, operations_window::encode(window));
    extended.extend(operations_window.map(item));
    let answer = encode_answer(request, results, extended, rules)?;
    let operations_max = operations_window.unwrap_or(1);
    Ok((Agreement { contexts, peer_pdu_length_max, operations_max }, answer))
}

fn peer_pdu_length_max(request: &AssociationRQ) -> Result<u32, Refusal> {
    let announced = request.user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    match announced {
        // Mandatory (PS3.7 D.3.3.1), but nobody gains from refusing those who leave it out.
        None | Some(0) => Ok(0),
        Some(length) if length < PEER_PDU_LENGTH_MIN_BYTES => Err(INVALID),
        Some(length) => Ok(length),
    }
}

fn check_context_ids(proposed: &[PresentationContextProposed]) -> Result<(), Refusal> {
    if proposed.is_empty() {
        return Err(Refusal::Reject(Rejection::NoReasonGiven));
    }
    let mut seen = [false; 256];
    for context in proposed {
        if context.id.is_multiple_of(2) || std::mem::replace(&mut seen[usize::from(context.id)], true) {
            return Err(INVALID);
        }
    }
    Ok(())
}

fn decide(
    proposed: &PresentationContextProposed,
    rules: &NegotiationRules,
) -> Result<PresentationContext, PresentationContextResultReason> {
    let abstract_syntax = SopClassUid::parse(trim_uid(&proposed.abstract_syntax))
        .or(Err(PresentationContextResultReason::AbstractSyntaxNotSupported))?;
    let service = service_of(&abstract_syntax, rules)
        .ok_or(PresentationContextResultReason::AbstractSyntaxNotSupported)?;
    let may_come = |uid: &&String| {
        let uid = trim_uid(uid);
        let listed = rules.transfer_syntaxes.iter().any(|known| known.as_str() == uid);
        match service {
            Service::Verification => true,
            Service::Storage => rules.transfer_syntaxes.is_empty() || listed,
            // Data sets are made here, in one of these.
            Service::QueryRetrieve(..)
            | Service::StorageCommitment
            | Service::Worklist
            | Service::PerformedStep => [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN].contains(&uid),
        }
    };
    let offered: Vec<String> = proposed.transfer_syntaxes.iter().filter(may_come).cloned().collect();
    let transfer_syntax =
        choose(&offered, &rules.transfer_syntax_preferences, rules.accept_unknown_transfer_syntaxes)
            .ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)?;
    let (requestor_is_scp, options) = (false, QueryOptions::default());
    Ok(PresentationContext {
        id: proposed.id,
        abstract_syntax,
        transfer_syntax,
        service,
        requestor_is_scp,
        options,
    })
}

fn service_of(abstract_syntax: &SopClassUid, rules: &NegotiationRules) -> Option<Service> {
    let uid = abstract_syntax.as_str();
    if uid == uids::VERIFICATION {
        Some(Service::Verification)
    } else if let Some((model, operation)) = of_sop_class(uid) {
        Some(Service::QueryRetrieve(model, operation))
    } else if uid == uids::STORAGE_COMMITMENT_PUSH_MODEL {
        Some(Service::StorageCommitment)
    } else if uid == uids::MODALITY_WORKLIST_INFORMATION_MODEL_FIND {
        Some(Service::Worklist)
    } else if uid == uids::MODALITY_PERFORMED_PROCEDURE_STEP {
        Some(Service::PerformedStep)
    } else if !rules.sop_classes.is_empty() && !rules.sop_classes.contains(abstract_syntax) {
        None
    } else if is_storage_sop_class(uid) || (rules.accept_unknown_sop_classes && may_be_storage_sop_class(uid))
    {
        Some(Service::Storage)
    } else {
        None
    }
}

fn encode_answer(
    request: &AssociationRQ,
    presentation_contexts: Vec<PresentationContextResult>,
    extended: Vec<UserVariableItem>,
    rules: &NegotiationRules,
) -> Result<Vec<u8>, Refusal> {
    let mut user_variables = own_user_variables(rules.pdu_length_max_bytes);
    user_variables.extend(extended);
    if rules.confirms_identity {
        let confirmation = EMPTY_SERVER_RESPONSE.to_vec();
        user_variables.push(UserVariableItem::Unknown(USER_IDENTITY_ANSWER_ITEM, confirmation));
    }
    let answer = Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT_NAME.to_owned(),
        presentation_contexts,
        user_variables,
    });
    let mut bytes = Vec::with_capacity(8 * 1024);
    write_pdu(&mut bytes, &answer).or(Err(INVALID))?;
    Ok(bytes)
}

/// Maximum length and who we are (PS3.7 D.3.3.1 and D.3.3.2), for requests and answers.
pub fn own_user_variables(pdu_length_max_bytes: u32) -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(pdu_length_max_bytes),
        UserVariableItem::ImplementationClassUID(dicom_header::IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(dicom_header::IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

#[cfg(test)]
mod tests;
