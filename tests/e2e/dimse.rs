//! The DICOM door as peers see it: what is negotiated, who is turned away, how associations end, and our own sender.

use std::time::{Duration, Instant};

use model::{
    AeTitle,
    transfer_syntax::{
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS,
    },
};
use pacs::{
    call::{CallConfig, Callee},
    store_scu::{FileOutcome, store_files},
};
use tests::{
    part10,
    platform::{Options, Platform},
    python,
    scu::{Association, AssociationError, Proposal, Reference},
    session::PASSWORD,
    synthetic::Synthetic,
};

const CR_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
/// A stop with nothing to wait for. An idle machine takes a few milliseconds; tests share theirs.
const STOP_MAX: Duration = Duration::from_secs(15);

fn associate(platform: &Platform, called: &str) -> Result<Association, AssociationError> {
    let proposals = [Association::verification(), Proposal::new(CR_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN)];
    Association::request(platform.dicom(), called, &proposals)
}

fn rejection(result: Result<Association, AssociationError>) -> (u8, u8, u8) {
    match result {
        Err(AssociationError::Rejected(result, source, reason)) => (result, source, reason),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("accepted"),
    }
}

/// Roles, asynchronous operations, user identity, extended negotiation, 128 contexts with every transfer syntax.
#[tokio::test]
async fn pynetdicom_negotiates_everything_it_can() {
    const SCRIPT: &str = r"
import sys
from pydicom import dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_role
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation, SOPClassExtendedNegotiation, UserIdentityNegotiation)
from pynetdicom.sop_class import UnifiedProcedureStepPush, Verification

port, data_set, passcode = int(sys.argv[1]), dcmread(sys.argv[2]), sys.argv[3].encode()
window = AsynchronousOperationsWindowNegotiation()
window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
user = UserIdentityNegotiation()
user.user_identity_type, user.primary_field, user.secondary_field = 2, b'canary-user', passcode
extended = SOPClassExtendedNegotiation()
extended.sop_class_uid, extended.service_class_application_information = data_set.SOPClassUID, b'\x02\x00\x03\x00'
ae = AE('PYNET')
ae.maximum_pdu_size = 0
ae.add_requested_context(Verification)
ae.add_requested_context(data_set.SOPClassUID, data_set.file_meta.TransferSyntaxUID)
ae.add_requested_context(UnifiedProcedureStepPush)
roles = build_role(data_set.SOPClassUID, scu_role=True, scp_role=True)
association = ae.associate('127.0.0.1', port, ext_neg=[roles, window, user, extended])
assert association.is_established
accepted = {context.abstract_syntax: context for context in association.accepted_contexts}
assert sorted(accepted) == sorted([Verification, data_set.SOPClassUID]), accepted
assert accepted[data_set.SOPClassUID].as_scu and accepted[data_set.SOPClassUID].as_scp
assert [context.result for context in association.rejected_contexts] == [3]
assert association.acceptor.implementation_version_name.startswith('MAXRAY')
assert association.send_c_echo().Status == 0
assert association.send_c_store(data_set).Status == 0
assert association.send_c_store(data_set).Status == 0, 'a duplicate'
del data_set.StudyInstanceUID
response = association.send_c_store(data_set)
assert response.Status == 0xC000 and response.ErrorComment, response
assert association.send_c_echo().Status == 0, 'the association goes on after a refusal'
association.release()
assert association.is_released

ae = AE('PYNET')
for context in AllStoragePresentationContexts[:128]:
    ae.add_requested_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
association = ae.associate('127.0.0.1', port)
assert association.is_established and len(association.accepted_contexts) == 128, association.rejected_contexts
association.release()
";
    let platform = Platform::start(Options::default()).await;
    let file = platform.scratch().join("negotiated.dcm");
    std::fs::write(&file, Synthetic::cr("NEGOTIATED", 64, 64).part10()).expect("a file");
    let port = platform.dicom().port().to_string();
    platform.add_user("canary-user", "viewer");
    python::run_text(SCRIPT, &[&port, &file.display().to_string(), PASSWORD]);
    let log = platform.log();
    assert!(!log.contains("canary") && !log.contains(PASSWORD), "user identity in the log");
}

#[tokio::test]
async fn who_is_not_meant_is_turned_away() {
    let only_ours = Options::default().with("MAXRAY_PACS__ACCEPT_ANY_CALLED_AE_TITLE", "false");
    let platform = Platform::start(only_ours).await;
    assert_eq!(rejection(associate(&platform, "OTHER")), (1, 1, 7));
    associate(&platform, "MAXRAY").expect("accepted").release().expect("released");

    let registered_only =
        Options::default().with("MAXRAY_PACS__ACCEPT_ANY_CALLING_AE_TITLE_FROM_LOOPBACK", "false");
    let platform = Platform::start(registered_only).await;
    assert_eq!(rejection(associate(&platform, "MAXRAY")), (1, 1, 3));
}

