//! Every file of the data set through C-STORE: stored or refused with a status that fits, and given back as it came.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};

use tests::{
    digest::sha256_hex,
    fixtures::{self, Fixture},
    ledger::{Acknowledged, Ledger, retrieve},
    part10,
    platform::{Options, Platform},
    qido,
    scu::{Association, AssociationError, Dcmtk, Proposal, Reference, padded},
    session::Session,
};

/// Files that are broken in a way that no archive should keep, and the statuses that say so (PS3.4 B.2.3).
const CANNOT_UNDERSTAND: std::ops::RangeInclusive<u16> = 0xa900..=0xcfff;

/// Files that no archive could keep: no Study or Series Instance UID, cut off, no storage SOP class at all, written
/// otherwise than their transfer syntax says, or a study that another file of the set gives to another patient.
const REFUSED: &[&str] = &[
    "orthanc_synth/Issue111.dcm",
    "orthanc_synth/Issue195-bis.dcm",
    "orthanc_synth/Issue195.dcm",
    "orthanc_synth/Issue196.dcm",
    "orthanc_synth/PatientIdsCollision_Issue131-",
    "pydicom/JPEGLSNearLossless_08.dcm",
    "pydicom/JPEGLSNearLossless_16.dcm",
    "pydicom/MR_truncated.dcm",
    "pydicom/SC_rgb_jls_lossy_line.dcm",
    "pydicom/SC_rgb_jls_lossy_sample.dcm",
    "pydicom/SC_rgb_jpeg.dcm",
    "pydicom/UN_sequence.dcm",
    "pydicom/no_meta_group_length.dcm",
    "pydicom/priv_SQ.dcm",
    "pydicom/rtplan_truncated.dcm",
    "pydicom_charset/chrSQEncoding.dcm",
    "pydicom_charset/chrSQEncoding1.dcm",
    "pydicom_data/HTJ2KLossless_08_RGB.dcm",
    "pydicom_data/HTJ2K_08_RGB.dcm",
    "pydicom_data/JLSL_08_07_0_1F.dcm",
    "pydicom_data/JLSL_16_15_1_1F.dcm",
    "pydicom_data/bad_sequence.dcm",
    "pydicom_data/emri_small_jpeg_2k_lossless_too_short.dcm",
    "pydicom_dicomdir/DICOMDIR",
];

/// What a sender was told about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Status(u16),
    ClassOrSyntaxRefused,
}

