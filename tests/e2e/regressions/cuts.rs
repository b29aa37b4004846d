//! threats.md row 23: files cut at every byte, through C-STORE and through STOW-RS. Never a success, and nothing is left.

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use tests::{
    env, multipart, part10,
    platform::Platform,
    qido,
    scu::{Association, Proposal, p_data},
    synthetic::{CR_IMAGE_STORAGE, Encoding, Writer, deflate},
};

use super::{BIG_ENDIAN, Crafted, DEFLATED, EXPLICIT, IMPLICIT, MIB, connect, nested, quiet, read_to_end};

/// Files, each cut at every byte at both doors; `MAXRAY_TEST_CUT_FILES` asks for more. The row has 50.
const FILES: u64 = 10;
/// Senders at a time.
const SENDERS: usize = 8;

const RLE: &str = model::transfer_syntax::RLE_LOSSLESS;

/// A file of some hundred bytes.
struct Small {
    transfer_syntax_uid: &'static str,
    sop_instance_uid: String,
    data_set: Vec<u8>,
}

impl Small {
    /// Another transfer syntax for each of five in a row, and another end for each five.
    fn new(number: u64) -> Self {
        let (transfer_syntax_uid, encoding) = [
            (EXPLICIT, Encoding::ExplicitLittle),
            (IMPLICIT, Encoding::ImplicitLittle),
            (BIG_ENDIAN, Encoding::ExplicitBig),
            (DEFLATED, Encoding::ExplicitLittle),
            (RLE, Encoding::ExplicitLittle),
        ][number as usize % 5];
        let sop_instance_uid = format!("1.2.3.{number}");
        let mut writer = Writer::new(encoding);
        writer.text(0x0008_0016, "UI", CR_IMAGE_STORAGE);
        writer.text(0x0008_0018, "UI", &sop_instance_uid);
        writer.text(0x0010_0020, "LO", "CUT");
        writer.text(0x0020_000d, "UI", &format!("1.2.4.{number}"));
        writer.text(0x0020_000e, "UI", &format!("1.2.5.{number}"));
        write_end(&mut writer, number / 5);
        if transfer_syntax_uid == RLE {
            writer.encapsulated(&[vec![number as u8; 66]]);
        }
        let data_set = writer.finish();
        let data_set = if transfer_syntax_uid == DEFLATED { deflate(&data_set) } else { data_set };
        Self { transfer_syntax_uid, sop_instance_uid, data_set }
    }

    fn part10(&self) -> Vec<u8> {
        let meta = part10::file_meta(CR_IMAGE_STORAGE, &self.sop_instance_uid, self.transfer_syntax_uid);
        [meta, self.data_set.clone()].concat()
    }

    /// The connection is gone in the middle of the only fragment of the data set.
    fn cut_c_store(&self, peer: SocketAddr, end: usize) {
        let proposal = Proposal::new(CR_IMAGE_STORAGE, self.transfer_syntax_uid);
        let mut association =
            Association::request(peer, "MAXRAY", std::slice::from_ref(&proposal)).expect("accepted");
        let context = association.context(&proposal).expect("accepted");
        let command = association.store_request(CR_IMAGE_STORAGE, &self.sop_instance_uid);
        let data = p_data(context, false, true, &self.data_set).encode();
        let header = data.len() - self.data_set.len();
        let sent = [p_data(context, true, true, &command).encode(), data[..header + end].to_vec()].concat();
        association.stream().write_all(&sent).expect("sent");
        association.stream().shutdown(Shutdown::Write).expect("half closed");
        let status = association.status();
        assert!(status.is_err(), "{}, cut at {end}: {status:04x?}", self.sop_instance_uid);
    }

