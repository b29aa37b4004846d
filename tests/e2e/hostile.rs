//! Bad input through each door: a clear error, the server alive, nothing half-stored.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use reqwest::Method;
use tests::{
    fixtures, multipart, part10,
    platform::{Options, Platform},
    qido,
    random::Random,
    scu::{Association, AssociationError, Pdu, Proposal, associate_request, p_data, read_pdu},
    session::Session,
    synthetic::{CR_IMAGE_STORAGE, Encoding, Synthetic, Writer, new_uid},
};

/// What the process may grow to under attack, above what its normal work takes.
const PEAK_MEMORY_MAX_BYTES: u64 = 400 * 1024 * 1024;
/// Until an answer to a PDU that lies.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Truncations of each file.
const CUTS: usize = 4;

const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const BIG_ENDIAN: &str = model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;
const DEFLATED: &str = model::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;

#[tokio::test]
async fn truncated_files_leave_nothing_behind() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let mut random = Random::from_environment("truncated");
    let mut stored = 0;
    for fixture in fixtures::own().into_iter().filter(|file| file.sha256.as_bytes()[0] < b'4') {
        let file = fixture.read();
        let Some(head) = part10::head(&file).filter(|head| !head.sop_instance_uid.is_empty()) else {
            continue;
        };
        for cut in 0..CUTS {
            let end = head.data_set_offset + random.below(file.len() - head.data_set_offset);
            let acknowledged = if cut % 2 == 0 {
                (store(platform.dicom(), &head, &file[head.data_set_offset..end]) == Some(0))
                    .then(|| head.sop_instance_uid.clone())
            } else {
                let (status, answer) = stow(&service, &[&file[..end]]).await;
                (status == 200).then(|| referenced_sop_instance_uid(&answer))
            };
            // A cut between two elements is a whole data set, only a smaller one.
            if let Some(uid) = acknowledged {
                let found = qido::locate(&service, &uid).await;
                assert!(found.is_some(), "{} cut at {end}: success, and {uid:?} is not there", fixture.name);
                stored += 1;
            }
        }
    }
    eprintln!("{stored} cuts made a whole data set");
    check_alive(&mut platform, &service).await;
}

#[tokio::test]
async fn a_data_set_that_is_not_what_the_command_says_is_refused() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let xray = Synthetic::cr("WRONG", 32, 32);
    let head = |class: &str, instance: &str| part10::Head {
        transfer_syntax_uid: EXPLICIT.into(),
        sop_class_uid: class.into(),
        sop_instance_uid: instance.into(),
        data_set_offset: 0,
    };
    let other_class = tests::synthetic::DX_IMAGE_STORAGE;
    for (class, instance) in [(CR_IMAGE_STORAGE, new_uid()), (other_class, xray.sop_instance_uid.clone())] {
        let status = store(platform.dicom(), &head(class, &instance), &xray.data_set());
        assert!(matches!(status, Some(0xa900..=0xa9ff)), "{class} {instance}: {status:04X?}");
    }
    let right = head(CR_IMAGE_STORAGE, &xray.sop_instance_uid);
    assert!(store(platform.dicom(), &right, &[0; 512]).is_some_and(|status| status >= 0xa900), "zeros");
    assert!(
        store(platform.dicom(), &right, b"{}").is_some_and(|status| status >= 0xa900),
        "no data set at all"
    );
    assert_eq!(
        store(platform.dicom(), &right, &[]).map(|status| status >= 0xa900),
        Some(true),
        "an empty data set"
    );
    let elsewhere = format!("/dicomweb/studies/{}", new_uid());
    let (status, answer) = stow_to(&service, &elsewhere, &[&xray.part10()]).await;
    assert_eq!(status, 409, "STOW into another study: {answer}");
    check_nothing_stored(&service).await;
    // threats.md row 18: written otherwise than negotiated, the object would lie about itself.
    for (negotiated, written) in [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT), (EXPLICIT, BIG_ENDIAN)] {
        let other = xray.clone().with_transfer_syntax(written);
        let head = part10::Head { transfer_syntax_uid: negotiated.into(), ..right.clone() };
        assert_eq!(
            store(platform.dicom(), &head, &other.data_set()),
            Some(0xc000),
            "{written} as {negotiated}"
        );
        let meta = part10::file_meta(CR_IMAGE_STORAGE, &xray.sop_instance_uid, negotiated);
        let (status, answer) = stow(&service, &[&[meta, other.data_set()].concat()]).await;
        assert_eq!(status, 409, "{written} as {negotiated}: {answer}");
    }
    check_nothing_stored(&service).await;
    assert_eq!(platform.stored_objects(), Vec::<std::path::PathBuf>::new(), "objects of refused instances");
    check_alive(&mut platform, &service).await;
}

