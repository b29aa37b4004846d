//! What hostile or broken senders send: refused, in bounded memory.

use super::{deflate, samples};
use crate::{HeaderError, HeaderReader, Limits, fixture::*};

#[test]
fn a_data_set_cut_anywhere_inside_an_element_is_refused() {
    for (uid, bytes) in samples() {
        let whole = read(uid, &bytes).unwrap();
        for end in 0..bytes.len() {
            // Between two elements nothing tells that more should follow: then only whole elements may be there.
            if let Ok(header) = read(uid, &bytes[..end]) {
                assert_eq!(header.pixel_module, None, "{uid} cut at {end}");
                assert!(whole.json.starts_with(header.json.trim_end_matches('}')), "{uid} cut at {end}");
            }
        }
    }
}

#[test]
fn refuses_pixel_data_that_are_cut() {
    let writer = Writer::of(EXPLICIT);
    let mut bytes = [writer.uids(), writer.header(0x7fe0_0010, "OW", 1000)].concat();
    bytes.extend([0; 999]);
    assert!(matches!(read(EXPLICIT, &bytes), Err(HeaderError::Truncated { .. })));
    let jpeg = full(JPEG);
    assert!(matches!(read(JPEG, &jpeg[..jpeg.len() - 8]), Err(HeaderError::Truncated { .. })));
}

fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Writer::of(EXPLICIT).uids();
    for _ in 0..depth {
        bytes.extend_from_slice(b"\x40\0\x55\x05SQ\0\0\xff\xff\xff\xff");
        bytes.extend_from_slice(ITEM);
    }
    for _ in 0..depth {
        bytes.extend_from_slice(ITEM_END);
        bytes.extend_from_slice(SEQUENCE_END);
    }
    bytes
}

#[test]
fn nesting_is_bounded() {
    assert!(read(EXPLICIT, &nested(64)).is_ok());
    for depth in [65, 2_000, 1_000_000] {
        assert_eq!(read(EXPLICIT, &nested(depth)), Err(HeaderError::TooDeep { max: 64 }), "{depth}");
    }
}

#[test]
fn forged_lengths_are_refused_without_being_allocated() {
    let writer = Writer::of(EXPLICIT);
    for (vr, length) in [("OB", 0xffff_fffe), ("UN", 0xffff_fffe), ("UT", 0x7fff_ffff), ("SQ", 0xffff_fff0)] {
        let bytes = [writer.uids(), writer.header(0x0042_0011, vr, length), b"abcdefgh".to_vec()].concat();
        let result = read(EXPLICIT, &bytes);
        let refused = matches!(result, Err(HeaderError::Truncated { .. } | HeaderError::Malformed { .. }));
        assert!(refused, "{vr}: {result:?}");
    }
    // An element longer than its item, an item longer than its sequence, a header over the end of both.
    let value = writer.element(0x0008_0100, "SH", b"abcd");
    for (sequence, item) in
        [(value.len() + 6, value.len()), (value.len() + 8, value.len() - 2), (12, 4), (8, 99)]
    {
        let mut bytes = [writer.uids(), writer.header(0x0040_0555, "SQ", sequence as u32)].concat();
        bytes.extend(writer.header(0xfffe_e000, "", item as u32));
        bytes.extend(&value);
        bytes.extend(writer.element(0x0040_0556, "ST", b"x"));
        assert!(
            matches!(read(EXPLICIT, &bytes), Err(HeaderError::LengthPastEnd { .. })),
            "{sequence} {item}"
        );
    }
}

#[test]
fn stray_delimiters_and_items_are_refused() {
    let writer = Writer::of(EXPLICIT);
    let sequence = writer.header(0x0040_0555, "SQ", u32::MAX);
    for stray in [
        ITEM.to_vec(),
        ITEM_END.to_vec(),
        SEQUENCE_END.to_vec(),
        [&sequence[..], ITEM_END].concat(),
        [&sequence[..], b"\x40\0\x55\x05SH\0\0"].concat(),
        [&sequence[..], ITEM, SEQUENCE_END].concat(),
        [&sequence[..], b"\xfe\xff\x00\xe0\x08\0\0\0", ITEM_END].concat(),
    ] {
        let bytes = [writer.uids(), stray].concat();
        assert!(matches!(read(EXPLICIT, &bytes), Err(HeaderError::Malformed { .. })), "{bytes:?}");
    }
}

