//! threats.md rows 8, 9, 12, 13, 20, 68: peers of the DICOM door that lie, dawdle or flood. Classes: heap and stack memory
//! of the association parser (CVE-2015-8979), exhaustion by connections (CVE-2026-35505).

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tests::{
    platform::Platform,
    scu::{Association, AssociationError, Pdu, Proposal, associate_request, p_data, read_pdu},
    synthetic::{CR_IMAGE_STORAGE, new_uid},
};

use super::{EXPLICIT, MIB, begin_c_store, connect, quiet, read_to_end};

/// Until a PDU that lies has been answered; the threat table has one second, machines of tests are busy.
pub(super) const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
/// What the door announces by default.
const PDU_LENGTH_MAX: u32 = 128 * 1024;
/// Some peers count the headers of a PDU and of a fragment out of that.
const HEADERS: u32 = 64;

pub(super) fn request() -> Vec<u8> {
    associate_request("MAXRAY", "LIAR", &[(1, CR_IMAGE_STORAGE, vec![EXPLICIT])]).encode()
}

pub(super) fn associated(peer: SocketAddr) -> TcpStream {
    let mut stream = connect(peer);
    stream.write_all(&request()).expect("sent");
    assert_eq!(read_pdu(&mut stream).expect("an answer").kind, 2, "A-ASSOCIATE-AC");
    stream
}

/// What the server says last: an A-ABORT by the provider, an A-ASSOCIATE-RJ, or nothing at all.
fn check_turned_away(mut stream: TcpStream, what: &str) {
    let begin = Instant::now();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ended = stream.read_to_end(&mut answer);
    assert!(begin.elapsed() < ABORT_TIMEOUT, "{what}: ended after {:?}", begin.elapsed());
    match answer.as_slice() {
        [] | [3, _, 0, 0, 0, 4, ..] => {}
        [7, _, 0, 0, 0, 4, _, _, source, _] => assert_eq!(*source, 2, "{what}: aborted by the provider"),
        other => panic!("{what}: answered {other:02x?}"),
    }
}

/// Row 8: lengths around the one that was agreed on, and the largest there are.
#[tokio::test]
async fn pdu_lengths_beyond_the_agreed_one_are_refused_before_a_byte_is_read() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    for length in [PDU_LENGTH_MAX + HEADERS + 1, 1 << 20, 1 << 31, u32::MAX - 1, u32::MAX] {
        for (state, mut stream) in
            [("first", connect(platform.dicom())), ("in an association", associated(platform.dicom()))]
        {
            let kind = if state == "first" { 1 } else { 4 };
            let longest_request = 256 * 1024;
            if kind == 1 && length <= longest_request {
                continue;
            }
            stream.write_all(&[&[kind, 0][..], &length.to_be_bytes()].concat()).expect("sent");
            check_turned_away(stream, &format!("{length} bytes {state}"));
        }
    }
    // One byte less than too much is not too much.
    let mut stream = associated(platform.dicom());
    stream.write_all(&[&[4, 0][..], &PDU_LENGTH_MAX.to_be_bytes()].concat()).expect("sent");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
    let waiting = stream.read(&mut [0; 1]).expect_err("the server waits for the body");
    assert!(matches!(waiting.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    drop(stream);
    guard.check(&mut platform, 10 * MIB).await;
}

/// Row 9: a request is announced and never comes.
#[tokio::test]
async fn a_request_that_never_comes_is_given_up_at_artim() {
    let options = quiet().with("MAXRAY_PACS__ARTIM_TIMEOUT_MS", "1500");
    let mut platform = Platform::start(options).await;
    let guard = platform.guard();
    let begin = Instant::now();
    let mut streams: Vec<TcpStream> = (0..48).map(|_| connect(platform.dicom())).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        let length: u32 = if index % 2 == 0 { 200_000 } else { 100_000_000 };
        stream.write_all(&[&[1, 0][..], &length.to_be_bytes()].concat()).expect("sent");
    }
    for mut stream in streams {
        read_to_end(&mut stream);
    }
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?} for an ARTIM of 1.5 s", begin.elapsed());
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 12, CVE-2015-8979: requests that do not hold together.
#[tokio::test]
async fn association_requests_that_lie_are_turned_away() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    let contexts = |ids: &[u8]| {
        let contexts: Vec<_> = ids.iter().map(|id| (*id, CR_IMAGE_STORAGE, vec![EXPLICIT])).collect();
        associate_request("MAXRAY", "LIAR", &contexts).encode()
    };
    let long_uid = "1".repeat(65_000);
    let mut past_the_end = Pdu { kind: 1, body: request()[6..].to_vec() };
    let user_information = past_the_end.body.windows(2).rposition(|item| item == [0x50, 0]).expect("there");
    past_the_end.body[user_information + 2..user_information + 4].copy_from_slice(&[0xff, 0xff]);
    let mut cut = Pdu { kind: 1, body: request()[6..].to_vec() };
    cut.body.truncate(cut.body.len() - 3);
    let cases = [
        ("no contexts", contexts(&[])),
        ("an even id", contexts(&[2])),
        ("the same id twice", contexts(&[1, 1])),
        ("an id of 0", contexts(&[0])),
        ("200 contexts", contexts(&(0..200_u8).map(|index| index.wrapping_mul(2) | 1).collect::<Vec<u8>>())),
        ("user information past the end", past_the_end.encode()),
        ("cut", cut.encode()),
        ("68 bytes", Pdu { kind: 1, body: vec![0; 68] }.encode()),
        ("no bytes", Pdu { kind: 1, body: Vec::new() }.encode()),
        ("0xff", Pdu { kind: 1, body: vec![0xff; 4096] }.encode()),
    ];
    for (what, bytes) in cases {
        let mut stream = connect(platform.dicom());
        stream.write_all(&bytes).expect("sent");
        check_turned_away(stream, what);
    }
    // A UID of 65,000 digits is a class that nobody knows: the context is refused, the association may stand.
    let long = associate_request("MAXRAY", "LIAR", &[(1, &long_uid, vec![EXPLICIT])]).encode();
    let mut stream = connect(platform.dicom());
    stream.write_all(&long).expect("sent");
    let answer = read_pdu(&mut stream).expect("an answer");
    assert!([2, 3, 7].contains(&answer.kind) && answer.body.len() < 1024, "{} bytes", answer.body.len());
    drop(stream);
    guard.check(&mut platform, 10 * MIB).await;
}