#[tokio::test]
async fn bombs_are_refused_in_bounded_memory() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let bombs = [
        ("2,000 nested sequences", EXPLICIT, nested(2_000)),
        ("100,000 nested sequences", EXPLICIT, nested(100_000)),
        ("an element of 4 GB", EXPLICIT, forged_length()),
        ("a deflated gigabyte", DEFLATED, deflated_zeros(1024)),
        ("sequence delimiters without a sequence", EXPLICIT, stray_delimiters()),
    ];
    for (what, syntax, data_set) in bombs {
        let begin = Instant::now();
        let uid = new_uid();
        let data_set = with_identity(&uid, &data_set, syntax);
        let head = part10::Head {
            transfer_syntax_uid: syntax.into(),
            sop_class_uid: CR_IMAGE_STORAGE.into(),
            sop_instance_uid: uid.clone(),
            data_set_offset: 0,
        };
        let status = store(platform.dicom(), &head, &data_set);
        assert!(status.is_some_and(|status| status != 0), "{what} through C-STORE: {status:04X?}");
        let mut file = part10::file_meta(CR_IMAGE_STORAGE, &uid, syntax);
        file.extend_from_slice(&data_set);
        let (status, answer) = stow(&service, &[&file]).await;
        assert!((400..500).contains(&status), "{what} through STOW-RS: {status} {answer}");
        eprintln!("{what}: {} ms", begin.elapsed().as_millis());
    }
    let peak = platform.peak_memory_bytes();
    assert!(peak < PEAK_MEMORY_MAX_BYTES, "peak memory {peak} bytes");
    check_nothing_stored(&service).await;
    check_alive(&mut platform, &service).await;
}

