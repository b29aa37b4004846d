//! A right that an AE, or the account that it reads as, has no more: what runs for it ends, too.

use std::time::Instant;

use tests::{
    scu::{Reference, provider_role},
    synthetic::CR_IMAGE_STORAGE,
};

use super::{
    identity_ends::{ASKED_AGAIN_AFTER, KNOWN_WITHIN, get_study},
    *,
};

// threats.md row 5
#[tokio::test]
async fn a_move_ends_in_the_middle_when_its_ae_is_removed() {
    let platform = platform(Options::default(), &[("MOVESCU", &["--operation", "move"])]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start_busy(folder.path());
    let port = receiver.address().port().to_string();
    platform.register_ae("STORESCP", &["--call-host", "127.0.0.1", "--call-port", &port]);
    let series = Synthetic::cr("PAT-1", 8, 8).series(10);
    store(&platform, &series);

    let mut dialogue = Dialogue::open(platform.dicom(), "MOVESCU", &[(STUDY_MOVE, IMPLICIT)], &[]);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, series[0].study_instance_uid.as_bytes())]);
    dialogue.write(&Dialogue::request(C_MOVE, STUDY_MOVE, Some("STORESCP"), &keys));
    assert_eq!(dialogue.message().status(), 0xff00, "the first has arrived");
    platform.ae(&["remove", "MOVESCU"]);
    let begun = Instant::now();
    let (_, last) = dialogue.responses();
    assert!(begun.elapsed() < KNOWN_WITHIN, "{:?}", begun.elapsed());
    let arrived = receiver.take().len();
    assert!((1..series.len()).contains(&arrived), "{arrived} instances");
    assert_eq!(last.number(0x1021), Some(arrived as u16), "completed");
    assert_eq!(last.number(0x1022), Some((series.len() - arrived) as u16), "the rest has failed");
    dialogue.release();
    let refused = platform.audit_records("use_operation").await;
    assert!(refused.iter().any(|one| one.detail == "move"), "{refused:?}");
}

// threats.md row 5
#[tokio::test]
async fn a_get_ends_in_the_middle_when_a_grant_of_its_account_is_taken_back() {
    let platform = Platform::start(Options::default()).await;
    let made = platform.operate(&["user", "add", "--username", "wards", "--role", "viewer"]);
    assert!(made.0, "{}", made.1);
    platform.grant("wards", &["--patient", "PAT-1"]);
    platform.register_ae("FINDSCU", &[RETRIEVES, &["--reads-as", "wards"]].concat());
    let series = Synthetic::cr("PAT-1", 8, 8).series(4);
    store(&platform, &series);
    let (_, listed) = platform.operate(&["grant", "list", "--username", "wards"]);
    let grant = listed.split('\t').next().expect("an id");

    let contexts = [(STUDY_FIND, IMPLICIT), (STUDY_GET, IMPLICIT), (CR_IMAGE_STORAGE, EXPLICIT)];
    let items = [provider_role(CR_IMAGE_STORAGE)];
    let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &contexts, &items);
    let (received, last) = get_study(&mut dialogue, &series[0].study_instance_uid, || {
        let taken_back = platform.operate(&["grant", "remove", grant]);
        assert!(taken_back.0, "{}", taken_back.1);
        std::thread::sleep(ASKED_AGAIN_AFTER);
    });
    assert_eq!((received, last.number(0x1021)), (1, Some(1)), "what was on its way");
    assert_eq!(last.number(0x1022), Some(3), "the rest has failed");
    dialogue.release();
}
