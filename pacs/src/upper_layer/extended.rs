//! PS3.7 D.3.3.4 and D.3.3.5: SCP/SCU role selection and SOP class extended negotiation, as the acceptor answers them.

use std::collections::HashSet;

use dicom_ul::pdu::{AssociationRQ, RequestorRoles, UserVariableItem};

use super::negotiation::{PresentationContext, Service};
use crate::{query_retrieve::options::QueryOptions, transfer_syntaxes::trim_uid};

/// What is answered; what is agreed on is noted in the contexts. One item of each kind is allowed for a class: the first
/// counts, for the answer and for what is agreed on.
pub fn answer_extended(
    request: &AssociationRQ,
    contexts: &mut [PresentationContext],
) -> Vec<UserVariableItem> {
    let mut answered = Vec::new();
    let (mut with_role, mut with_options) = (HashSet::new(), HashSet::new());
    for item in &request.user_variables {
        let answer = match item {
            UserVariableItem::ScuScpRoleSelectionSubItem(uid, proposed)
                if with_role.insert(trim_uid(uid)) =>
            {
                answer_role(trim_uid(uid), *proposed, contexts)
            }
            UserVariableItem::SopClassExtendedNegotiationSubItem(uid, information)
                if with_options.insert(trim_uid(uid)) =>
            {
                answer_options(trim_uid(uid), information, contexts)
            }
            _ => None,
        };
        answered.extend(answer);
    }
    answered
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
        context.requestor_is_scp = scp;
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

#[cfg(test)]
mod tests {
    use model::{SopClassUid, TransferSyntaxUid, ae::AeOperation};

    use super::*;
    use crate::query_retrieve::information_model::InformationModel;

    const CR_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
    const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";

    fn context(id: u8, uid: &str, service: Service) -> PresentationContext {
        PresentationContext {
            id,
            abstract_syntax: SopClassUid::parse(uid).expect("a UID"),
            transfer_syntax: TransferSyntaxUid::parse("1.2.840.10008.1.2").expect("a UID"),
            service,
            requestor_is_scp: false,
            options: QueryOptions::default(),
        }
    }

    #[test]
    fn of_repeated_items_the_first_is_answered_and_agreed_on() {
        let role = |scu, scp| {
            UserVariableItem::ScuScpRoleSelectionSubItem(
                CR_IMAGE_STORAGE.to_owned(),
                RequestorRoles { scu, scp },
            )
        };
        let extended = |information: &[u8]| {
            UserVariableItem::SopClassExtendedNegotiationSubItem(STUDY_FIND.to_owned(), information.to_vec())
        };
        for (items, is_scp, relational) in [
            (vec![role(true, false), extended(&[0]), role(false, true), extended(&[1])], false, false),
            (vec![role(false, true), extended(&[1]), role(true, false), extended(&[0])], true, true),
        ] {
            let find = Service::QueryRetrieve(InformationModel::StudyRoot, AeOperation::Find);
            let mut contexts = [context(1, CR_IMAGE_STORAGE, Service::Storage), context(3, STUDY_FIND, find)];
            let request = AssociationRQ {
                protocol_version: 1,
                calling_ae_title: "A".to_owned(),
                called_ae_title: "B".to_owned(),
                application_context_name: String::new(),
                presentation_contexts: Vec::new(),
                user_variables: items.clone(),
            };
            assert_eq!(answer_extended(&request, &mut contexts), items[..2]);
            assert_eq!((contexts[0].requestor_is_scp, contexts[1].options.relational), (is_scp, relational));
        }
    }
}