#[tokio::test]
async fn pdus_that_lie_end_the_association_and_nothing_else() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let peer = platform.dicom();
    let contexts = [(1, CR_IMAGE_STORAGE, vec![EXPLICIT])];
    let request = associate_request("MAXRAY", "LIAR", &contexts).encode();
    let mut first: Vec<(String, Vec<u8>)> = vec![
        ("length 4 GB".into(), vec![1, 0, 0xff, 0xff, 0xff, 0xff]),
        ("a request of 2 GB".into(), [&[1, 0, 0x7f, 0xff, 0xff, 0xff][..], &[0; 4096]].concat()),
        ("items past the end".into(), lying_items()),
        (
            "even context ids".into(),
            associate_request("MAXRAY", "LIAR", &[(2, CR_IMAGE_STORAGE, vec![EXPLICIT])]).encode(),
        ),
        ("no contexts".into(), associate_request("MAXRAY", "LIAR", &[]).encode()),
        ("GET".into(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    first.extend(
        (0..=255_u8)
            .filter(|kind| *kind != 1)
            .map(|kind| (format!("type {kind}"), vec![kind, 0, 0, 0, 0, 4, 0, 0, 0, 0])),
    );
    for (what, bytes) in first {
        check_ended(peer, &[], &bytes, &what);
    }
    let command = vec![0; 32];
    let second: Vec<(&str, Vec<u8>)> = vec![
        ("a second request", request.clone()),
        ("data of 4 GB", vec![4, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 1, 3]),
        ("a value longer than its PDU", Pdu { kind: 4, body: vec![0, 0, 0xff, 0xff, 1, 3] }.encode()),
        ("a value of no bytes", Pdu { kind: 4, body: vec![0, 0, 0, 0, 1, 3] }.encode()),
        ("a context never proposed", p_data(77, true, true, &command).encode()),
        ("a command of zeros", p_data(1, true, true, &command).encode()),
        ("data before a command", p_data(1, false, true, &command).encode()),
        ("type 99", vec![99, 0, 0, 0, 0, 0]),
    ];
    for (what, bytes) in second {
        check_ended(peer, &request, &bytes, what);
    }
    check_nothing_stored(&service).await;
    check_alive(&mut platform, &service).await;
}

#[tokio::test]
async fn a_sender_that_vanishes_leaves_nothing() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let xray = Synthetic::cr("GONE", 256, 256);
    let proposal = Proposal::new(CR_IMAGE_STORAGE, EXPLICIT);
    let objects = platform.stored_objects().len();
    for fragments in 0..8 {
        let mut one = Association::request(platform.dicom(), "MAXRAY", std::slice::from_ref(&proposal))
            .expect("accepted");
        let context = one.context(&proposal).expect("accepted");
        let command = one.store_request(CR_IMAGE_STORAGE, &xray.sop_instance_uid);
        one.stream().write_all(&p_data(context, true, true, &command).encode()).expect("sent");
        for fragment in xray.data_set().chunks(16 * 1024).take(fragments) {
            one.stream().write_all(&p_data(context, false, false, fragment).encode()).expect("sent");
        }
        if fragments % 2 == 0 {
            one.stream().write_all(&Pdu { kind: 7, body: vec![0; 4] }.encode()).expect("sent");
        }
    }
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    while platform.stored_objects().len() > objects && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(platform.stored_objects().len(), objects, "objects of senders that vanished");
    check_nothing_stored(&service).await;
    check_alive(&mut platform, &service).await;
}

#[tokio::test]
async fn multipart_that_is_none_or_never_ends_is_refused() {
    let mut platform = Platform::start(Options::default()).await;
    let service = platform.user("service", "service").await;
    let good = multipart::encode("b", &[&Synthetic::cr("M", 32, 32).part10()]);
    let long_boundary = "b".repeat(2_000);
    let headers = format!("--b\r\n{}", "X-Header: value\r\n".repeat(100_000));
    let cases: Vec<(&str, String, Vec<u8>)> = vec![
        ("no boundary", "multipart/related; type=\"application/dicom\"".into(), good.clone()),
        ("another boundary", multipart::content_type("c"), good.clone()),
        ("an endless boundary", multipart::content_type(&long_boundary), good.clone()),
        ("part headers without end", multipart::content_type("b"), headers.into_bytes()),
        ("a body that stops", multipart::content_type("b"), good[..good.len() / 2].to_vec()),
        ("nothing", multipart::content_type("b"), Vec::new()),
        ("no parts", multipart::content_type("b"), b"--b--\r\n".to_vec()),
        ("JSON", "application/json".into(), b"{}".to_vec()),
        (
            "noise",
            multipart::content_type("b"),
            b"--b\r\nContent-Type: application/dicom\r\n\r\nnoise\r\n--b--".to_vec(),
        ),
    ];
    for (what, media_type, body) in cases {
        let request =
            service.request(Method::POST, "/dicomweb/studies").header("Content-Type", media_type).body(body);
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_client_error(), "{what}: {status} {text}");
    }
    check_endless_part(&platform, &service);
    check_nothing_stored(&service).await;
    check_alive(&mut platform, &service).await;
}

/// A chunked body whose one part header goes on for ever: the server must end it, not the sender.
fn check_endless_part(platform: &Platform, service: &Session) {
    let mut stream = TcpStream::connect(platform.http()).expect("a connection");
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a time-out");
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).expect("a time-out");
    let head = format!(
        "POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\n--b\r\n",
        service.token(),
        multipart::content_type("b"),
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut sent = 0;
    while sent < 64 * 1024 * 1024 && stream.write_all(chunk.as_bytes()).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 * 1024 * 1024, "the server read 64 MB of a part header");
}

/// Sends `bytes`, behind `opening` when there is one, and waits until the server has ended the association.
fn check_ended(peer: SocketAddr, opening: &[u8], bytes: &[u8], what: &str) {
    let mut stream = TcpStream::connect(peer).expect("a connection");
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a time-out");
    if !opening.is_empty() {
        stream.write_all(opening).expect("sent");
        let accept = read_pdu(&mut stream).expect("an answer to the request");
        assert_eq!(accept.kind, 2, "{what}");
    }
    // The server may close before it has read everything.
    let _closed_early = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{what}: the association did not end: {error}"),
    }
    let kinds = [2, 3, 7];
    assert!(answer.first().is_none_or(|kind| kinds.contains(kind)), "{what}: answered {answer:?}");
}

