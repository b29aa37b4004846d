//! C-MOVE: to registered destinations only, byte for byte, with everything that fails counted.

use std::{net::TcpListener, time::Duration};

use database::AuditOutcome;
use tests::{
    operator::free_port,
    scu::{Reference, padded},
};

use super::*;

/// Registers a destination that is at this port.
fn destination(platform: &Platform, title: &str, port: u16) {
    platform.register_ae(title, &["--call-host", "127.0.0.1", "--call-port", &port.to_string()]);
}

fn move_study(platform: &Platform, to: &str, study: &str) -> (Vec<Message>, Message) {
    let mut dialogue = Dialogue::open(platform.dicom(), "MOVESCU", &[(STUDY_MOVE, IMPLICIT)], &[]);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, study.as_bytes())]);
    dialogue.write(&Dialogue::request(C_MOVE, STUDY_MOVE, Some(to), &keys));
    let ended = dialogue.responses();
    dialogue.release();
    ended
}

#[tokio::test]
async fn a_destination_that_does_not_take_it_as_stored_gets_it_converted() {
    use model::transfer_syntax::{DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS};
    let platform = platform(Options::default(), &[("MOVESCU", RETRIEVES)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start_plain(folder.path());
    destination(&platform, "STORESCP", receiver.address().port());
    for stored in [RLE_LOSSLESS, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] {
        let one = Synthetic { frames: 3, ..Synthetic::cr(stored, 24, 16) };
        store(&platform, &[one.clone().with_transfer_syntax(stored)]);
        let (_, last) = move_study(&platform, "STORESCP", &one.study_instance_uid);
        assert_eq!((last.status(), last.number(0x1021)), (0, Some(1)), "{stored}");
        let file = receiver.take().pop().expect("a file");
        assert_eq!(part10::head(&file).expect("a file").transfer_syntax_uid, EXPLICIT);
        let expected = one.with_transfer_syntax(EXPLICIT).data_set();
        assert!(part10::data_set(&file) == &*padded(&expected), "{stored} differs");
    }
}

/// A destination that takes one association at a time gets one at a time, however many ask for it.
#[tokio::test]
async fn a_destination_has_no_more_associations_of_ours_than_it_may() {
    let options = Options::default().with("MAXRAY_PACS__CALL__ASSOCIATIONS_PER_AE_MAX", "1");
    let source = platform(options, &[("MOVESCU", RETRIEVES)]).await;
    let target = Platform::start(Options::default()).await;
    target.register_ae("MAXRAY", &["--operation", "store", "--associations-max", "1"]);
    destination(&source, "TARGET", target.dicom().port());
    let studies: Vec<Vec<Synthetic>> =
        (0..4).map(|number| Synthetic::cr(&format!("P{number}"), 64, 64).series(20)).collect();
    store(&source, &studies.concat());
    let ended: Vec<Message> = std::thread::scope(|scope| {
        let moves: Vec<_> = studies
            .iter()
            .map(|study| scope.spawn(|| move_study(&source, "TARGET", &study[0].study_instance_uid).1))
            .collect();
        moves.into_iter().map(|one| one.join().expect("a move")).collect()
    });
    for last in ended {
        assert_eq!((last.status(), last.number(0x1021), last.number(0x1022)), (0, Some(20), Some(0)));
    }
    let reader = target.user("reader", "service").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), 80);
}

/// An association is rejected for the moment while another one has the only place there.
#[tokio::test]
async fn a_destination_that_is_full_for_a_moment_is_asked_again() {
    let source = platform(Options::default(), &[("MOVESCU", RETRIEVES)]).await;
    let target = Platform::start(Options::default()).await;
    target.register_ae("MAXRAY", &["--operation", "store", "--associations-max", "1"]);
    destination(&source, "TARGET", target.dicom().port());
    let series = Synthetic::cr("P1", 8, 8).series(2);
    store(&source, &series);
    let other = Dialogue::open(target.dicom(), "MAXRAY", &[(&series[0].sop_class_uid, EXPLICIT)], &[]);
    let last = std::thread::scope(|scope| {
        let moving = scope.spawn(|| move_study(&source, "TARGET", &series[0].study_instance_uid).1);
        while !target.log().contains("association rejected") {
            std::thread::sleep(Duration::from_millis(20));
            assert!(!moving.is_finished(), "nothing was rejected");
        }
        other.release();
        moving.join().expect("a move")
    });
    assert_eq!((last.status(), last.number(0x1021), last.number(0x1022)), (0, Some(2), Some(0)));
}

