//! threats.md rows 14 to 19, 21, 31: data sets that lie, nest, explode or are not what they are called.
//! Classes: heap memory (CVE-2026-5442, CVE-2026-5443), recursion (CVE-2026-10528, CVE-2026-44031), bombs (CVE-2026-5438,
//! CVE-2026-3650), path traversal (CVE-2022-2119, CVE-2026-50003, CVE-2018-25113).

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use tests::{
    part10,
    platform::Platform,
    qido,
    synthetic::{CR_IMAGE_STORAGE, Encoding, Synthetic, Writer, new_uid},
};

use super::{Crafted, DEFLATED, EXPLICIT, MIB, c_store, nested, quiet, raw, stow};

/// Row 14, CVE-2026-10528, CVE-2026-44031: the depth that is allowed, one more, and as deep as one likes.
#[tokio::test]
async fn sequences_nest_to_64_and_no_deeper() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let allowed = Crafted::new(&nested(64, true));
    assert_eq!(allowed.c_store(platform.dicom()), 0, "64 sequences inside each other");
    let guard = platform.guard();
    for (what, depth, closed) in
        [("65", 65, true), ("2,000", 2_000, true), ("1,000,000", 1_000_000, false), ("65, open", 65, false)]
    {
        let crafted = Crafted::new(&nested(depth, closed));
        let begin = Instant::now();
        crafted
            .check_refused(platform.dicom(), &service, &format!("{what} sequences inside each other"))
            .await;
        eprintln!("{what}: {} ms", begin.elapsed().as_millis());
    }
    guard.check(&mut platform, 40 * MIB).await;
}

