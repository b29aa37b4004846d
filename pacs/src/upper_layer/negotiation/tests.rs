//! What `negotiation` must hold.

use bytes::Bytes;
use dicom_ul::pdu::{MAXIMUM_PDU_SIZE, RequestorRoles, read_pdu};

use super::*;
use crate::upper_layer::user_identity::USER_IDENTITY_ITEM;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const UPS_PUSH: &str = "1.2.840.10008.5.1.4.34.6.1";
const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";

fn request(contexts: &[(&str, &[&str])], user_variables: Vec<UserVariableItem>) -> AssociationRQ {
    let presentation_contexts = contexts
        .iter()
        .zip((1..=255).step_by(2))
        .map(|((abstract_syntax, transfer_syntaxes), id)| PresentationContextProposed {
            id,
            abstract_syntax: (*abstract_syntax).to_owned(),
            transfer_syntaxes: transfer_syntaxes.iter().map(ToString::to_string).collect(),
        })
        .collect();
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "A".into(),
        called_ae_title: "B".into(),
        application_context_name: APPLICATION_CONTEXT_NAME.into(),
        presentation_contexts,
        user_variables,
    }
}

fn answer(request: &AssociationRQ, rules: &NegotiationRules) -> (Agreement, AssociationAC) {
    let (agreement, bytes) = negotiate(request, rules).expect("accepted");
    match read_pdu(&bytes[..], MAXIMUM_PDU_SIZE, false) {
        Ok(Some(Pdu::AssociationAC(answer))) => (agreement, answer),
        other => panic!("{other:?}"),
    }
}

fn parsed(user_variables: Vec<UserVariableItem>) -> Result<Request, Refusal> {
    let contexts: &[(&str, &[&str])] = &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN])];
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, &Pdu::AssociationRQ(request(contexts, user_variables))).expect("encoded");
    parse_request(Bytes::from(bytes).slice(6..))
}

fn identity(content: &[u8]) -> UserVariableItem {
    UserVariableItem::Unknown(USER_IDENTITY_ITEM, content.to_vec())
}

#[test]
fn identity_and_window_are_read_apart_and_unknown_items_are_passed_over() {
    let window = UserVariableItem::Unknown(0x53, vec![0, 9, 0, 9]);
    let unknown = UserVariableItem::Unknown(0x5a, vec![0]);
    let max_length = UserVariableItem::MaxLength(16_384);
    let sent = vec![identity(b"\x02\x01\x00\x04user\x00\x04pass"), max_length.clone(), window, unknown];
    let read = parsed(sent).expect("read");
    assert_eq!(read.association.user_variables, [max_length]);
    assert_eq!(read.operations_invoked, Some(9));
    let identity = read.user_identity.expect("an identity");
    assert!(identity.positive_response_requested);
    assert!(!format!("{identity:?}").contains("pass\""));
    assert!(parsed(Vec::new()).expect("read").user_identity.is_none());
}

// threats.md row 12: what is hostile is ended, not guessed at.
#[test]
fn a_broken_or_second_user_identity_breaks_the_request() {
    let whole = b"\x02\x00\x00\x04user\x00\x04pass";
    let twice = parsed(vec![identity(whole), identity(whole)]);
    assert_eq!(twice.err(), Some(INVALID));
    for length in 0..whole.len() {
        assert_eq!(parsed(vec![identity(&whole[..length])]).err(), Some(INVALID), "{length}");
    }
    assert_eq!(parsed(vec![identity(b"\x02\x00\xff\xffuser\x00\x04pass")]).err(), Some(INVALID));
}

#[test]
fn a_broken_or_second_window_breaks_the_request_and_one_is_answered() {
    let window = |bytes: &[u8]| UserVariableItem::Unknown(0x53, bytes.to_vec());
    assert_eq!(parsed(vec![window(&[0, 9, 0])]).err(), Some(INVALID));
    assert_eq!(parsed(vec![window(&[0, 9, 0, 1]), window(&[0, 9, 0, 1])]).err(), Some(INVALID));
    let contexts: &[(&str, &[&str])] = &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN])];
    let rules = NegotiationRules { operations_window: Some(4), ..NegotiationRules::default() };
    let (agreement, answered) = answer(&request(contexts, Vec::new()), &rules);
    assert!(answered.user_variables.contains(&window(&[0, 4, 0, 1])));
    assert_eq!(agreement.operations_max, 4);
}