#[tokio::test]
async fn a_move_that_waits_for_its_destination_can_be_cancelled() {
    let options = Options::default().with("MAXRAY_PACS__CALL__ASSOCIATIONS_PER_AE_MAX", "1");
    let platform = platform(options, &[("MOVESCU", RETRIEVES)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start_busy(folder.path());
    destination(&platform, "STORESCP", receiver.address().port());
    let (long, short) = (Synthetic::cr("P1", 8, 8).series(4), Synthetic::cr("P2", 8, 8));
    store(&platform, &[&long[..], std::slice::from_ref(&short)].concat());
    let begin = |study: &str| {
        let mut dialogue = Dialogue::open(platform.dicom(), "MOVESCU", &[(STUDY_MOVE, IMPLICIT)], &[]);
        let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, study.as_bytes())]);
        dialogue.write(&Dialogue::request(C_MOVE, STUDY_MOVE, Some("STORESCP"), &keys));
        dialogue
    };
    let mut first = begin(&long[0].study_instance_uid);
    assert_eq!(first.message().status(), 0xff00, "it has the only place");
    let mut second = begin(&short.study_instance_uid);
    second.write(&Dialogue::cancel(1));
    let (_, last) = second.responses();
    assert_eq!((last.status(), last.number(0x1020), last.number(0x1021)), (0xfe00, Some(1), Some(0)));
    assert_eq!(first.responses().1.number(0x1021), Some(4));
    assert_eq!(receiver.take().len(), 4);
}

