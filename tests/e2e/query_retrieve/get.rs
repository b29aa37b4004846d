//! C-GET: instances come back as they were sent, and what cannot be sent is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use database::AuditOutcome;
use tests::scu::{Context, Dcmtk, padded, provider_role, send_files};

use super::*;

/// A small object has been read by then, also when the machine is busy.
const LONG_ENOUGH_TO_READ: Duration = Duration::from_secs(3);

/// Instances by UID, and the last response.
pub(super) fn get(
    dialogue: &mut Dialogue,
    keys: &[(u32, &[u8])],
    statuses: impl Fn(usize) -> u16,
) -> (BTreeMap<String, Vec<u8>>, Vec<Message>, Message) {
    dialogue.write(&Dialogue::request(C_GET, STUDY_GET, None, &identifier(keys)));
    let (mut received, mut pending) = (BTreeMap::new(), Vec::new());
    loop {
        let message = dialogue.message();
        if message.number(0x0100) == Some(0x0001) {
            dialogue.answer_store(&message, statuses(received.len()));
            let uid = message.value(0x1000).expect("an instance");
            let uid = String::from_utf8_lossy(uid).trim_end_matches('\0').to_owned();
            received.insert(uid, message.data_set.expect("a data set"));
        } else if matches!(message.status(), 0xff00) {
            pending.push(message);
        } else {
            return (received, pending, message);
        }
    }
}

/// An association of an AE that takes instances in these contexts.
pub(super) fn open(platform: &Platform, calling: &str, storage: &[Context<'_>]) -> Dialogue {
    let contexts = [&[(STUDY_GET, IMPLICIT)], storage].concat();
    let classes: BTreeSet<&str> = storage.iter().map(|(class, _)| *class).collect();
    let roles: Vec<(u8, Vec<u8>)> = classes.into_iter().map(provider_role).collect();
    Dialogue::open(platform.dicom(), calling, &contexts, &roles)
}

/// Nobody waits for the store between two instances: the second one still comes when its object has gone meanwhile, and the
/// third does not.
#[tokio::test]
async fn the_next_instance_is_read_while_an_answer_is_awaited() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let series = Synthetic::cr("P1", 8, 8).series(3);
    store(&platform, &series);
    let mut dialogue = open(&platform, "GETSCU", &[(&series[0].sop_class_uid, EXPLICIT)]);
    let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, series[0].study_instance_uid.as_bytes())];
    dialogue.write(&Dialogue::request(C_GET, STUDY_GET, None, &identifier(&keys)));
    let first = dialogue.message();
    tokio::time::sleep(LONG_ENOUGH_TO_READ).await;
    for object in platform.stored_objects() {
        platform.remove_object(&object);
    }
    dialogue.answer_store(&first, 0);
    assert_eq!(dialogue.message().status(), 0xff00);
    let second = dialogue.message();
    let data_set = series[1].data_set();
    assert!(second.data_set.as_deref() == Some(&*padded(&data_set)), "not what was sent");
    dialogue.answer_store(&second, 0);
    let (_, last) = dialogue.responses();
    assert_eq!((last.status(), last.number(0x1021), last.number(0x1022)), (0xb000, Some(2), Some(1)));
    dialogue.release();
}

