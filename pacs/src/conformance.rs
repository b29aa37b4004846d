//! The tables of `docs/conformance-statement.md` and of the documents of the services, made from what the door really agrees
//! to and answers: a test fails when one differs.

mod statuses;
mod transfer_syntaxes;

use std::fmt::Write as _;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{AssociationRQ, PresentationContextProposed, UserVariableItem};
use model::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

use crate::{
    PacsConfig,
    query_retrieve::information_model::SOP_CLASSES as QUERY_RETRIEVE,
    storage_sop_classes::{CURRENT, RETIRED},
    upper_layer::{
        negotiation::{APPLICATION_CONTEXT_NAME, PRESENTATION_CONTEXTS_MAX, negotiate},
        pdu::Rejection,
    },
};

const STATEMENT: &str = include_str!("../../docs/conformance-statement.md");

/// SOP classes beside storage that MaxRay asks for, too: `maxray echo`, `maxray query`, notifications.
const ASKED_FOR: &[&str] = &[
    uids::VERIFICATION,
    uids::INSTANCE_AVAILABILITY_NOTIFICATION,
    uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND,
];
/// Those of them that it does not provide.
const USED_ALONE: &[&str] = &[uids::INSTANCE_AVAILABILITY_NOTIFICATION];

/// The context is agreed on when nothing but its class and its transfer syntaxes speaks for it.
fn is_taken(sop_class_uid: &str, transfer_syntax: &str) -> bool {
    let request = AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "READER".to_owned(),
        called_ae_title: "MAXRAY".to_owned(),
        application_context_name: APPLICATION_CONTEXT_NAME.to_owned(),
        presentation_contexts: vec![PresentationContextProposed {
            id: 1,
            abstract_syntax: sop_class_uid.to_owned(),
            transfer_syntaxes: vec![transfer_syntax.to_owned()],
        }],
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    };
    let rules = PacsConfig::default().negotiation_rules();
    negotiate(&request, &rules).is_ok_and(|(agreement, _)| agreement.contexts.len() == 1)
}

/// The rows of the table below a heading, cut into cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = STATEMENT.split_once(heading).unwrap_or_else(|| panic!("no heading {heading}"));
    let rows = below
        .lines()
        .skip_while(|line| !line.starts_with("|--"))
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// Every class beside storage: UID, asked for.
fn services() -> Vec<(&'static str, bool)> {
    let single = [
        uids::VERIFICATION,
        uids::STORAGE_COMMITMENT_PUSH_MODEL,
        uids::MODALITY_WORKLIST_INFORMATION_MODEL_FIND,
        uids::MODALITY_PERFORMED_PROCEDURE_STEP,
        uids::INSTANCE_AVAILABILITY_NOTIFICATION,
    ];
    let all = single.into_iter().chain(QUERY_RETRIEVE.iter().map(|(uid, ..)| *uid));
    all.map(|uid| (uid, ASKED_FOR.contains(&uid))).collect()
}

/// Those of them that are provided.
fn provided() -> impl Iterator<Item = &'static str> {
    services().into_iter().map(|(uid, _)| uid).filter(|uid| !USED_ALONE.contains(uid))
}

fn storage() -> Vec<&'static str> {
    CURRENT.iter().chain(RETIRED).copied().collect()
}

