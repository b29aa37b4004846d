//! Who may query and retrieve, and what of it: the rights of the AE, and the grants of the account it reads as.

use tests::scu::Dcmtk;

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
    let refusals = records(&platform, "use_operation").await;
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

/// An AE that reads as an account sees what was granted to it: studies, counts and images.
#[tokio::test]
async fn an_ae_that_reads_as_an_account_sees_its_grants() {
    let platform = Platform::start(Options::default()).await;
    // Without a grant, as the command makes it.
    let made = platform.command(&["user", "add", "--username", "wards", "--role", "viewer"]).output();
    assert!(made.expect("maxray runs").status.success());
    platform.add_user("boss", "admin");
    let as_wards = [RETRIEVES, &["--reads-as", "wards"]].concat();
    register(&platform, "FINDSCU", &as_wards);
    register(&platform, "BOSS", &[FINDS, &["--reads-as", "boss"]].concat());
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
    let told = records(&platform, "retrieve_instances").await;
    let missed = told.iter().filter(|one| one.detail == "not there, or not in reach").count();
    assert_eq!(missed, 2, "{told:?}");
    assert!(told.iter().all(|one| one.actor.user_id.is_some() && one.actor.calling_ae == "FINDSCU"));
}