#[tokio::test]
async fn every_file_is_kept_as_it_was_sent_or_refused_with_a_reason() {
    let platform = Platform::start(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false")).await;
    let files: Vec<Fixture> = fixtures::all().into_iter().filter(is_part10).collect();
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
    let sent = Dcmtk::dcmsend(reference.address(), &options, std::slice::from_ref(&folder));
    let mut travelled: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in reference.take() {
        let head = part10::head(&file).expect("storescp writes Part 10");
        let digest = sha256_hex(part10::data_set(&file));
        travelled.entry(head.sop_instance_uid).or_default().insert(digest);
    }
    assert!(travelled.len() > 50, "only {} instances travelled: {}", travelled.len(), sent.text);

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
    let rows = qido::rows(&viewer, "/instances").await;
    let mut compared = 0;
    for row in rows {
        let uid = qido::text(&row, qido::SOP_INSTANCE_UID);
        let place = qido::locate(&viewer, &uid).await.expect("a row has a place");
        let file = retrieve(&viewer, &place, &uid).await.unwrap_or_else(|why| panic!("{uid}: {why}"));
        let digest = sha256_hex(part10::data_set(&file));
        // storescp takes fewer syntaxes than MaxRay: what only MaxRay took has nothing to be compared with.
        let Some(sent) = travelled.get(&uid) else { continue };
        assert!(sent.contains(&digest), "{uid}: other bytes than were sent");
        compared += 1;
    }
    assert!(compared * 10 >= travelled.len() * 9, "{compared} of {} stored", travelled.len());
    check_counts(&viewer).await;
}

fn is_part10(file: &Fixture) -> bool {
    identity(&file.read()).is_some_and(|head| {
        // Without these nobody can propose a presentation context or name the instance in the command.
        !head.sop_class_uid.is_empty()
            && !head.sop_instance_uid.is_empty()
            && !head.transfer_syntax_uid.is_empty()
    })
}

/// What a sender puts into the command: the data set's own identity, which in some files is not that of group 2.
fn identity(file: &[u8]) -> Option<part10::Head> {
    let mut head = part10::head(file)?;
    let data_set = &file[head.data_set_offset..];
    let big = head.transfer_syntax_uid == model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;
    head.sop_class_uid = uid_of(data_set, 0x16, big).unwrap_or(head.sop_class_uid);
    head.sop_instance_uid = uid_of(data_set, 0x18, big).unwrap_or(head.sop_instance_uid);
    Some(head)
}

/// The UID in element (0008,00xx), found by its bytes: good enough for the start of a data set in any encoding.
fn uid_of(data_set: &[u8], element: u8, big: bool) -> Option<String> {
    let start = &data_set[..data_set.len().min(4096)];
    let tag = if big { [0, 8, 0, element] } else { [8, 0, element, 0] };
    let at = start.windows(4).position(|window| window == tag)?;
    let rest = start.get(at + 4..at + 12)?;
    let (length, skip) = match &rest[..2] {
        b"UI" if big => (u16::from_be_bytes([rest[2], rest[3]]), 8),
        b"UI" => (u16::from_le_bytes([rest[2], rest[3]]), 8),
        b"UN" => (u16::from_le_bytes([rest[4], rest[5]]), 12),
        length => (u16::from_le_bytes([length[0], length[1]]), 8),
    };
    let value = start.get(at + skip..)?;
    let uid = std::str::from_utf8(value.get(..usize::from(length))?).ok()?.trim_end_matches(['\0', ' ']);
    model::uid::check_uid(uid).ok().map(|()| uid.to_owned())
}

/// Two senders at once, each sending every file, in opposite order.
fn send_twice_at_once(peer: SocketAddr, files: &[Fixture]) -> Vec<Verdict> {
    let backwards: Vec<Fixture> = files.iter().rev().cloned().collect();
    let other = std::thread::spawn(move || send(peer, &backwards));
    let verdicts = send(peer, files);
    let mut others = other.join().expect("a sender does not panic");
    others.reverse();
    // Whoever is second with one of two studies that exclude each other is refused: either verdict may stand.
    for ((file, one), other) in files.iter().zip(&verdicts).zip(&others) {
        if one != other {
            eprintln!("{}: {one:?} to one sender, {other:?} to the other", file.name);
        }
    }
    verdicts
}

fn send(peer: SocketAddr, files: &[Fixture]) -> Vec<Verdict> {
    files
        .iter()
        .map(|file| {
            let begin = std::time::Instant::now();
            let verdict = send_one(peer, file);
            if begin.elapsed().as_secs() >= 5 {
                eprintln!("{}: {} ms", file.name, begin.elapsed().as_millis());
            }
            verdict
        })
        .collect()
}

fn send_one(peer: SocketAddr, file: &Fixture) -> Verdict {
    let bytes = file.read();
    let head = identity(&bytes).expect("checked before");
    let proposal = Proposal::new(&head.sop_class_uid, &head.transfer_syntax_uid);
    let sent = Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).and_then(|mut one| {
        let status = one.store(&proposal, &head.sop_instance_uid, part10::data_set(&bytes))?;
        one.release().map(|()| status)
    });
    match sent {
        Ok(status) => Verdict::Status(status),
        Err(AssociationError::NotAccepted(_)) => Verdict::ClassOrSyntaxRefused,
        Err(error) => panic!("{}: {error:?}", file.name),
    }
}

/// Every success is found; every refusal says that the data set is at fault, not the server.
async fn check_verdicts(viewer: &Session, files: &[Fixture], verdicts: &[Verdict]) -> Ledger {
    let ledger = Ledger::default();
    let mut refused = Vec::new();
    let mut contents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, verdict) in files.iter().zip(verdicts) {
        let bytes = file.read();
        let uid = identity(&bytes).expect("checked before").sop_instance_uid;
        match verdict {
            Verdict::Status(0) => {
                contents.entry(uid).or_default().insert(sha256_hex(&padded(part10::data_set(&bytes))));
            }
            Verdict::Status(status) => {
                let fits = CANNOT_UNDERSTAND.contains(status) || *status == 0x0111;
                assert!(fits, "{}: status {status:04X} blames the server", file.name);
                refused.push(format!("{} {status:04X}", file.name));
            }
            Verdict::ClassOrSyntaxRefused => refused.push(format!("{} (class or syntax)", file.name)),
        }
    }
    let unexpected = refused.iter().filter(|line| !REFUSED.iter().any(|name| line.starts_with(name)));
    let unexpected: Vec<&String> = unexpected.collect();
    assert!(unexpected.is_empty(), "refused, and nothing is wrong with them: {unexpected:#?}");
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