/// Row 15: delimiters and items where none may be.
#[tokio::test]
async fn stray_items_and_delimiters_are_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let crafted = |write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::new(Encoding::ExplicitLittle);
        write(&mut writer);
        Crafted::new(&writer.finish())
    };
    let cases: [(&str, Crafted); 5] = [
        ("an item outside of a sequence", crafted(&|writer| writer.item(0xfffe_e000, 0))),
        ("a sequence delimiter alone", crafted(&|writer| writer.item(0xfffe_e0dd, 0))),
        ("an item delimiter alone", crafted(&|writer| writer.item(0xfffe_e00d, 0))),
        (
            "a sequence shorter than its item",
            crafted(&|writer| {
                writer.header(0x0040_a730, "SQ", 8);
                writer.item(0xfffe_e000, 100);
                writer.text(0x0008_0100, "SH", &"x".repeat(92));
            }),
        ),
        (
            "an element longer than its item",
            crafted(&|writer| {
                writer.header(0x0040_a730, "SQ", 24);
                writer.item(0xfffe_e000, 16);
                writer.text(0x0008_0100, "SH", &"x".repeat(64));
            }),
        ),
    ];
    for (what, crafted) in cases {
        crafted.check_refused(platform.dicom(), &service, what).await;
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 16, CVE-2026-5437, CVE-2026-3650: lengths that nothing stands behind.
#[tokio::test]
async fn forged_lengths_take_no_memory() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    for (tag, vr) in [
        (0x7fe0_0010, "OB"),
        (0x7fe0_0010, "OW"),
        (0x0099_1001, "UN"),
        (0x0040_a160, "UT"),
        (0x0040_a730, "SQ"),
        (0x0088_0200, "SQ"),
    ] {
        for length in [u32::MAX - 1, 1 << 31, 100_000_000, 66] {
            let mut writer = Writer::new(Encoding::ExplicitLittle);
            writer.header(tag, vr, length);
            let crafted = Crafted::new(&[writer.finish(), vec![0; 64]].concat());
            crafted.check_refused(platform.dicom(), &service, &format!("{vr} of {length} bytes")).await;
        }
    }
    // The same in group 2, which is read before anything else; with a VR of the wrong kind, too.
    let good = Synthetic::cr("META", 16, 16);
    let data_set = good.data_set();
    for (what, element) in [
        ("UT", &b"\x02\0\x13\0UT\0\0\xfe\xff\xff\xff"[..]),
        ("OB", b"\x02\0\x01\0OB\0\0\xff\xff\xff\xff"),
        ("letters that are no VR", b"\x02\0\x13\0\xff\xfe\xff\xff\xff\xff\xff\x7f"),
    ] {
        let file = [&[0; 128], &b"DICM"[..], element, &data_set].concat();
        let (status, answer) = stow(&service, &file).await;
        assert!((400..500).contains(&status), "{what} in group 2: {status} {answer}");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 17, CVE-2026-5442, CVE-2026-5443: an image whose description no decoder should believe. It is DICOM, so it is
/// kept; it is no picture, so none is made.
#[tokio::test]
async fn images_that_cannot_be_are_kept_and_never_decoded() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let guard = platform.guard();
    let long = |value: u32| value.to_le_bytes().to_vec();
    let short = |value: u16| value.to_le_bytes().to_vec();
    let cases: Vec<(&str, u32, &str, Vec<u8>)> = vec![
        ("Rows as UL", 0x0028_0010, "UL", long(0x0001_0001)),
        ("Columns as SL", 0x0028_0011, "SL", long(u32::MAX)),
        ("no Rows", 0x0028_0010, "US", short(0)),
        ("65,535 Columns", 0x0028_0011, "US", short(65_535)),
        ("255 Bits Allocated", 0x0028_0100, "US", short(255)),
        ("High Bit above", 0x0028_0102, "US", short(65_535)),
        ("65,535 samples", 0x0028_0002, "US", short(65_535)),
        ("2^31 frames", 0x0028_0008, "IS", b"2147483648".to_vec()),
        ("-1 frames", 0x0028_0008, "IS", b"-1".to_vec()),
    ];
    for (what, tag, vr, value) in cases {
        let mut writer = Writer::new(Encoding::ExplicitLittle);
        let usual: [(u32, u16); 6] = [
            (0x0028_0002, 1),
            (0x0028_0010, 16),
            (0x0028_0011, 16),
            (0x0028_0100, 16),
            (0x0028_0101, 12),
            (0x0028_0102, 11),
        ];
        writer.text(0x0028_0004, "CS", "MONOCHROME2");
        for (usual, value) in usual.into_iter().filter(|(usual, _)| *usual != tag) {
            writer.short(usual, value);
        }
        writer.element(tag, vr, &value);
        writer.words(0x7fe0_0010, &[7; 256]);
        let crafted = Crafted::new(&writer.finish());
        assert_eq!(crafted.c_store(platform.dicom()), 0, "{what}");
        let place = qido::locate(&viewer, &crafted.sop_instance_uid).await.expect("stored");
        let path = format!(
            "/dicomweb/studies/{}/series/{}/instances/{}/rendered",
            place.study_instance_uid, place.series_instance_uid, crafted.sop_instance_uid
        );
        // Of the frames that are not counted rightly, the one that is there may be shown.
        let path = if tag == 0x0028_0008 { path.replace("/rendered", "/frames/2/rendered") } else { path };
        let answer = viewer.get(&path).await;
        assert!(answer.status().is_client_error(), "{what}: rendered says {}", answer.status());
    }
    drop(service);
    guard.check_alive(&mut platform).await;
    let growth = platform.peak_memory_bytes();
    assert!(growth < 400 * MIB, "peak memory {growth} bytes");
}

/// Row 18: an object is never kept under a transfer syntax that it is not in; the identities must agree.
#[tokio::test]
async fn file_meta_that_contradicts_the_data_set_is_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let xray = Synthetic::cr("META", 16, 16);
    let with_syntax = |syntax: &str, data_set: &[u8]| {
        [part10::file_meta(CR_IMAGE_STORAGE, &xray.sop_instance_uid, syntax), data_set.to_vec()].concat()
    };
    let big = xray.clone().with_transfer_syntax(model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN);
    let implicit = xray.clone().with_transfer_syntax(model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN);
    let mut twice = part10::file_meta(CR_IMAGE_STORAGE, &xray.sop_instance_uid, EXPLICIT);
    twice.extend_from_slice(b"\x02\0\x10\0UI\x12\x001.2.840.10008.1.2\0");
    twice.extend_from_slice(&xray.data_set());
    let cases = [
        ("big endian called little", with_syntax(EXPLICIT, &big.data_set())),
        ("implicit called explicit", with_syntax(EXPLICIT, &implicit.data_set())),
        ("explicit called deflated", with_syntax(DEFLATED, &xray.data_set())),
        ("two transfer syntaxes", twice),
        ("a transfer syntax that is no UID", with_syntax("../../x", &xray.data_set())),
    ];
    for (what, file) in cases {
        let (status, answer) = stow(&service, &file).await;
        assert!((400..500).contains(&status), "{what}: {status} {answer}");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 19, CVE-2022-2119, CVE-2022-2120, CVE-2026-50003, CVE-2018-25113: a UID is digits and dots, and never a name of a
/// file, on each of the ways in.
#[tokio::test]
async fn uids_never_name_files() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let outside = platform.outside_of_data();
    let long = "1".repeat(10_000);
    let uids = [
        "..",
        "../x",
        "../../../../tmp/x",
        "/etc/x",
        "1.2/3",
        "1.2\0../x",
        "CON",
        "1.2.",
        ".1",
        "1..2",
        " ",
        &long,
    ];
    for uid in uids {
        Crafted::with(&new_uid(), uid, &[])
            .check_refused(platform.dicom(), &service, "Study Instance UID")
            .await;
        // The command names the instance first; through STOW-RS group 2 and the data set do.
        let status = c_store(platform.dicom(), uid, EXPLICIT, &Crafted::with(uid, &new_uid(), &[]).data_set);
        assert!((0xa900..=0xcfff).contains(&status) || status == 0x0117, "{uid:.40}: {status:04X}");
        let (status, answer) = stow(&service, &Crafted::with(uid, &new_uid(), &[]).part10()).await;
        assert!((400..500).contains(&status), "{uid:.40}: {status} {answer}");
    }
    guard.check(&mut platform, 20 * MIB).await;
    assert_eq!(platform.outside_of_data(), outside, "a file outside of the data");
}

/// Row 21, A7, CVE-2026-5438, CVE-2026-5439: a thousand times more comes out than went in.
#[tokio::test]
async fn a_deflated_gigabyte_takes_no_gigabyte() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut head = Crafted::new(&[]).data_set;
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    writer.header(0x7fe0_0010, "OW", 1 << 30);
    head.extend(writer.finish());
    encoder.write_all(&head).expect("memory");
    let zeros = vec![0; MIB as usize];
    for _ in 0..1024 {
        encoder.write_all(&zeros).expect("memory");
    }
    let bomb = encoder.finish().expect("memory");
    assert!(bomb.len() < 8 << 20, "a bomb of {} bytes is none", bomb.len());
    let uid = new_uid();
    let begin = Instant::now();
    let status = c_store(platform.dicom(), &uid, DEFLATED, &bomb);
    assert_ne!(status, 0, "the identity of the data set is another: it cannot have been stored");
    let (status, answer) =
        stow(&service, &[part10::file_meta(CR_IMAGE_STORAGE, &uid, DEFLATED), bomb].concat()).await;
    // Kept as it came, or refused; never inflated into memory or onto the disk.
    assert!(status == 200 || (400..500).contains(&status), "{status} {answer}");
    eprintln!("{} ms", begin.elapsed().as_millis());
    let peak = platform.peak_memory_bytes();
    guard.check_alive(&mut platform).await;
    assert!(peak < 400 * MIB, "peak memory {peak} bytes");
}