#[tokio::test]
async fn too_many_associations_are_turned_away_for_now() {
    let options = Options::default().with("MAXRAY_PACS__ASSOCIATIONS_PER_AE_MAX", "2");
    let platform = Platform::start(options).await;
    let first = associate(&platform, "MAXRAY").expect("accepted");
    let mut second = associate(&platform, "MAXRAY").expect("accepted");
    assert_eq!(rejection(associate(&platform, "MAXRAY")), (2, 3, 2));
    assert_eq!(second.echo().expect("answered"), 0, "the others are not disturbed");
    first.release().expect("released");
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = associate(&platform, "MAXRAY") {
        assert!(Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn other_content_under_a_known_uid_is_told_to_the_operator() {
    const COUNTER: &str = "maxray_instances_stored_total{door=\"dimse\",outcome=\"conflict\"}";
    let platform = Platform::start(Options::default()).await;
    let before = platform.metrics().await;
    assert!(before.contains(&format!("{COUNTER} 0")), "an increase needs a number before it");
    let first = Synthetic::cr("CANARY-PATIENT", 64, 64);
    let other = Synthetic { seed: first.seed + 1, ..first.clone() };
    let mut association = associate(&platform, "MAXRAY").expect("accepted");
    let proposal = Proposal::new(CR_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN);
    for instance in [&first, &first, &other] {
        let stored = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set());
        assert_eq!(stored.expect("answered"), 0);
    }
    association.release().expect("released");
    let log = platform.log();
    assert_eq!(log.matches("other content came under a known SOP Instance UID").count(), 1, "{log}");
    assert!(!log.contains("CANARY-PATIENT"), "a patient in the log");
    assert!(platform.metrics().await.contains(&format!("{COUNTER} 1")));
}

#[tokio::test]
async fn a_stop_aborts_idle_associations() {
    let mut platform = Platform::start(Options::default()).await;
    let mut idle = associate(&platform, "MAXRAY").expect("accepted");
    assert_eq!(idle.echo().expect("answered"), 0);
    // The peer has to close its end too, as machines do when they are aborted.
    let peer = std::thread::spawn(move || idle.receive(4));
    let begin = Instant::now();
    assert!(platform.stop().await.success(), "{}", platform.log());
    assert!(begin.elapsed() < STOP_MAX, "{:?}", begin.elapsed());
    let ended = peer.join().expect("the peer");
    assert!(matches!(ended, Err(AssociationError::Aborted(2, 0))), "{ended:?}");
}

/// What our own sender puts on the wire is what lies in the file, whoever receives it.
#[tokio::test]
async fn our_sender_sends_data_sets_as_they_are() {
    let platform = Platform::start(Options::default()).await;
    let dcmtk = Reference::start(&platform.scratch().join("received"));
    let syntaxes = [
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        RLE_LOSSLESS,
    ];
    let mut paths = Vec::new();
    let mut sent = Vec::new();
    for syntax in syntaxes {
        let file = Synthetic::cr("OURS", 300, 200).with_transfer_syntax(syntax).part10();
        let path = platform.scratch().join(format!("{syntax}.dcm"));
        std::fs::write(&path, &file).expect("a file");
        sent.push(even(part10::data_set(&file)));
        paths.push(path);
    }
    let nonsense = platform.scratch().join("nonsense");
    std::fs::write(&nonsense, b"no DICOM").expect("a file");
    paths.push(nonsense);
    let title = AeTitle::parse("OURS").expect("a title");
    for peer in [dcmtk.address(), platform.dicom()] {
        let (callee, call) = (Callee::at(title.clone(), peer), CallConfig::default());
        let outcomes = store_files(&call, &callee, &title, &paths).await.expect("an association");
        let stored: Vec<_> = outcomes.iter().map(FileOutcome::is_success).collect();
        assert_eq!(stored, [true, true, true, true, true, false], "{outcomes:?}");
    }
    let mut received: Vec<_> = dcmtk.take().iter().map(|file| part10::data_set(file).to_vec()).collect();
    received.sort();
    sent.sort();
    assert!(received == sent, "DCMTK received other bytes than the files hold");
}

/// A deflated data set is padded to an even length on the wire (PS3.5 A.5).
fn even(data_set: &[u8]) -> Vec<u8> {
    let mut bytes = data_set.to_vec();
    bytes.resize(data_set.len().next_multiple_of(2), 0);
    bytes
}