#[tokio::test]
async fn dcmtk_gets_studies_series_and_instances() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let first = Synthetic::cr("P1", 32, 32).series(3);
    let second = Synthetic { series_instance_uid: tests::synthetic::new_uid(), ..first[2].next() };
    let all = [first.clone(), vec![second.clone()]].concat();
    store(&platform, &all);
    let (study, series) = (&first[0].study_instance_uid, &first[0].series_instance_uid);
    let key = |tag: &str, value: &str| format!("{tag}={value}");
    let (of_study, of_series) = (key("0020,000d", study), key("0020,000e", series));
    let of_instances =
        key("0008,0018", &format!("{}\\{}", first[0].sop_instance_uid, first[2].sop_instance_uid));
    for (level, keys, expected) in [
        ("STUDY", vec![&of_study], vec![0, 1, 2, 3]),
        ("SERIES", vec![&of_study, &of_series], vec![0, 1, 2]),
        ("IMAGE", vec![&of_study, &of_series, &of_instances], vec![0, 2]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().display().to_string();
        let level = key("0008,0052", level);
        let mut arguments = vec!["-S", "-od", &directory, "-k", &level];
        for key in keys {
            arguments.extend(["-k", key.as_str()]);
        }
        let got = Dcmtk::getscu(platform.dicom(), &arguments);
        assert!(got.success, "{}", got.text);
        let received = data_sets(files_in(folder.path()));
        let wanted = data_sets(expected.iter().map(|index: &usize| all[*index].part10()));
        assert!(received == wanted, "{level}: {:?}", received.keys());
    }
    let told = platform.audit_records("retrieve_instances").await;
    assert_eq!(told.len(), 6, "one before the first byte, and one of the end");
    assert!(told.iter().all(|one| one.study_instance_uid == *study && one.actor.calling_ae == "GETSCU"));
    assert_eq!(told[0].detail, "C-GET, asked for 4");
    assert_eq!(told[1].detail, "C-GET, 4 completed, 0 failed, 0 with a warning, 0 remaining");
}

#[tokio::test]
async fn what_the_receiver_does_not_take_is_counted_and_listed() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let cr = Synthetic::cr("P1", 8, 8).series(3);
    let dx = Synthetic {
        study_instance_uid: cr[0].study_instance_uid.clone(),
        patient_name: cr[0].patient_name.clone(),
        ..Synthetic::dx("P1", 8, 8)
    };
    store(&platform, &[cr.clone(), vec![dx.clone()]].concat());
    let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, cr[0].study_instance_uid.as_bytes())];

    // DX has no context; the receiver refuses the second CR and complains about the third.
    let mut dialogue = open(&platform, "GETSCU", &[(&cr[0].sop_class_uid, EXPLICIT)]);
    let (received, pending, last) = get(&mut dialogue, &keys, |index| [0, 0xa700, 0xb007][index]);
    assert_eq!((received.len(), pending.len(), last.status()), (3, 3, 0xb000));
    let counts = |message: &Message| [0x1020, 0x1021, 0x1022, 0x1023].map(|element| message.number(element));
    assert_eq!(counts(&last), [None, Some(1), Some(2), Some(1)]);
    assert_eq!(pending.iter().map(|one| one.number(0x1020)).collect::<Vec<_>>(), [Some(3), Some(2), Some(1)]);
    let failed: BTreeSet<String> = text(&last, 0x0008_0058).split('\\').map(str::to_owned).collect();
    let refused = received.keys().filter(|uid| failed.contains(*uid)).count();
    assert!(failed.contains(&dx.sop_instance_uid) && failed.len() == 2 && refused == 1, "{failed:?}");

    // Nothing can be sent at all.
    let mut nothing = open(&platform, "GETSCU", &[]);
    let (received, _, last) = get(&mut nothing, &keys, |_| 0);
    assert_eq!((received.len(), last.status(), last.number(0x1022)), (0, 0xa702, Some(4)));
    // Without the role a context for storage is for sending to us.
    let contexts = [(STUDY_GET, IMPLICIT), (cr[0].sop_class_uid.as_str(), EXPLICIT)];
    let mut user = Dialogue::open(platform.dicom(), "GETSCU", &contexts, &[]);
    assert_eq!(get(&mut user, &keys, |_| 0).2.status(), 0xa702);
    // A study that is not there is no failure: nothing matches.
    let absent = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, &b"1.2.3"[..])];
    let (_, _, last) = get(&mut dialogue, &absent, |_| 0);
    assert_eq!((last.status(), counts(&last)), (0, [None, Some(0), Some(0), Some(0)]));
    // Everything is named, or nothing is sent.
    for keys in [&[(LEVEL, &b"STUDY"[..])][..], &[(LEVEL, b"STUDY"), (STUDY_UID, b"*")]] {
        assert_eq!(get(&mut dialogue, keys, |_| 0).2.status(), 0xa900);
    }
}

