//! Small data sets in every encoding, rewritten into the others.

use super::*;
use crate::fixture::{
    BIG_ENDIAN, EXPLICIT, IMPLICIT, ITEM, ITEM_END, JPEG, SEQUENCE_END, Writer, full, read, syntax,
};

fn plain(implicit_vr: bool) -> Rewrite {
    let edits = BTreeMap::new();
    Rewrite { implicit_vr, signed: true, pixel_word_bytes: 2, stops_at_pixel_data: false, edits }
}

fn rewrite(uid: &str, bytes: &[u8], rewrite: Rewrite, size: usize) -> Result<Vec<u8>, HeaderError> {
    let mut rewriter = Rewriter::new(&syntax(uid), rewrite);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        rewriter.push(piece)?;
        out.extend(rewriter.take());
    }
    rewriter.finish()?;
    out.extend(rewriter.take());
    Ok(out)
}

/// What our own reader makes of it, but for what tells the encodings apart.
fn json(uid: &str, bytes: &[u8]) -> String {
    read(uid, bytes).expect("readable").json
}

#[test]
fn every_encoding_into_both() {
    for source in [IMPLICIT, EXPLICIT, BIG_ENDIAN] {
        let bytes = full(source);
        for (implicit_vr, target) in [(true, IMPLICIT), (false, EXPLICIT)] {
            let whole = rewrite(source, &bytes, plain(implicit_vr), usize::MAX).expect("rewrites");
            assert_eq!(json(source, &bytes), json(target, &whole), "{source} to {target}");
            for size in [1, 3, 7] {
                assert_eq!(rewrite(source, &bytes, plain(implicit_vr), size).expect("rewrites"), whole);
            }
            if source == target {
                assert_eq!(whole, bytes);
            }
        }
    }
    let once = rewrite(BIG_ENDIAN, &full(BIG_ENDIAN), plain(false), 5).expect("rewrites");
    let twice = rewrite(EXPLICIT, &once, plain(true), 5).expect("rewrites");
    assert_eq!(rewrite(IMPLICIT, &twice, plain(false), 5).expect("rewrites"), once);
}

#[test]
fn attributes_change_on_the_way() {
    let set = |value: &[u8]| Edit::Set { vr: VR::CS, value: value.to_vec() };
    let edits = BTreeMap::from([
        (0x0008_0008, set(b"DERIVED ")),
        (0x0028_0004, set(b"RGB ")),
        (0x0040_0555, Edit::Remove),
        (0x0028_2110, set(b"01")),
        (0x7FE1_0010, set(b"END ")),
    ]);
    for source in [IMPLICIT, EXPLICIT, BIG_ENDIAN] {
        let out = rewrite(source, &full(source), Rewrite { edits: edits.clone(), ..plain(false) }, 9);
        let json: serde_json::Value = serde_json::from_str(&json(EXPLICIT, &out.expect("rewrites"))).unwrap();
        assert_eq!(json["00080008"]["Value"][0], "DERIVED");
        assert_eq!(json["00280004"]["Value"][0], "RGB");
        assert_eq!(json["00282110"]["Value"][0], "01");
        assert!(json.get("00400555").is_none() && json.get("00400275").is_some());
        assert_eq!(json["00100010"]["Value"][0]["Alphabetic"], "Müller^J");
    }
}

#[test]
fn it_stops_at_pixel_data_and_goes_on_behind() {
    let bytes = full(JPEG);
    let writer = Writer::of(EXPLICIT);
    let after = writer.element(0xFFFC_FFFC, "OB", &[0; 4]);
    let edits = BTreeMap::from([(0x7FE0_0001, Edit::Remove)]);
    let rewrite = Rewrite { stops_at_pixel_data: true, edits, ..plain(false) };
    let mut rewriter = Rewriter::new(&syntax(JPEG), rewrite);
    rewriter.push(&bytes).expect("rewrites");
    assert!(rewriter.is_stopped());
    let before = rewriter.take();
    assert!(bytes.starts_with(&before));
    assert_eq!(bytes[before.len()..before.len() + 4], *b"\xe0\x7f\x10\0");
    rewriter.resume();
    rewriter.push(&after).expect("rewrites");
    rewriter.finish().expect("complete");
    assert_eq!(rewriter.take(), after);
    assert_eq!(element_header(false, tag::PIXEL_DATA, VR::OW, Some(4)), b"\xe0\x7f\x10\0OW\0\0\x04\0\0\0");
    assert_eq!(element_header(true, tag::PIXEL_DATA, VR::OB, None), b"\xe0\x7f\x10\0\xff\xff\xff\xff");
}