/// Row 13: commands in crumbs, and fragments of nothing.
#[tokio::test]
async fn fragments_without_end_end_the_association() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    for (what, is_command, fragment) in [
        ("a command in crumbs", true, &[0_u8, 0][..]),
        ("a command of nothing", true, &[]),
        ("data", false, &[]),
    ] {
        let mut stream = if is_command {
            associated(platform.dicom())
        } else {
            let (mut association, _) = begin_c_store(platform.dicom(), &new_uid()).expect("accepted");
            association.stream().try_clone().expect("a second handle")
        };
        let crumb = p_data(1, is_command, false, fragment).encode().repeat(100);
        for _ in 0..200 {
            // Ended already, or what comes is thrown away until the peer has seen that.
            if stream.write_all(&crumb).is_err() {
                break;
            }
        }
        check_turned_away(stream, what);
    }
    guard.check(&mut platform, 10 * MIB).await;
}

/// Row 20, CVE-2026-52868: an AE title is a text and never a path, a statement, a format or a second line of the log.
#[tokio::test]
async fn ae_titles_are_texts() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    let outside = platform.outside_of_data();
    let mut titles: Vec<[u8; 16]> = Vec::new();
    for text in [
        "../x",
        "/etc/passwd",
        "';DROP TABLE ae;",
        "%s%n%x",
        "${jndi:x}",
        "a\r\nb",
        "<img onerror=1>",
        "\0",
        "\\",
    ] {
        let mut title = [b' '; 16];
        for (at, byte) in text.bytes().take(16).enumerate() {
            title[at] = byte;
        }
        titles.push(title);
    }
    titles.extend([[0xff; 16], [b' '; 16], [0; 16], [0x1b; 16]]);
    for title in titles {
        for at in [4, 20] {
            let mut bytes = request();
            bytes[6 + at..6 + at + 16].copy_from_slice(&title);
            let mut stream = connect(platform.dicom());
            stream.write_all(&bytes).expect("sent");
            let answer = read_pdu(&mut stream).expect("an answer");
            assert!([2, 3].contains(&answer.kind), "{title:02x?}: answered {answer:02x?}");
        }
    }
    guard.check(&mut platform, 10 * MIB).await;
    assert_eq!(platform.outside_of_data(), outside, "a file outside of the data");
    // The greeting is for people.
    let greeting = ["MaxRay is running.", "  "];
    for line in platform.log().lines().filter(|line| !greeting.iter().any(|start| line.starts_with(start))) {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "a line of the log that is no record: {line:?}");
    }
}

/// Row 68: more associations than there are places are told to come again, and there is room afterwards.
#[tokio::test]
async fn more_than_there_is_room_for_is_told_to_come_again() {
    let options =
        quiet().with("MAXRAY_PACS__ASSOCIATIONS_MAX", "8").with("MAXRAY_PACS__ASSOCIATIONS_PER_AE_MAX", "8");
    let mut platform = Platform::start(options).await;
    let peer = platform.dicom();
    let guard = platform.guard();
    let proposals = [Proposal::new(CR_IMAGE_STORAGE, EXPLICIT)];
    let mut held = Vec::new();
    for number in 0..40 {
        match Association::request(peer, "MAXRAY", &proposals) {
            Ok(association) => held.push(association),
            Err(AssociationError::Rejected(2, 3, 1 | 2)) => {}
            Err(other) => panic!("association {number}: {other:?}"),
        }
    }
    assert_eq!(held.len(), 8, "places");
    held.into_iter().for_each(drop);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Association::request(peer, "MAXRAY", &proposals).is_err() {
        assert!(Instant::now() < deadline, "no room ten seconds after all have gone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    guard.check(&mut platform, 20 * MIB).await;
}