#[test]
fn memory_and_elements_are_bounded() {
    let writer = Writer::of(EXPLICIT);
    let many: Vec<u8> =
        (0..1_000_000_u32).flat_map(|tag| writer.header(0x0009_1000 + tag, "LO", 0)).collect();
    let mut reader = HeaderReader::new(&syntax(EXPLICIT), Limits::default());
    assert_eq!(reader.push(&many), Err(HeaderError::TooMuchMemory { max: 16 << 20 }));
    assert_eq!(reader.push(b"more"), Err(HeaderError::TooMuchMemory { max: 16 << 20 }));
    let limits = Limits { elements_max: 1000, ..Limits::default() };
    let mut reader = HeaderReader::new(&syntax(EXPLICIT), limits);
    assert_eq!(reader.push(&many), Err(HeaderError::TooManyElements { max: 1000 }));
    let mut fragments = writer.header(0x7fe0_0010, "OB", u32::MAX);
    (0..1_500_000).for_each(|_| fragments.extend_from_slice(b"\xfe\xff\x00\xe0\x01\0\0\0x"));
    let mut reader = HeaderReader::new(&syntax(JPEG), Limits::default());
    assert_eq!(reader.push(&fragments), Err(HeaderError::TooMuchMemory { max: 16 << 20 }));
}

#[test]
fn a_deflate_bomb_is_stopped_or_passed_over() {
    let writer = Writer::of(EXPLICIT);
    let mut bytes = [writer.uids(), writer.header(0x7fe0_0010, "OW", 32 << 20)].concat();
    bytes.resize(bytes.len() + (32 << 20), 0);
    let bomb = deflate(&bytes);
    assert!(read(DEFLATED, &bomb).is_ok());
    let limits = Limits { inflated_max_bytes: 1 << 20, ..Limits::default() };
    let mut reader = HeaderReader::new(&syntax(DEFLATED), limits);
    assert_eq!(reader.push(&bomb), Err(HeaderError::DeflateTooLarge { max: 1 << 20 }));
    assert_eq!(read(DEFLATED, &full(EXPLICIT)), Err(HeaderError::DeflateDamaged));
}

#[test]
fn uids_must_be_there_and_be_uids() {
    let writer = Writer::of(EXPLICIT);
    assert_eq!(read(EXPLICIT, &[]), Err(HeaderError::MissingUid("StudyInstanceUID")));
    let others = writer.uids()[..].to_vec();
    let study = writer.element(0x0020_000d, "UI", b"1.2.3");
    let at = others.windows(study.len()).position(|window| window == study).unwrap();
    let with = |study: &[u8]| [&others[..at], study, &others[at + 14..]].concat();
    let wrong = read(EXPLICIT, &with(&writer.element(0x0020_000d, "UI", b"../etc")));
    assert_eq!(wrong, Err(HeaderError::InvalidUid { attribute: "StudyInstanceUID" }));
    let empty = read(EXPLICIT, &with(&writer.element(0x0020_000d, "UI", b"")));
    assert_eq!(empty, Err(HeaderError::MissingUid("StudyInstanceUID")));
}

#[test]
fn random_bytes_do_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (uid, bytes) in samples() {
        for _ in 0..3_000 {
            let mut bytes = bytes.clone();
            for _ in 0..=random() % 4 {
                let at = random() as usize % bytes.len();
                bytes[at] = random() as u8;
            }
            let size = 1 + random() as usize % 40;
            let (in_pieces, whole) = (read_in(uid, &bytes, size), read(uid, &bytes));
            // Of a damaged deflate stream more or less is inflated before the damage shows: two reasons to refuse it.
            if uid != DEFLATED || in_pieces.is_ok() || whole.is_ok() {
                assert_eq!(in_pieces, whole);
            }
        }
    }
}