fn association() -> String {
    let config = PacsConfig::default();
    let seconds = |milliseconds: u64| format!("{} s", milliseconds / 1000);
    let rows = [
        ("Application Context Name", APPLICATION_CONTEXT_NAME.to_owned()),
        ("Implementation Class UID", dicom_header::IMPLEMENTATION_CLASS_UID.to_owned()),
        ("Implementation Version Name", dicom_header::IMPLEMENTATION_VERSION_NAME.to_owned()),
        ("AE title (`pacs.ae_title`)", config.ae_title.to_string()),
        ("Port (`pacs.listen`)", config.listen.port().to_string()),
        (
            "Longest PDU that is taken, bytes (`pacs.pdu_length_max_bytes`)",
            config.pdu_length_max_bytes.to_string(),
        ),
        ("Presentation contexts of one request, at most", PRESENTATION_CONTEXTS_MAX.to_string()),
        ("Associations at once (`pacs.associations_max`)", config.associations_max.to_string()),
        ("... of one AE title (`pacs.associations_per_ae_max`)", config.associations_per_ae_max.to_string()),
        (
            "... of one address (`pacs.associations_per_address_max`)",
            config.associations_per_address_max.to_string(),
        ),
        (
            "Operations outstanding at once on an association that asks for more than one (`pacs.operations_max`)",
            config.operations_max.to_string(),
        ),
        ("ARTIM time-out (`pacs.artim_timeout_ms`)", seconds(config.artim_timeout_ms)),
        (
            "Time without a message (`pacs.association_idle_timeout_ms`)",
            seconds(config.association_idle_timeout_ms),
        ),
        (
            "Least rate inside of a message, bytes/s (`pacs.bytes_per_second_min`)",
            config.bytes_per_second_min.to_string(),
        ),
        (
            "Instances of one retrieval, at most (`pacs.retrieve_instances_max`)",
            config.retrieve_instances_max.to_string(),
        ),
    ];
    let mut table = "| parameter | default |\n|---|---|\n".to_owned();
    for (parameter, value) in rows {
        let _ = writeln!(table, "| {parameter} | {value} |");
    }
    table
}

fn rejections() -> String {
    let rows = [
        (Rejection::NoReasonGiven, "no presentation context is proposed"),
        (Rejection::ApplicationContextNameNotSupported, "another application context than DICOM's"),
        (
            Rejection::CallingAeTitleNotRecognized,
            "the calling AE is not registered, or not for this address or certificate",
        ),
        (
            Rejection::CalledAeTitleNotRecognized,
            "another AE title is called, and `pacs.accept_any_called_ae_title` is off",
        ),
        (
            Rejection::UserIdentityNotProved,
            "the user identity is not proved, or came in the clear from another machine",
        ),
        (Rejection::ProtocolVersionNotSupported, "bit 0 of the protocol version is not set"),
        (
            Rejection::UserIdentityTriedTooOften,
            "too many user identities under that name or from that address were not proved",
        ),
        (
            Rejection::TemporaryCongestion,
            "the server stops, or the registry or the audit trail cannot be reached now",
        ),
        (Rejection::LocalLimitExceeded, "too many associations: in all, of the AE title, or of the address"),
    ];
    let mut table = "| result, source, reason | when |\n|---|---|\n".to_owned();
    for (rejection, when) in rows {
        let [result, source, reason] = rejection.codes();
        let _ = writeln!(table, "| {result}, {source}, {reason} | {when} |");
    }
    table
}

#[test]
fn the_statement_has_the_tables_of_the_code() {
    for (name, table) in [("association", association()), ("rejections", rejections())] {
        assert!(
            STATEMENT.contains(&table),
            "put the table of {name} into docs/conformance-statement.md:\n\n{table}"
        );
    }
}

#[test]
fn the_statement_names_every_sop_class() {
    let stated: Vec<_> = table("Network services:").iter().map(|row| row[1..].to_vec()).collect();
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let served = services()
        .into_iter()
        .map(|(uid, asked_for)| vec![uid.to_owned(), word(!USED_ALONE.contains(&uid)), word(asked_for)]);
    assert_eq!(stated, served.collect::<Vec<_>>());
    let stated: Vec<_> = table("##### 4.2.1.2 Storage").into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(stated, storage());
}

#[test]
fn everything_in_the_tables_is_agreed_on() {
    for uid in storage().into_iter().chain(provided()) {
        for transfer_syntax in [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN] {
            assert!(is_taken(uid, transfer_syntax), "{uid} in {transfer_syntax}");
        }
    }
    for uid in USED_ALONE.iter().copied().chain([
        uids::BASIC_GRAYSCALE_PRINT_MANAGEMENT_META,
        uids::UNIFIED_PROCEDURE_STEP_PUSH,
        "1.2.3",
    ]) {
        assert!(!is_taken(uid, EXPLICIT_VR_LITTLE_ENDIAN), "{uid}");
    }
}
