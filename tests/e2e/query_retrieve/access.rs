//! Who may query and retrieve, and what of it: the rights of the AE, and the grants of the account it reads as.

use std::time::{Duration, Instant};

use tests::{scu::Dcmtk, wait};

use super::*;

// threats.md rows 1, 5
#[tokio::test]
async fn an_ae_does_what_it_is_registered_for_and_nothing_else() {
    let platform = platform(Options::default(), &[("ONLYGET", &["--operation", "get"])]).await;
    store(&platform, &[Synthetic::cr("P1", 8, 8)]);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, b"1.2.3")]);
    // One that nobody has registered may send from this machine, and no more.
    for (calling, refused) in [("ANYBODY", &[C_FIND, C_GET, C_MOVE][..]), ("ONLYGET", &[C_FIND, C_MOVE][..])]
    {
        for (class, field) in [(STUDY_FIND, C_FIND), (STUDY_GET, C_GET), (STUDY_MOVE, C_MOVE)] {
            let mut dialogue = Dialogue::open(platform.dicom(), calling, &[(class, IMPLICIT)], &[]);
            dialogue.write(&Dialogue::request(field, class, Some("ANYBODY"), &keys));
            let (found, last) = dialogue.responses();
            let expected = if refused.contains(&field) { 0x0124 } else { 0 };
            assert_eq!((found.len(), last.status()), (0, expected), "{calling} {field:04x}");
            dialogue.release();
        }
    }
    let refusals = platform.audit_records("use_operation").await;
    for (calling, operation) in [
        ("ANYBODY", "find"),
        ("ANYBODY", "get"),
        ("ANYBODY", "move"),
        ("ONLYGET", "find"),
        ("ONLYGET", "move"),
    ] {
        let is = |one: &&database::AuditRecord| one.actor.calling_ae == calling && one.detail == operation;
        assert_eq!(refusals.iter().filter(is).count(), 1, "{calling} {operation}");
    }
}

/// Any program on this machine can say the title of a workstation: it may send by that, and see nothing.
// threats.md rows 1, 5
#[tokio::test]
async fn a_title_that_is_registered_for_another_machine_shows_nothing_here() {
    let platform = Platform::start(Options::default()).await;
    let rights = ["--operation", "echo", "--operation", "store", "--operation", "find"];
    platform.ae(&[&["add", "FINDSCU", "192.0.2.7"][..], &rights].concat());
    let one = Synthetic::cr("P1", 8, 8);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one.dcm");
    std::fs::write(&path, one.part10()).expect("a file");
    let sent = Dcmtk::storescu(platform.dicom(), &["-aet", "FINDSCU"], &[path]);
    assert_eq!(sent.store_status(), Some(0), "{}", sent.text);
    let keys: &[(u32, &[u8])] = &[(LEVEL, b"STUDY"), (PATIENT_ID, b"")];
    let (found, last) = find(&platform, STUDY_FIND, keys, &[]);
    assert_eq!((found.len(), last.status()), (0, 0x0124));
    assert_eq!(platform.audit_records("use_operation").await.len(), 1);
    platform.ae(&["set", "FINDSCU", "192.0.2.7", "127.0.0.1"]);
    let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &[(STUDY_FIND, IMPLICIT)], &[]);
    eventually(&mut dialogue, keys, (1, 0));
    dialogue.release();
}

/// Asks again until the door has heard of a change.
fn eventually(dialogue: &mut Dialogue, keys: &[(u32, &[u8])], expected: (usize, u16)) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        dialogue.write(&Dialogue::request(C_FIND, STUDY_FIND, None, &identifier(keys)));
        let (found, last) = dialogue.responses();
        if (found.len(), last.status()) == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{} found, status {:04x}", found.len(), last.status());
        std::thread::sleep(Duration::from_millis(200));
    }
}