#[tokio::test]
async fn a_retrieval_ends_between_two_instances_when_it_is_cancelled() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let cr = Synthetic::cr("P1", 64, 64).series(20);
    store(&platform, &cr);
    let keys = identifier(&[(LEVEL, b"STUDY"), (STUDY_UID, cr[0].study_instance_uid.as_bytes())]);
    let mut dialogue = open(&platform, "GETSCU", &[(&cr[0].sop_class_uid, EXPLICIT)]);
    dialogue.write(&Dialogue::request(C_GET, STUDY_GET, None, &keys));
    let mut received = 0;
    let last = loop {
        let message = dialogue.message();
        if message.number(0x0100) == Some(0x0001) {
            received += 1;
            if received == 3 {
                dialogue.write(&Dialogue::cancel(1));
            }
            dialogue.answer_store(&message, 0);
        } else if message.status() != 0xff00 {
            break message;
        }
    };
    assert_eq!((received, last.status()), (3, 0xfe00));
    assert_eq!((last.number(0x1020), last.number(0x1021)), (Some(17), Some(3)));
    dialogue.release();

    // Who goes away in the middle is not waited for, and others are served.
    let mut gone = open(&platform, "GETSCU", &[(&cr[0].sop_class_uid, EXPLICIT)]);
    gone.write(&Dialogue::request(C_GET, STUDY_GET, None, &keys));
    assert_eq!(gone.message().number(0x0100), Some(0x0001));
    drop(gone);
    let mut dialogue = open(&platform, "GETSCU", &[(&cr[0].sop_class_uid, EXPLICIT)]);
    let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, cr[0].study_instance_uid.as_bytes())];
    assert_eq!(get(&mut dialogue, &keys, |_| 0).0.len(), 20);
    let told = platform.audit_records("retrieve_instances").await;
    let told: Vec<_> = told.iter().map(|one| (one.outcome, one.detail.as_str())).collect();
    for expected in [
        (AuditOutcome::Success, "C-GET, 3 completed, 0 failed, 0 with a warning, 17 remaining, cancelled"),
        (AuditOutcome::Failed, "C-GET, 0 completed, 0 failed, 0 with a warning, 20 remaining, broken off"),
    ] {
        assert!(told.contains(&expected), "{told:?}");
    }
}

/// One Patient ID of two issuers is two patients, and nobody gets the other's images.
#[tokio::test]
async fn a_patient_is_named_with_the_issuer_where_the_id_is_of_several() {
    const ISSUER: u32 = 0x0010_0021;
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let of =
        |issuer: &str| Synthetic { issuer_of_patient_id: issuer.to_owned(), ..Synthetic::cr("P1", 8, 8) };
    let (north, south, alone) = (of("NORTH"), of("SOUTH"), Synthetic::cr("P2", 8, 8));
    store(&platform, &[north.clone(), south.clone(), alone.clone()]);
    // Nothing is negotiated for it to be sent in: what would be sent is listed as failed.
    let mut dialogue = Dialogue::open(platform.dicom(), "GETSCU", &[(PATIENT_GET, IMPLICIT)], &[]);
    let mut ask = |keys: &[(u32, &[u8])]| {
        dialogue.write(&Dialogue::request(C_GET, PATIENT_GET, None, &identifier(keys)));
        let last = dialogue.responses().1;
        (last.status(), text(&last, 0x0008_0058), offending(&last))
    };
    let patient = |id: &'static [u8]| (PATIENT_ID, id);
    let level = (LEVEL, &b"PATIENT"[..]);
    assert_eq!(ask(&[level, patient(b"P1")]), (0xa900, String::new(), Some(ISSUER)));
    for (issuer, expected) in [("NORTH", &north), ("SOUTH", &south)] {
        let found = ask(&[level, patient(b"P1"), (ISSUER, issuer.as_bytes())]);
        assert_eq!(found, (0xa702, expected.sop_instance_uid.clone(), None));
    }
    for issuer in [&b"EAST"[..], b"north"] {
        assert_eq!(ask(&[level, patient(b"P1"), (ISSUER, issuer)]), (0, String::new(), None));
    }
    let found = ask(&[level, patient(b"P2"), (ISSUER, b"")]);
    assert_eq!(found, (0xa702, alone.sop_instance_uid, None));
    let study = [(LEVEL, &b"STUDY"[..]), patient(b"P1"), (STUDY_UID, south.study_instance_uid.as_bytes())];
    assert_eq!(ask(&study), (0xa702, south.sop_instance_uid, None), "a UID is of one study");
}