fn store(peer: SocketAddr, head: &part10::Head, data_set: &[u8]) -> Option<u16> {
    let proposal = Proposal::new(&head.sop_class_uid, &head.transfer_syntax_uid);
    let mut association =
        Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).expect("accepted");
    if data_set.is_empty() {
        let context = association.context(&proposal).expect("accepted");
        let command = association.store_request(&head.sop_class_uid, &head.sop_instance_uid);
        let stream = association.stream();
        stream.write_all(&p_data(context, true, true, &command).encode()).expect("sent");
        stream.write_all(&p_data(context, false, true, &[]).encode()).expect("sent");
        return association.status().ok();
    }
    match association.store(&proposal, &head.sop_instance_uid, data_set) {
        Ok(status) => Some(status),
        Err(AssociationError::NotAccepted(_)) => None,
        Err(error) => panic!("{}: {error:?} instead of a status", head.sop_instance_uid),
    }
}

async fn stow(service: &Session, files: &[&[u8]]) -> (u16, String) {
    stow_to(service, "/dicomweb/studies", files).await
}

async fn stow_to(service: &Session, path: &str, files: &[&[u8]]) -> (u16, String) {
    let request =
        service.request(Method::POST, path).header("Content-Type", multipart::content_type("frontier"));
    let answer = request.body(multipart::encode("frontier", files)).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.unwrap_or_default())
}

/// Of the first instance that a STOW-RS answer says is stored. It is the data set's own: the meta group of some files
/// has another one (`pydicom/rtplan.dcm`).
fn referenced_sop_instance_uid(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).expect("DICOM JSON");
    let uid = qido::text(&answer["00081199"]["Value"][0], "00081155");
    assert!(!uid.is_empty(), "success without a ReferencedSOPInstanceUID: {answer}");
    uid
}

async fn check_nothing_stored(service: &Session) {
    let rows = qido::rows(service, "/instances").await;
    assert!(rows.is_empty(), "{} instances are visible", rows.len());
}

/// The server is the same process, answers, and stores a good instance through both doors.
async fn check_alive(platform: &mut Platform, service: &Session) {
    assert!(platform.is_alive(), "the server ended");
    let (one, two) = (Synthetic::cr("ALIVE", 32, 32), Synthetic::cr("ALIVE", 32, 32));
    let statuses = tests::scu::send_files(platform.dicom(), &[one.part10()]).expect("an association");
    assert_eq!(statuses, [0]);
    let (status, answer) = stow(service, &[&two.part10()]).await;
    assert_eq!(status, 200, "{answer}");
    for uid in [one.sop_instance_uid, two.sop_instance_uid] {
        assert!(qido::locate(service, &uid).await.is_some(), "{uid}");
    }
    let log = platform.log();
    assert!(!log.contains("panicked at"), "a panic in the log");
}

fn with_identity(uid: &str, tail: &[u8], syntax: &str) -> Vec<u8> {
    if syntax == DEFLATED {
        return tail.to_vec();
    }
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    writer.text(0x0008_0016, "UI", CR_IMAGE_STORAGE);
    writer.text(0x0008_0018, "UI", uid);
    writer.text(0x0020_000d, "UI", &new_uid());
    writer.text(0x0020_000e, "UI", &new_uid());
    let mut data_set = writer.finish();
    data_set.extend_from_slice(tail);
    data_set
}

fn nested(depth: usize) -> Vec<u8> {
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    for _ in 0..depth {
        writer.header(0x0040_a730, "SQ", u32::MAX);
        writer.item(0xfffe_e000, u32::MAX);
    }
    writer.finish()
}

fn forged_length() -> Vec<u8> {
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    writer.header(0x7fe0_0010, "OW", 0xffff_fffe);
    let mut data_set = writer.finish();
    data_set.extend_from_slice(&[0; 64]);
    data_set
}

fn stray_delimiters() -> Vec<u8> {
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    for _ in 0..1_000 {
        writer.item(0xfffe_e0dd, 0);
        writer.item(0xfffe_e00d, 0);
    }
    writer.finish()
}

/// A deflated stream of zeros: elements (0000,0000) without end, or a refusal much earlier.
fn deflated_zeros(megabytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..megabytes {
        encoder.write_all(&zeros).expect("memory takes every byte");
    }
    encoder.finish().expect("memory takes every byte")
}

fn lying_items() -> Vec<u8> {
    let mut request = associate_request("MAXRAY", "LIAR", &[(1, CR_IMAGE_STORAGE, vec![EXPLICIT])]);
    if let Some(length) = request.body.get_mut(70..72) {
        length.copy_from_slice(&[0xff, 0xff]);
    }
    request.encode()
}