#[test]
fn what_can_be_cancelled_is_outstanding_alone() {
    const MPPS: &str = uids::MODALITY_PERFORMED_PROCEDURE_STEP;
    const WORKLIST: &str = uids::MODALITY_WORKLIST_INFORMATION_MODEL_FIND;
    const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
    const MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
    let window = |agreed: u8| UserVariableItem::Unknown(0x53, vec![0, agreed, 0, 1]);
    let rules = NegotiationRules { operations_window: Some(4), ..NegotiationRules::default() };
    for (class, syntax, expected) in [
        (uids::VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN, 4),
        (MPPS, IMPLICIT_VR_LITTLE_ENDIAN, 4),
        (FIND, IMPLICIT_VR_LITTLE_ENDIAN, 1),
        (GET, IMPLICIT_VR_LITTLE_ENDIAN, 1),
        (MOVE, IMPLICIT_VR_LITTLE_ENDIAN, 1),
        (WORKLIST, IMPLICIT_VR_LITTLE_ENDIAN, 1),
        // Asked for, and not accepted.
        (FIND, JPEG_BASELINE, 4),
    ] {
        let contexts: &[(&str, &[&str])] = &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN]), (class, &[syntax])];
        let (agreement, answered) = answer(&request(contexts, Vec::new()), &rules);
        assert_eq!(u16::from(expected), agreement.operations_max, "{class}");
        assert!(answered.user_variables.contains(&window(expected)), "{class}");
    }
}

#[test]
fn a_proved_identity_is_confirmed_with_an_empty_response() {
    let contexts: &[(&str, &[&str])] = &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN])];
    let request = request(contexts, Vec::new());
    let confirmation = UserVariableItem::Unknown(0x59, vec![0, 0]);
    for confirms_identity in [false, true] {
        let rules = NegotiationRules { confirms_identity, ..NegotiationRules::default() };
        let (_, answer) = answer(&request, &rules);
        assert_eq!(answer.user_variables.contains(&confirmation), confirms_identity);
    }
}