// threats.md row 5
#[tokio::test]
async fn what_is_taken_from_an_ae_is_taken_from_its_open_associations() {
    let platform = platform(Options::default(), &[("FINDSCU", RETRIEVES)]).await;
    let made = platform.command(&["user", "add", "--username", "wards", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    let one = Synthetic::cr("P1", 8, 8);
    store(&platform, std::slice::from_ref(&one));
    let keys: &[(u32, &[u8])] = &[(LEVEL, b"STUDY"), (STUDY_UID, one.study_instance_uid.as_bytes())];
    let contexts = [(STUDY_FIND, IMPLICIT)];
    let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &contexts, &[]);
    let mut getting = Dialogue::open(platform.dicom(), "FINDSCU", &[(STUDY_GET, IMPLICIT)], &[]);
    let mut verifying = Dialogue::open(platform.dicom(), "FINDSCU", &[(VERIFICATION, IMPLICIT)], &[]);
    let mut get = || {
        getting.write(&Dialogue::request(C_GET, STUDY_GET, None, &identifier(keys)));
        getting.responses().1.status()
    };
    let echo =
        [(0x0002, VERIFICATION.into()), (0x0100, vec![0x30, 0]), (0x0110, vec![1, 0]), (0x0800, vec![1, 1])];
    let mut verify = || {
        verifying.write(&Dialogue::encode(1, &echo, None));
        verifying.message().status()
    };
    assert_eq!(verify(), 0, "every AE that is let in may verify");
    eventually(&mut dialogue, keys, (1, 0));
    assert_eq!(get(), 0xa702, "nothing was negotiated for it to be sent in");
    // Nothing was granted to the account that it reads as from now on.
    platform.ae(&["set", "FINDSCU", "--reads-as", "wards"]);
    eventually(&mut dialogue, keys, (0, 0));
    assert_eq!(get(), 0);
    platform.ae(&["set", "FINDSCU", "--reads-everything"]);
    eventually(&mut dialogue, keys, (1, 0));
    platform.ae(&["set", "FINDSCU", "--enabled", "false"]);
    eventually(&mut dialogue, keys, (0, 0x0124));
    wait::until("no echo any more", async || (verify() == 0x0124).then_some(())).await;
    platform.ae(&["set", "FINDSCU", "--enabled", "true"]);
    eventually(&mut dialogue, keys, (1, 0));
    platform.ae(&["remove", "FINDSCU"]);
    eventually(&mut dialogue, keys, (0, 0x0124));
    assert_eq!(get(), 0x0124);
    let refusals = platform.audit_records("use_operation").await;
    let mut told: Vec<&str> = refusals.iter().map(|one| one.detail.as_str()).collect();
    // How often it was asked until it was let in again is a matter of time.
    told.dedup();
    assert_eq!(told, ["find", "echo", "find", "get"]);
}

/// A command names the SOP class of its context: what was agreed on for one holds for no other.
#[tokio::test]
async fn a_command_of_another_sop_class_than_its_context_is_refused() {
    let platform = platform(Options::default(), &[("FINDSCU", RETRIEVES)]).await;
    store(&platform, &[Synthetic::cr("P1", 8, 8)]);
    let keys = identifier(&[(LEVEL, b"STUDY"), (PATIENT_ID, b""), (STUDY_UID, b"1.2.3")]);
    for (field, context, named) in [
        (C_FIND, STUDY_FIND, PATIENT_FIND),
        (C_FIND, STUDY_FIND, STUDY_MOVE),
        (C_FIND, STUDY_GET, STUDY_FIND),
        (C_FIND, STUDY_GET, STUDY_GET),
        (C_GET, STUDY_GET, PATIENT_GET),
        (C_MOVE, STUDY_MOVE, STUDY_GET),
        (C_MOVE, STUDY_GET, STUDY_MOVE),
    ] {
        let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &[(context, IMPLICIT)], &[]);
        dialogue.write(&Dialogue::request(field, named, Some("ANYBODY"), &keys));
        let (found, last) = dialogue.responses();
        assert_eq!((found.len(), last.status()), (0, 0x0122), "{field:04x} {named} in {context}");
        dialogue.release();
    }
}

/// An AE that reads as an account sees what was granted to it: studies, counts and images.
#[tokio::test]
async fn an_ae_that_reads_as_an_account_sees_its_grants() {
    let platform = Platform::start(Options::default()).await;
    // Without a grant, as the command makes it.
    let made = platform.command(&["user", "add", "--username", "wards", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    platform.add_user("boss", "admin");
    let as_wards = [RETRIEVES, &["--reads-as", "wards"]].concat();
    platform.register_ae("FINDSCU", &as_wards);
    platform.register_ae("BOSS", &[FINDS, &["--reads-as", "boss"]].concat());
    let mine = Synthetic::cr("MINE", 8, 8);
    let older = Synthetic {
        patient_id: "MINE".into(),
        patient_name: mine.patient_name.clone(),
        ..Synthetic::cr("X", 8, 8)
    };
    let other = Synthetic::cr("OTHER", 8, 8);
    store(&platform, &[mine.clone(), older.clone(), other.clone()]);
    let patients = || {
        let keys: &[(u32, &[u8])] = &[(LEVEL, b"PATIENT"), (PATIENT_ID, b""), (0x0020_1200, b"")];
        let (found, last) = find(&platform, PATIENT_FIND, keys, &[]);
        assert_eq!(last.status(), 0);
        (texts(&found, PATIENT_ID), texts(&found, 0x0020_1200))
    };
    let get = |one: &Synthetic| {
        let mut dialogue = Dialogue::open(platform.dicom(), "FINDSCU", &[(STUDY_GET, IMPLICIT)], &[]);
        let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, one.study_instance_uid.as_bytes())]);
        dialogue.write(&Dialogue::request(C_GET, STUDY_GET, None, &keys));
        let last = dialogue.responses().1;
        dialogue.release();
        // Nothing is negotiated for it to be sent in: what is in reach fails, the rest is not there.
        (last.status(), last.number(0x1022))
    };
    let none: (Vec<String>, Vec<String>) = Default::default();
    assert_eq!(patients(), none);
    assert_eq!(get(&mine), (0, Some(0)));

    platform.grant("wards", &["--study", &mine.study_instance_uid]);
    assert_eq!(patients(), (vec!["MINE".into()], vec!["1".into()]), "the other study is not even counted");
    assert_eq!(get(&mine), (0xa702, Some(1)));
    platform.grant("wards", &["--patient", "MINE"]);
    assert_eq!(patients(), (vec!["MINE".into()], vec!["2".into()]));
    assert_eq!((get(&older), get(&other)), ((0xa702, Some(1)), (0, Some(0))));
    let studies = find(&platform, STUDY_FIND, &[(LEVEL, b"STUDY"), (PATIENT_ID, b"")], &[]).0;
    assert_eq!(texts(&studies, PATIENT_ID), ["MINE", "MINE"]);

    // An administrator reads no images, and neither does a machine that is one.
    let refused = Dcmtk::findscu(platform.dicom(), &["-aet", "BOSS", "-S", "-k", "0008,0052=STUDY"]);
    assert!(refused.text.contains("0x124"), "{}", refused.text);
    let told = platform.audit_records("retrieve_instances").await;
    let missed = told.iter().filter(|one| one.detail == "not there, or not in reach").count();
    assert_eq!(missed, 2, "{told:?}");
    assert!(told.iter().all(|one| one.actor.user_id.is_some() && one.actor.calling_ae == "FINDSCU"));
}