#[tokio::test]
async fn more_than_one_retrieval_may_have_is_refused_before_anything_is_sent() {
    let options = Options::default().with("MAXRAY_PACS__RETRIEVE_INSTANCES_MAX", "3");
    let platform = platform(options, &[("GETSCU", RETRIEVES)]).await;
    let (few, other) = (Synthetic::cr("P1", 8, 8).series(3), Synthetic::cr("P2", 8, 8));
    store(&platform, &[few.clone(), vec![other.clone()]].concat());
    let mut dialogue = open(&platform, "GETSCU", &[(&other.sop_class_uid, EXPLICIT)]);
    let both = format!("{}\\{}", few[0].study_instance_uid, other.study_instance_uid);
    let one = few[0].study_instance_uid.as_bytes();
    for (study, received, status) in [(one, 3, 0), (both.as_bytes(), 0, 0xa701), (one, 3, 0)] {
        let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, study)];
        let (found, _, last) = get(&mut dialogue, &keys, |_| 0);
        assert_eq!((found.len(), last.status()), (received, status));
    }
    // Retrievals have two words for what C-FIND says with 0xA700.
    let long = vec![b'1'; 300 * 1024];
    let keys = [(LEVEL, &b"STUDY"[..]), (PATIENT_ID, &long), (STUDY_UID, one)];
    assert_eq!(get(&mut dialogue, &keys, |_| 0).2.status(), 0xa701);
    dialogue.release();
    let mut moving = Dialogue::open(platform.dicom(), "GETSCU", &[(STUDY_MOVE, IMPLICIT)], &[]);
    moving.write(&Dialogue::request(C_MOVE, STUDY_MOVE, Some("ANYBODY"), &identifier(&keys)));
    assert_eq!(moving.responses().1.status(), 0xa701);
}

/// PS3.4 C.4.2.2.1 has no bound for a list of UIDs; what is named twice is sent once.
#[tokio::test]
async fn a_list_may_be_as_long_as_an_identifier() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let few = Synthetic::cr("P1", 8, 8).series(3);
    store(&platform, &few);
    let mut uids: Vec<String> = (0..1200).map(|number| format!("1.2.3.{number}")).collect();
    for (place, index) in [(0, 2), (600, 1), (1202, 0), (1203, 2)] {
        uids.insert(place, few[index].sop_instance_uid.clone());
    }
    let list = uids.join("\\");
    let keys = [
        (INSTANCE_UID, list.as_bytes()),
        (LEVEL, &b"IMAGE"[..]),
        (STUDY_UID, few[0].study_instance_uid.as_bytes()),
        (SERIES_UID, few[0].series_instance_uid.as_bytes()),
    ];
    let mut dialogue = open(&platform, "GETSCU", &[(&few[0].sop_class_uid, EXPLICIT)]);
    let (received, pending, last) = get(&mut dialogue, &keys, |_| 0);
    assert_eq!((received.len(), pending.len(), last.status()), (3, 2, 0));
    assert_eq!((last.number(0x1021), last.number(0x1022)), (Some(3), Some(0)));
    dialogue.release();
}

