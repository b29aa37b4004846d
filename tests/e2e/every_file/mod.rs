//! Every file of the data set through C-STORE: stored or refused with a status that fits, and given back as it came.

pub(crate) mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use tests::{
    digest::sha256_hex,
    fixtures,
    ledger::{Acknowledged, Ledger, retrieve},
    part10,
    platform::{Options, Platform},
    qido,
    scu::{Dcmtk, Reference, padded},
    session::Session,
};

use self::files::{EXCLUSIVE, REFUSED, Reason, Sendable, Verdict};

/// What says that the data set is at fault, and not the server (PS3.4 B.2.3).
const CANNOT_UNDERSTAND: std::ops::RangeInclusive<u16> = 0xa900..=0xcfff;

const ALONE: &str = "dcmsend reads files with file meta information alone";
const NO_CONTEXT: &str = "storescp does not take its transfer syntax";

/// Files of the own set that MaxRay keeps, and of which DCMTK does not show what it sends.
const NOT_COMPARED_WITH_DCMTK: &[Reason] = &[
    ("cornerstone3d/CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm", NO_CONTEXT),
    ("cornerstone3d/CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm", NO_CONTEXT),
    ("pydicom/ExplVR_BigEndNoMeta.dcm", ALONE),
    ("pydicom/ExplVR_LitEndNoMeta.dcm", ALONE),
    ("pydicom/rtstruct.dcm", ALONE),
    ("pydicom_data/OT-PAL-8-face.dcm", ALONE),
    (
        "pydicom_data/explicit_VR-UN.dcm",
        "dcmsend takes UIDs of VR UN for the text of their bytes, and names an instance that is none",
    ),
    ("pydicom_data/liver_deflate.dcm", NO_CONTEXT),
    ("pydicom_data/liver_nonbyte_aligned_deflate.dcm", NO_CONTEXT),
];

#[tokio::test]
async fn every_file_is_kept_as_it_was_sent_or_refused_with_a_reason() {
    let platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let files = files::sendable();
    let verdicts = send_twice_at_once(platform.dicom(), &files);
    let viewer = platform.user("viewer", "viewer").await;
    let ledger = check_verdicts(&viewer, &files, &verdicts).await;
    ledger.check(&viewer, "every file").await;
    check_counts(&viewer).await;

    let objects = platform.stored_objects().len();
    let instances = qido::rows(&viewer, "/instances").await.len();
    let again = send_twice_at_once(platform.dicom(), &files);
    for ((file, first), second) in files.iter().zip(&verdicts).zip(&again) {
        assert_eq!(first, second, "{} sent again", file.name);
    }
    assert_eq!(qido::rows(&viewer, "/instances").await.len(), instances, "instances after sending all again");
    check_counts(&viewer).await;
    assert_eq!(platform.stored_objects().len(), objects, "objects on disk after sending all again");
}