#[test]
fn odd_elements() {
    let writer = Writer::of(IMPLICIT);
    // A sequence by the dictionary that is none, a private sequence, a long text, a group length.
    let mut bytes = writer.element(0x0008_0000, "UL", &[4, 0, 0, 0]);
    bytes.extend(writer.element(0x0008_1140, "SQ", b"no items here"));
    bytes.extend(writer.header(0x0009_1001, "SQ", u32::MAX));
    bytes.extend([ITEM, &writer.element(0x0009_1002, "", b"ab"), ITEM_END, SEQUENCE_END].concat());
    bytes.extend(writer.element(0x0028_1050, "DS", &b"1.000000\\".repeat(8000)));
    let out = rewrite(IMPLICIT, &bytes, plain(false), 11).expect("rewrites");
    let mut expected = b"\x08\0\x40\x11UN\0\0\x0e\0\0\0no items here ".to_vec();
    expected.extend_from_slice(b"\x09\0\x01\x10SQ\0\0\xff\xff\xff\xff");
    expected.extend([ITEM, b"\x09\0\x02\x10UN\0\0\x02\0\0\0ab", ITEM_END, SEQUENCE_END].concat());
    expected.extend_from_slice(b"\x28\0\x50\x10UN\0\0\x40\x19\x01\0");
    assert!(out.starts_with(&expected), "{:?}", &out[..100]);

    let writer = Writer::of(EXPLICIT);
    let inside = Writer::of(IMPLICIT).element(0x0009_1002, "", b"ab");
    let mut unknown = writer.header(0x0009_1001, "UN", u32::MAX);
    unknown.extend([ITEM, &inside, ITEM_END, SEQUENCE_END].concat());
    assert_eq!(rewrite(EXPLICIT, &unknown, plain(false), 5).expect("rewrites"), unknown);
    let mut without = b"\x09\0\x01\x10\xff\xff\xff\xff".to_vec();
    without.extend([ITEM, &inside, ITEM_END, SEQUENCE_END].concat());
    assert_eq!(rewrite(EXPLICIT, &unknown, plain(true), 5).expect("rewrites"), without);
}

/// An item may end with what is left out: its end is written all the same, and what follows.
#[test]
fn a_group_length_may_be_the_last_of_an_item() {
    for source in [IMPLICIT, EXPLICIT, BIG_ENDIAN] {
        let writer = Writer::of(source);
        let length = writer.element(0x0008_0000, "UL", &[0; 4]);
        let code = [writer.element(0x0008_0100, "SH", b"T-1"), length.clone()].concat();
        for item in [length, code] {
            let sequence = writer.element(0x0008_2112, "SQ", &writer.item(&item));
            let bytes = [writer.uids(), sequence, writer.element(0x0010_0020, "LO", b"ID")].concat();
            for (implicit_vr, target) in [(true, IMPLICIT), (false, EXPLICIT)] {
                let out = rewrite(source, &bytes, plain(implicit_vr), 5).expect("rewrites");
                assert_eq!(json(source, &bytes), json(target, &out), "{source} to {target}");
            }
        }
    }
}

/// Some write an item with VR where the data set around it has none.
#[test]
fn an_explicit_item_of_an_implicit_sequence_is_read_as_it_is() {
    let (outside, inside) = (Writer::of(IMPLICIT), Writer::of(EXPLICIT));
    let group_length = inside.element(0x0008_0000, "UL", &[4, 0, 0, 0]);
    let code = inside.element(0x0008_0100, "SH", b"T-1");
    for item in [code.clone(), [group_length, code].concat()] {
        let sequence = outside.element(0x0008_2112, "SQ", &outside.item(&item));
        let bytes = [outside.uids(), sequence].concat();
        assert!(json(IMPLICIT, &bytes).contains("T-1"));
        let out = rewrite(IMPLICIT, &bytes, plain(false), 5).expect("rewrites");
        assert_eq!(json(IMPLICIT, &bytes), json(EXPLICIT, &out));
    }
}