/// A receiver that does not take the stored transfer syntax gets the instance in one that it takes: the same values, the
/// same pixels.
#[tokio::test]
async fn what_is_not_taken_as_it_is_stored_is_converted_without_loss() {
    use model::transfer_syntax::{
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, JPEG_2000_LOSSLESS, JPEG_LOSSLESS_SV1,
        RLE_LOSSLESS,
    };
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    for stored in [IMPLICIT, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS] {
        let one = Synthetic { frames: 3, ..Synthetic::cr(stored, 24, 16) };
        store(&platform, &[one.clone().with_transfer_syntax(stored)]);
        for asked in [EXPLICIT, IMPLICIT] {
            let mut dialogue = open(&platform, "GETSCU", &[(&one.sop_class_uid, asked)]);
            let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, one.study_instance_uid.as_bytes())];
            let (received, _, last) = get(&mut dialogue, &keys, |_| 0);
            assert_eq!((last.status(), received.len()), (0, 1), "{stored} as {asked}");
            let expected = one.clone().with_transfer_syntax(asked).data_set();
            assert!(received[&one.sop_instance_uid] == expected, "{stored} as {asked} differs");
        }
    }
    // A class alone says nothing: the receiver takes it in a syntax that nobody can make.
    let one = Synthetic::cr("JPEG", 8, 8);
    store(&platform, std::slice::from_ref(&one));
    let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, one.study_instance_uid.as_bytes())];
    let mut dialogue = open(&platform, "GETSCU", &[(&one.sop_class_uid, JPEG_LOSSLESS_SV1)]);
    let (received, _, last) = get(&mut dialogue, &keys, |_| 0);
    assert_eq!((received.len(), last.status(), last.number(0x1022)), (0, 0xa702, Some(1)));
    // JPEG 2000 we make, where nothing else is taken.
    let mut dialogue = open(&platform, "GETSCU", &[(&one.sop_class_uid, JPEG_2000_LOSSLESS)]);
    let (received, _, last) = get(&mut dialogue, &keys, |_| 0);
    assert_eq!((last.status(), received.len()), (0, 1));
    assert!(received[&one.sop_instance_uid].windows(4).any(|bytes| bytes == b"\xff\x4f\xff\x51"));
}

/// A value of odd length, and the byte that made the whole even when it came: written anew, the byte is not there any more.
#[tokio::test]
async fn what_would_be_odd_when_it_is_converted_is_padded() {
    let platform = platform(Options::default(), &[("GETSCU", RETRIEVES)]).await;
    let series = Synthetic::cr("P1", 8, 8).series(3);
    let mut files: Vec<Vec<u8>> = series.iter().map(Synthetic::part10).collect();
    // Data Set Trailing Padding.
    files[1].extend_from_slice(b"\xfc\xff\xfc\xffOB\0\0\x03\0\0\0abc");
    assert_eq!(send_files(platform.dicom(), &files).expect("an association"), [0; 3]);
    let mut dialogue = open(&platform, "GETSCU", &[(&series[0].sop_class_uid, IMPLICIT)]);
    let keys = [(LEVEL, &b"STUDY"[..]), (STUDY_UID, series[0].study_instance_uid.as_bytes())];
    let (received, _, last) = get(&mut dialogue, &keys, |_| 0);
    assert_eq!((received.len(), last.status()), (3, 0));
    let mut expected = series[1].clone().with_transfer_syntax(IMPLICIT).data_set();
    expected.extend_from_slice(b"\xfc\xff\xfc\xff\x03\0\0\0abc\0");
    assert!(received[&series[1].sop_instance_uid] == expected, "not what was sent");
    dialogue.release();
}