#[test]
fn each_context_gets_its_own_result() {
    use PresentationContextResultReason::{
        AbstractSyntaxNotSupported as NoClass, Acceptance, TransferSyntaxesNotSupported as NoSyntax,
    };
    let request = request(
        &[
            (uids::VERIFICATION, &[IMPLICIT_VR_LITTLE_ENDIAN]),
            (CT, &[IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE]),
            (CT, &["1.2.3"]),
            (UPS_PUSH, &[IMPLICIT_VR_LITTLE_ENDIAN]),
            ("1.2.3.4", &[IMPLICIT_VR_LITTLE_ENDIAN]),
            ("../x", &[IMPLICIT_VR_LITTLE_ENDIAN]),
            (CT, &[]),
        ],
        vec![UserVariableItem::MaxLength(0)],
    );
    let rules = NegotiationRules { pdu_length_max_bytes: 131_072, ..NegotiationRules::default() };
    let (agreement, answer) = answer(&request, &rules);
    let results: Vec<_> = answer.presentation_contexts.iter().map(|result| result.reason.clone()).collect();
    assert_eq!(results, [Acceptance, Acceptance, NoSyntax, NoClass, NoClass, NoClass, NoSyntax]);
    assert_eq!(answer.presentation_contexts[1].transfer_syntax, JPEG_BASELINE);
    assert_eq!(agreement.contexts.iter().map(|context| context.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(agreement.peer_pdu_length_max, 0);
    let ours = dicom_header::IMPLEMENTATION_CLASS_UID.to_owned();
    assert!(answer.user_variables.contains(&UserVariableItem::ImplementationClassUID(ours)));
    assert!(answer.user_variables.contains(&UserVariableItem::MaxLength(131_072)));
}

#[test]
fn unknown_classes_and_syntaxes_when_configured() {
    let request = request(&[("1.2.3.4", &["1.2.3"]), (UPS_PUSH, &[IMPLICIT_VR_LITTLE_ENDIAN])], Vec::new());
    let rules = NegotiationRules {
        accept_unknown_sop_classes: true,
        accept_unknown_transfer_syntaxes: true,
        ..NegotiationRules::default()
    };
    let (agreement, _) = answer(&request, &rules);
    assert_eq!(agreement.contexts.len(), 1);
    assert_eq!(agreement.contexts[0].abstract_syntax.as_str(), "1.2.3.4");
}

// threats.md row 5
#[test]
fn a_peer_may_be_held_to_few_classes_and_syntaxes() {
    let contexts: &[(&str, &[&str])] = &[
        (uids::VERIFICATION, &[IMPLICIT_VR_LITTLE_ENDIAN]),
        (CT, &[IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE]),
        (CT, &[IMPLICIT_VR_LITTLE_ENDIAN]),
        (uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE, &[JPEG_BASELINE]),
    ];
    let rules = NegotiationRules {
        sop_classes: vec![SopClassUid::parse(CT).expect("a UID")],
        transfer_syntaxes: vec![TransferSyntaxUid::parse(JPEG_BASELINE).expect("a UID")],
        ..NegotiationRules::default()
    };
    let (agreement, _) = answer(&request(contexts, Vec::new()), &rules);
    let accepted: Vec<_> =
        agreement.contexts.iter().map(|one| (one.id, one.transfer_syntax.as_str())).collect();
    assert_eq!(accepted, [(1, IMPLICIT_VR_LITTLE_ENDIAN), (3, JPEG_BASELINE)]);
}

// PS3.4 C.5.3: whoever gets instances by C-GET is provider of storage.
#[test]
fn the_requestor_may_be_user_and_for_storage_provider_too() {
    let role = |uid: &str, scu, scp| {
        UserVariableItem::ScuScpRoleSelectionSubItem(uid.to_owned(), RequestorRoles { scu, scp })
    };
    let identity = UserVariableItem::Unknown(0x53, vec![0, 9, 0, 9]);
    let request = request(
        &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN]), (FIND, &[IMPLICIT_VR_LITTLE_ENDIAN])],
        vec![role(CT, true, true), role(FIND, true, true), role(CT, true, false), identity],
    );
    let (agreement, answer) = answer(&request, &NegotiationRules::default());
    let roles: Vec<_> = answer
        .user_variables
        .iter()
        .filter(|item| matches!(item, UserVariableItem::ScuScpRoleSelectionSubItem(..)))
        .collect();
    assert_eq!(roles, [&role(CT, true, true), &role(FIND, true, false)]);
    let providers: Vec<bool> = agreement.contexts.iter().map(|context| context.requestor_is_scp).collect();
    assert_eq!(providers, [true, false]);
    assert!(!answer.user_variables.iter().any(|item| matches!(item, UserVariableItem::Unknown(..))));
}

#[test]
fn queries_are_agreed_on_in_syntaxes_that_we_write_and_with_what_we_know() {
    let extended = |uid: &str, information: &[u8]| {
        UserVariableItem::SopClassExtendedNegotiationSubItem(uid.to_owned(), information.to_vec())
    };
    let rules = NegotiationRules {
        sop_classes: vec![SopClassUid::parse(CT).expect("a UID")],
        transfer_syntaxes: vec![TransferSyntaxUid::parse(JPEG_BASELINE).expect("a UID")],
        ..NegotiationRules::default()
    };
    let contexts: &[(&str, &[&str])] = &[
        (FIND, &[JPEG_BASELINE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN]),
        (FIND, &[JPEG_BASELINE]),
        (CT, &[JPEG_BASELINE]),
    ];
    let asked = vec![extended(FIND, &[1, 1, 0, 1]), extended(CT, &[2, 0, 3, 0])];
    let (agreement, answer) = answer(&request(contexts, asked), &rules);
    let accepted: Vec<_> =
        agreement.contexts.iter().map(|one| (one.id, one.transfer_syntax.as_str())).collect();
    assert_eq!(accepted, [(1, EXPLICIT_VR_LITTLE_ENDIAN), (5, JPEG_BASELINE)]);
    let options = agreement.contexts[0].options;
    assert!(options.relational && options.date_time && !options.fuzzy);
    assert!(answer.user_variables.contains(&extended(FIND, &[1, 1, 0, 0])));
    assert!(!answer.user_variables.contains(&extended(CT, &[2, 0, 3, 0])));
}

#[test]
fn as_many_contexts_as_there_are_ids() {
    let contexts = vec![(CT, &[IMPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE][..]); PRESENTATION_CONTEXTS_MAX];
    let (agreement, _) = answer(&request(&contexts, Vec::new()), &NegotiationRules::default());
    assert_eq!(agreement.contexts.len(), PRESENTATION_CONTEXTS_MAX);
}
