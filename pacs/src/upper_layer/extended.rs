//! PS3.7 D.3.3.4 and D.3.3.5: SCP/SCU role selection and SOP class extended negotiation, as the acceptor answers them.

use dicom_ul::pdu::{AssociationRQ, RequestorRoles, UserVariableItem};

use super::negotiation::{PresentationContext, Service};
use crate::{query_retrieve::options::QueryOptions, transfer_syntaxes::trim_uid};

/// What is answered; what is agreed on is noted in the contexts.
pub fn answer_extended(
    request: &AssociationRQ,
    contexts: &mut [PresentationContext],
) -> Vec<UserVariableItem> {
    let mut answered: Vec<UserVariableItem> = Vec::new();
    for item in &request.user_variables {
        let answer = match item {
            UserVariableItem::ScuScpRoleSelectionSubItem(uid, proposed) => {
                answer_role(trim_uid(uid), *proposed, contexts)
            }
            UserVariableItem::SopClassExtendedNegotiationSubItem(uid, information) => {
                answer_options(trim_uid(uid), information, contexts)
            }
            _ => None,
        };
        answered.extend(answer.filter(|answer| !answered.iter().any(|known| is_same(known, answer))));
    }
    answered
}

/// One answer for each class: the first counts.
fn is_same(known: &UserVariableItem, other: &UserVariableItem) -> bool {
    use UserVariableItem::{
        ScuScpRoleSelectionSubItem as Role, SopClassExtendedNegotiationSubItem as Extended,
    };
    match (known, other) {
        (Role(known, _), Role(other, _)) | (Extended(known, _), Extended(other, _)) => known == other,
        _ => false,
    }
}

/// The requestor may be provider of storage, for C-GET (PS3.4 C.5.3), and user of everything.
fn answer_role(
    uid: &str,
    proposed: RequestorRoles,
    contexts: &mut [PresentationContext],
) -> Option<UserVariableItem> {
    let mut answer = None;
    for context in contexts.iter_mut().filter(|context| context.abstract_syntax.as_str() == uid) {
        let scp = proposed.scp && context.service == Service::Storage;
        context.requestor_is_scp |= scp;
        let roles = RequestorRoles { scu: proposed.scu, scp };
        answer = Some(UserVariableItem::ScuScpRoleSelectionSubItem(uid.to_owned(), roles));
    }
    answer
}

fn answer_options(
    uid: &str,
    information: &[u8],
    contexts: &mut [PresentationContext],
) -> Option<UserVariableItem> {
    let mut answer = None;
    for context in contexts.iter_mut().filter(|context| context.abstract_syntax.as_str() == uid) {
        if let Service::QueryRetrieve(_, operation) = context.service {
            context.options = QueryOptions::read(operation, information);
            let granted = context.options.answer(information.len());
            answer = Some(UserVariableItem::SopClassExtendedNegotiationSubItem(uid.to_owned(), granted));
        }
    }
    answer
}