/// DCMTK rewrites data sets before it sends them; `storescp +B` shows what then travels.
#[tokio::test]
async fn what_dcmtk_sends_comes_back_byte_for_byte() {
    let platform = Platform::start(Options::default()).await;
    let folder = fixtures::folder();
    let options = ["--no-halt", "--no-uid-checks", "--decompress-never", "+sd", "+r"];
    let reference = Reference::start(&platform.scratch().join("reference"));
    Dcmtk::dcmsend(reference.address(), &options, std::slice::from_ref(&folder));
    let mut travelled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in reference.take() {
        let head = part10::head(&file).expect("storescp writes Part 10");
        let digest = sha256_hex(part10::data_set(&file));
        travelled.entry(head.sop_instance_uid).or_default().insert(digest);
    }

    let peer = platform.dicom();
    let senders: Vec<_> = [folder.clone(), folder]
        .map(|folder: PathBuf| {
            std::thread::spawn(move || Dcmtk::dcmsend(peer, &options, std::slice::from_ref(&folder)))
        })
        .into_iter()
        .collect();
    for sender in senders {
        let sent = sender.join().expect("a sender does not panic");
        assert!(!sent.text.contains("aborted"), "{}", sent.text);
    }
    let viewer = platform.user("viewer", "viewer").await;
    let mut compared = BTreeSet::new();
    for row in qido::rows(&viewer, "/instances").await {
        let uid = qido::text(&row, qido::SOP_INSTANCE_UID);
        let place = qido::locate(&viewer, &uid).await.expect("a row has a place");
        let file = retrieve(&viewer, &place, &uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        let digest = sha256_hex(part10::data_set(&file));
        if let Some(sent) = travelled.get(&uid) {
            assert!(sent.contains(&digest), "{uid}: other bytes than were sent");
            compared.insert(uid);
        }
    }
    let files = files::sendable_of(&fixtures::own());
    let there = files.iter().map(|file| file.name.clone()).collect();
    let is_left_out = |file: &&Sendable| !compared.contains(&file.head.sop_instance_uid);
    // Some of those that are refused have the UID of another one, which is compared.
    let is_refused = |name: &str| REFUSED.iter().any(|(one, _)| *one == name);
    let left_out = files.iter().filter(is_left_out).map(|file| file.name.clone());
    let left_out = left_out.filter(|name| !is_refused(name));
    files::check("not compared with DCMTK", NOT_COMPARED_WITH_DCMTK, left_out, &there);
    check_counts(&viewer).await;
}

/// Two senders at once, each sending every file, in opposite order.
fn send_twice_at_once(peer: SocketAddr, files: &[Sendable]) -> Vec<Verdict> {
    let backwards: Vec<Sendable> = files.iter().rev().cloned().collect();
    let other = std::thread::spawn(move || send(peer, &backwards));
    let verdicts = send(peer, files);
    let mut others = other.join().expect("a sender does not panic");
    others.reverse();
    // Whoever is second with one of two studies that exclude each other is refused: either verdict may stand.
    for ((file, one), other) in files.iter().zip(&verdicts).zip(&others) {
        let either = EXCLUSIVE.iter().flatten().any(|name| *name == file.name);
        assert!(either || one == other, "{}: {one:?} to one sender, {other:?} to the other", file.name);
    }
    verdicts
}

fn send(peer: SocketAddr, files: &[Sendable]) -> Vec<Verdict> {
    files
        .iter()
        .map(|file| {
            let begin = std::time::Instant::now();
            let verdict = file.send(peer);
            if begin.elapsed().as_secs() >= 5 {
                eprintln!("{}: {} ms", file.name, begin.elapsed().as_millis());
            }
            verdict
        })
        .collect()
}

/// Every success is found; every refusal says that the data set is at fault, not the server.
async fn check_verdicts(viewer: &Session, files: &[Sendable], verdicts: &[Verdict]) -> Ledger {
    let ledger = Ledger::default();
    let mut refused = BTreeSet::new();
    let mut contents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, verdict) in files.iter().zip(verdicts) {
        let uid = file.head.sop_instance_uid.clone();
        match verdict {
            Verdict::Status(0) => {
                contents.entry(uid).or_default().insert(sha256_hex(&padded(file.data_set())));
            }
            Verdict::Status(status) => {
                let fits = CANNOT_UNDERSTAND.contains(status) || *status == 0x0111;
                assert!(fits, "{}: status {status:04X} blames the server", file.name);
                println!("{} refused with {status:04X}", file.name);
                refused.insert(file.name.clone());
            }
            Verdict::ClassOrSyntaxRefused => {
                refused.insert(file.name.clone());
            }
        }
    }
    let there: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
    for pair in EXCLUSIVE {
        let kept_out = pair.iter().filter(|name| refused.remove(**name)).count();
        assert_eq!(kept_out, usize::from(there.contains(pair[0])), "one of {pair:?} keeps the other out");
    }
    files::check("refused", REFUSED, refused.into_iter(), &there);
    for (uid, sent) in contents {
        let place = qido::locate(viewer, &uid).await.unwrap_or_else(|| panic!("{uid} was acknowledged"));
        let file = retrieve(viewer, &place, &uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        let data_set_sha256 = sha256_hex(part10::data_set(&file));
        assert!(sent.contains(&data_set_sha256), "{uid}: other bytes than were sent");
        ledger.acknowledge(&uid, Acknowledged { data_set_sha256, ..place });
    }
    ledger
}

/// The counts that a study shows are the rows that there are.
async fn check_counts(viewer: &Session) {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for row in qido::rows(viewer, "/instances").await {
        *counted.entry(qido::text(&row, qido::STUDY_INSTANCE_UID)).or_default() += 1;
    }
    for study in qido::rows(viewer, "/studies").await {
        let uid = qido::text(&study, qido::STUDY_INSTANCE_UID);
        let shown = qido::text(&study, qido::NUMBER_OF_STUDY_RELATED_INSTANCES);
        assert_eq!(shown, counted.remove(&uid).unwrap_or(0).to_string(), "instances of study {uid}");
    }
    assert!(counted.is_empty(), "studies that the study search does not know: {counted:?}");
}