#[tokio::test]
async fn only_registered_destinations_that_answer_get_anything() {
    let platform = Platform::start(Options::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Reference::start(folder.path());
    let port = receiver.address().port();
    platform.register_ae("MOVESCU", RETRIEVES);
    platform.register_ae("NOWHERE", &[]);
    destination(&platform, "SILENT", free_port());
    let call = ["--call-host", "127.0.0.1", "--call-port", &port.to_string(), "--enabled", "false"];
    platform.register_ae("OFF", &call);
    let cr = Synthetic::cr("P1", 8, 8).series(5);
    store(&platform, &cr);
    let study = &cr[0].study_instance_uid;
    for unknown in ["STRANGER", "NOWHERE", "OFF", ""] {
        let (pending, last) = move_study(&platform, unknown, study);
        assert_eq!((pending.len(), last.status()), (0, 0xa801), "{unknown}");
    }
    // Nobody is there: every sub-operation fails, and none takes for ever.
    let (_, last) = move_study(&platform, "SILENT", study);
    assert_eq!((last.status(), last.number(0x1021), last.number(0x1022)), (0xa702, Some(0), Some(5)));
    assert_eq!(text(&last, 0x0008_0058).split('\\').count(), 5);
    assert_eq!(receiver.take().len(), 0);
    let told = platform.audit_records("retrieve_instances").await;
    let refused = told.iter().filter(|one| one.detail == "the move destination is not registered").count();
    assert_eq!(refused, 4, "{told:?}");
    // That it was asked for is no success: what came of it is told as well.
    let silent = told.iter().filter(|one| one.study_instance_uid == *study);
    let silent: Vec<_> = silent.map(|one| (one.outcome, one.detail.as_str())).collect();
    let ended = "C-MOVE to SILENT, 0 completed, 5 failed, 0 with a warning, 0 remaining";
    let asked = (AuditOutcome::Success, "C-MOVE to SILENT, asked for 5");
    assert_eq!(silent, [asked, (AuditOutcome::Failed, ended)]);
}

/// threats.md row 6: whatever a destination is called, and whoever is known at that address, the server connects to nobody.
#[tokio::test]
async fn a_move_to_who_is_not_registered_connects_to_nobody() {
    let mut platform = platform(Options::default(), &[("MOVESCU", RETRIEVES), ("NOWHERE", &[])]).await;
    let [forbidden, known] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [port, known_port] =
        [&forbidden, &known].map(|listener| listener.local_addr().expect("an address").port());
    destination(&platform, "KNOWN", known_port);
    let call = ["--call-host", "127.0.0.1", "--call-port", &port.to_string(), "--enabled", "false"];
    platform.register_ae("OFF", &call);
    let cr = Synthetic::cr("P1", 8, 8);
    store(&platform, std::slice::from_ref(&cr));
    platform.kill();
    // Every call of the system that makes a connection, whichever thread makes it.
    let calls = platform.scratch().join("connect");
    platform
        .restart_traced(&["--seccomp-bpf", "-e", "trace=connect", "-o", &calls.display().to_string()])
        .await;
    let connects = || {
        let text = std::fs::read_to_string(&calls).unwrap_or_default();
        text.lines().filter(|line| line.contains("connect(")).map(str::to_owned).collect::<Vec<_>>()
    };
    let at_start = connects();
    let address = format!("127.0.0.1:{port}");
    let unknown = ["STRANGER", "NOWHERE", "OFF", "known", "KNOWN1", "127.0.0.1", "localhost", &address];
    let elsewhere = ["", "10.0.0.1:104", "169.254.169.254", "[::1]:104", "*", "../KNOWN", "KNOWN;OFF"];
    for title in unknown.into_iter().chain(elsewhere) {
        let (pending, last) = move_study(&platform, title, &cr.study_instance_uid);
        assert_eq!((pending.len(), last.status()), (0, 0xa801), "{title}");
    }
    // It takes the connection and ends it: this one is there to be seen.
    let calling = std::thread::spawn(move || drop(known.accept()));
    let (_, last) = move_study(&platform, "KNOWN", &cr.study_instance_uid);
    assert_eq!((last.status(), last.number(0x1022)), (0xa702, Some(1)));
    calling.join().expect("a connection");
    let made = tests::wait::until("the connection to the one that is registered", async || {
        Some(connects()[at_start.len()..].to_vec()).filter(|made| !made.is_empty())
    });
    let made = made.await;
    let to_known = format!("htons({known_port})");
    assert!(made.iter().all(|line| line.contains(&to_known)), "{made:#?}");
    forbidden.set_nonblocking(true).expect("an option");
    let nobody = forbidden.accept().expect_err("somebody who is not called");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

/// Our own door as the destination: it refuses what it may not keep, and stops when it is told to.
#[tokio::test]
async fn sub_operations_are_counted_and_can_be_cancelled() {
    let source = Platform::start(Options::default()).await;
    let target = Platform::start(Options::default()).await;
    source.register_ae("MOVESCU", RETRIEVES);
    destination(&source, "TARGET", target.dicom().port());
    // It takes CR from us, and nothing else.
    let class = tests::synthetic::CR_IMAGE_STORAGE;
    target.register_ae("MAXRAY", &["--operation", "store", "--sop-class", class]);
    target.register_ae("FINDSCU", FINDS);
    let cr = Synthetic::cr("P1", 16, 16).series(40);
    let dx = Synthetic {
        study_instance_uid: cr[0].study_instance_uid.clone(),
        patient_name: cr[0].patient_name.clone(),
        ..Synthetic::dx("P1", 8, 8)
    };
    store(&source, &[cr.clone(), vec![dx.clone()]].concat());
    let study = &cr[0].study_instance_uid;

    let mut dialogue = Dialogue::open(source.dicom(), "MOVESCU", &[(STUDY_MOVE, IMPLICIT)], &[]);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, study.as_bytes())]);
    let request = Dialogue::request(C_MOVE, STUDY_MOVE, Some("TARGET"), &keys);
    dialogue.write(&[request, Dialogue::cancel(1)].concat());
    let (_, last) = dialogue.responses();
    assert_eq!(last.status(), 0xfe00);
    let done = last.number(0x1021).expect("a number");
    assert_eq!(done + last.number(0x1020).expect("a number") + last.number(0x1022).expect("a number"), 41);
    assert!(done < 40, "{done} after the cancel");
    dialogue.release();

    let (pending, last) = move_study(&source, "TARGET", study);
    assert_eq!((pending.len(), last.status()), (40, 0xb000));
    assert_eq!(
        [0x1020, 0x1021, 0x1022, 0x1023].map(|one| last.number(one)),
        [None, Some(40), Some(1), Some(0)]
    );
    assert_eq!(text(&last, 0x0008_0058), dx.sop_instance_uid);
    let there = find(&target, STUDY_FIND, &[(LEVEL, b"STUDY"), (0x0020_1208, b"")], &[]).0;
    assert_eq!(texts(&there, 0x0020_1208), ["40"]);
}

/// What breaks off costs an association each time, and says nothing of the destination.
#[tokio::test]
async fn instances_that_break_off_do_not_take_the_others_along() {
    let options = Options::default().with("MAXRAY_WORKER__PREVIEWS", "false");
    let source = platform(options, &[("MOVESCU", RETRIEVES)]).await;
    let target = Platform::start(Options::default()).await;
    destination(&source, "TARGET", target.dicom().port());
    let series = Synthetic::cr("P1", 1200, 1000).series(5);
    store(&source, &series[..4]);
    for path in source.stored_objects() {
        let mut object = source.read_object(&path);
        // Behind what is read before the command goes out.
        let at = object.len() - 200_000;
        object[at] ^= 1;
        source.write_object(&path, &object);
    }
    store(&source, &series[4..]);
    let (_, last) = move_study(&source, "TARGET", &series[0].study_instance_uid);
    assert_eq!((last.status(), last.number(0x1021), last.number(0x1022)), (0xb000, Some(1), Some(4)));
    let reader = target.user("reader", "service").await;
    assert_eq!(tests::qido::rows(&reader, "/instances").await.len(), 1);
}