    fn cut_stow(&self, peer: SocketAddr, token: &str, end: usize) {
        let file = self.part10();
        let body = multipart::encode("b", &[&file]);
        let begin = body.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("part headers") + 4;
        let request = format!(
            "POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: {}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            multipart::content_type("b"),
            body.len()
        );
        let mut stream = connect(peer);
        stream.write_all(&[request.as_bytes(), &body[..begin + end]].concat()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("half closed");
        let answer = read_to_end(&mut stream);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{}, cut at {end}: {answer}", self.sop_instance_uid);
    }
}

/// What a data set may end with.
fn write_end(writer: &mut Writer, kind: u64) {
    match kind % 10 {
        0 => writer.words(0x7fe0_0010, &[7; 16]),
        1 => writer.text(0x0040_a160, "UT", "a text of some length"),
        2 => writer.text(0x0099_1001, "LO", "private"),
        3 => {
            writer.header(0x0040_a730, "SQ", u32::MAX);
            writer.item(0xfffe_e000, u32::MAX);
            writer.text(0x0008_0100, "SH", "CODE");
            writer.item(0xfffe_e00d, 0);
            writer.item(0xfffe_e0dd, 0);
        }
        4 => {
            writer.header(0x0040_a730, "SQ", 20);
            writer.item(0xfffe_e000, 12);
            writer.element(0x0008_0100, "SH", b"CODE");
        }
        5 => writer.element(0x0028_0010, "US", &[0, 8]),
        6 => writer.element(0x0042_0011, "OB", &[1; 24]),
        7 => writer.text(0x0028_1050, "DS", "1\\2\\3\\4"),
        8 => writer.text(0x0032_1060, "LO", ""),
        _ => writer.element(0x0099_1002, "UN", &[0xff; 18]),
    }
}

#[tokio::test]
async fn a_transfer_cut_at_any_byte_stores_nothing() {
    let options = quiet().with("MAXRAY_PACS__ASSOCIATIONS_PER_AE_MAX", "64");
    let mut platform = Platform::start(options.with("MAXRAY_PACS__ASSOCIATIONS_PER_ADDRESS_MAX", "64")).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let files: Vec<Small> = (0..env::number(env::CUT_FILES, FILES)).map(Small::new).collect();
    let (dicom, http, token) = (platform.dicom(), platform.http(), service.token());
    let (next, cuts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for end in 0..file.data_set.len() {
                        file.cut_c_store(dicom, end);
                    }
                    let length = file.part10().len();
                    for end in 0..length {
                        file.cut_stow(http, token, end);
                    }
                    cuts.fetch_add(file.data_set.len() + length, Ordering::Relaxed);
                }
            });
        }
    });
    let cuts = cuts.into_inner();
    eprintln!("{} files, {cuts} cuts", files.len());
    assert!(cuts > 400 * files.len(), "only {cuts} cuts");
    guard.check(&mut platform, 40 * MIB).await;
    assert_eq!(qido::rows(&service, "/instances").await.len(), 0, "instances after {cuts} cuts");
    // Each of them is one that is taken whole.
    for file in &files {
        let (status, answer) = super::stow(&service, &file.part10()).await;
        assert_eq!(status, 200, "{}: {answer}", file.sop_instance_uid);
    }
}

/// Row 23: a sender that says "this was all" too early. A data set does not say how long it is, so a cut between two
/// elements is a smaller whole; a cut anywhere else is never a success.
#[tokio::test]
async fn a_data_set_that_ends_inside_of_an_element_is_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let whole = Crafted::new(&nested(3, true));
    let mut ends = vec![0];
    // Elements of the front: 8 bytes and their value each, none of them nested.
    let mut at = 0;
    while at < whole.data_set.len() && &whole.data_set[at + 4..at + 6] != b"SQ" {
        let length = u16::from_le_bytes([whole.data_set[at + 6], whole.data_set[at + 7]]);
        at += 8 + usize::from(length);
        ends.push(at);
    }
    let mut refused = 0;
    let proposal = Proposal::new(CR_IMAGE_STORAGE, EXPLICIT);
    let mut association =
        Association::request(platform.dicom(), "MAXRAY", std::slice::from_ref(&proposal)).expect("accepted");
    for end in (0..whole.data_set.len()).step_by(2).filter(|end| !ends.contains(end)) {
        let status =
            association.store(&proposal, &whole.sop_instance_uid, &whole.data_set[..end]).expect("a status");
        assert!((0xa900..=0xcfff).contains(&status), "cut at {end}: {status:04X}");
        refused += 1;
    }
    association.release().expect("a release");
    assert!(refused > 100, "only {refused} cuts");
    guard.check(&mut platform, 20 * MIB).await;
    assert_eq!(qido::rows(&service, "/instances").await.len(), 0);
}