/// Below UN items may be explicit although they should not be (PS3.5 6.2.2): without the UN nobody would look.
#[test]
fn an_explicit_item_below_un_is_written_without_vr_where_its_un_is() {
    let explicit = Writer::of(EXPLICIT);
    let code = explicit.element(0x0008_0100, "SH", b"T-1 ");
    for item in [explicit.item(&code), [ITEM, &code, ITEM_END].concat()] {
        let sequence = [explicit.header(0x0009_1001, "UN", u32::MAX), item, SEQUENCE_END.to_vec()].concat();
        let bytes = [explicit.uids(), sequence].concat();
        assert!(json(EXPLICIT, &bytes).contains("T-1"));
        let implicit = rewrite(EXPLICIT, &bytes, plain(true), 5).expect("rewrites");
        assert!(json(IMPLICIT, &implicit).contains("T-1"));
    }
}

/// Waveform Data, say, that came as UN of undefined length.
#[test]
fn a_sequence_that_would_be_read_as_fragments_stays_in_explicit_vr() {
    let writer = Writer::of(EXPLICIT);
    for vr in ["UN", "SQ"] {
        let sequence =
            [writer.header(0x5400_1010, vr, u32::MAX), writer.item(&[]), SEQUENCE_END.to_vec()].concat();
        let bytes = [writer.uids(), sequence].concat();
        read(EXPLICIT, &bytes).expect("readable");
        assert_eq!(rewrite(EXPLICIT, &bytes, plain(false), 5).expect("rewrites"), bytes);
        let refused = rewrite(EXPLICIT, &bytes, plain(true), 5);
        assert!(matches!(refused, Err(HeaderError::NeedsExplicitVr { .. })), "{vr}: {refused:?}");
    }
}

#[test]
fn fragments_that_only_a_vr_tells_of_stay_in_explicit_vr() {
    let writer = Writer::of(EXPLICIT);
    let fragments = |tag| {
        let value = [writer.item(&[]), writer.item(b"\xff\xd8\xff\xe0ab"), SEQUENCE_END.to_vec()].concat();
        [writer.uids(), writer.header(tag, "OB", u32::MAX), value].concat()
    };
    let private = fragments(0x0029_1010);
    read(EXPLICIT, &private).expect("readable");
    assert_eq!(rewrite(EXPLICIT, &private, plain(false), 5).expect("rewrites"), private);
    let refused = rewrite(EXPLICIT, &private, plain(true), 5);
    assert!(matches!(refused, Err(HeaderError::NeedsExplicitVr { .. })), "{refused:?}");
    let without = Rewrite { edits: BTreeMap::from([(0x0029_1010, Edit::Remove)]), ..plain(true) };
    assert_eq!(rewrite(EXPLICIT, &private, without, 5).expect("rewrites"), Writer::of(IMPLICIT).uids());
    for known in [0x0042_0011, 0x7fe0_0010] {
        let implicit = rewrite(EXPLICIT, &fragments(known), plain(true), 5).expect("rewrites");
        read(IMPLICIT, &implicit).expect("readable");
    }
}

#[test]
fn hostile_bytes_end() {
    for source in [IMPLICIT, EXPLICIT, BIG_ENDIAN] {
        let bytes = full(source);
        for cut in 0..bytes.len() {
            let _ = rewrite(source, &bytes[..cut], plain(false), usize::MAX);
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(out) = rewrite(source, &flipped, plain(bit % 2 == 0), 64) {
                assert!(out.len() <= bytes.len() * 3);
            }
        }
    }
    let nested = Writer::of(EXPLICIT).header(0x0040_a730, "SQ", u32::MAX);
    let deep = [&nested[..], ITEM].concat().repeat(100_000);
    assert!(rewrite(EXPLICIT, &deep, plain(true), usize::MAX).is_err());
}