/// Row 31: as many elements as one likes, and a private one of 64 MB.
#[tokio::test]
async fn many_and_long_elements_stay_in_bounded_memory() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    for _ in 0..2_100_000 {
        writer.header(0x0099_1001, "LO", 0);
    }
    let begin = Instant::now();
    let status = Crafted::new(&writer.finish()).c_store(platform.dicom());
    assert!((0xa900..=0xcfff).contains(&status), "2.1 million elements: {status:04X}");
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    for element in 0..150_000_u32 {
        writer.text(0x0099_1000 + element % 0xefff, "LO", "a value that is kept in the header");
    }
    // Whether that fits into the header's memory or not, the answer says so.
    let status = Crafted::new(&writer.finish()).c_store(platform.dicom());
    assert!(status == 0 || (0xa700..=0xcfff).contains(&status), "many private texts: {status:04X}");
    let mut writer = Writer::new(Encoding::ExplicitLittle);
    writer.header(0x0099_1001, "OB", 64 << 20);
    let mut tail = writer.finish();
    tail.resize(tail.len() + (64 << 20), 7);
    let long = Crafted::new(&tail);
    assert_eq!(long.c_store(platform.dicom()), 0, "a private element of 64 MB");
    eprintln!("{} ms", begin.elapsed().as_millis());
    let peak = platform.peak_memory_bytes();
    guard.check_alive(&mut platform).await;
    assert!(peak < 200 * MIB, "peak memory {peak} bytes");
    assert!(qido::locate(&service, &long.sop_instance_uid).await.is_some());
}

/// C16: the work for a long text grows with its length, not with its square.
#[tokio::test]
async fn long_texts_take_linear_time() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    let peer = platform.dicom();
    let time = |values: usize| {
        let mut writer = Writer::new(Encoding::ExplicitLittle);
        writer.element(0x0040_a160, "UT", "A\\^=\u{1b}$B ".repeat(values).as_bytes());
        writer.element(0x0008_0119, "UC", "v\\ ".repeat(values * 2).as_bytes());
        let crafted = Crafted::new(&writer.finish());
        let begin = Instant::now();
        let status = crafted.c_store(peer);
        assert!(status == 0 || (0xa700..=0xcfff).contains(&status), "{status:04X}");
        begin.elapsed().max(Duration::from_millis(5))
    };
    time(1_000);
    let (small, large) = (time(20_000), time(160_000));
    assert!(large < small * 40, "8 times the text took {large:?} after {small:?}");
    guard.check_alive(&mut platform).await;
}

/// A7: what pretends to be an upload of another kind is none.
#[tokio::test]
async fn archives_are_not_unpacked() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let zip = [&b"PK\x03\x04\x14\0\0\0\x08\0"[..], &[0; 300]].concat();
    let (status, answer) = stow(&service, &zip).await;
    assert!((400..500).contains(&status), "{status} {answer}");
    for media_type in ["application/zip", "application/gzip", "multipart/form-data; boundary=b"] {
        let answer = raw(
            platform.http(),
            format!(
                "POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {media_type}\r\n\
                 Content-Length: 4\r\nConnection: close\r\n\r\nPK\x03\x04",
                service.token()
            )
            .as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 415"), "{media_type}: {answer:.100}");
    }
    guard.check(&mut platform, 10 * MIB).await;
}
