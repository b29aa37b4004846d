//! Element streams: well formed ones in any pieces, and what is read leniently.

mod hostile;

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use model::frame::{ByteRange, FrameTable};
use serde_json::Value;

use crate::{HeaderError, HeaderReader, Limits, fixture::*};

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same data set in every encoding, ready to push.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut samples: Vec<_> = [IMPLICIT, EXPLICIT, BIG_ENDIAN, JPEG].map(|uid| (uid, full(uid))).to_vec();
    samples.push((DEFLATED, deflate(&full(EXPLICIT))));
    samples
}

fn json(uid: &str, bytes: &[u8]) -> Value {
    serde_json::from_str(&read(uid, bytes).unwrap().json).unwrap()
}

#[test]
fn reads_the_same_in_every_encoding() {
    let expected = read(EXPLICIT, &full(EXPLICIT)).unwrap();
    assert_eq!(expected.warnings, Vec::<String>::new());
    assert_eq!(expected.patient.patient_name, "Müller^J");
    assert_eq!(expected.series.requested_procedure_id, "RP1");
    assert_eq!(expected.frame_table.len(), 2);
    let module = expected.pixel_module.as_ref().unwrap();
    assert_eq!((module.rows, module.columns, module.bits_stored, module.signed), (2, 3, 12, true));
    assert_eq!((module.windows[1].center, module.windows[1].width), (100.0, 50.0));
    for (uid, bytes) in samples() {
        let header = read(uid, &bytes).unwrap();
        assert_eq!((&header.patient, &header.study), (&expected.patient, &expected.study), "{uid}");
        assert_eq!(header.frame_table.len(), 2, "{uid}");
        let vr = if uid == JPEG { "\"7FE00010\":{\"vr\":\"OB\"" } else { "\"7FE00010\":{\"vr\":\"OW\"" };
        assert_eq!(header.json, expected.json.replace("\"7FE00010\":{\"vr\":\"OW\"", vr), "{uid}");
    }
}

#[test]
fn gives_the_same_in_any_pieces() {
    for (uid, bytes) in samples() {
        let whole = read(uid, &bytes).unwrap();
        for size in [1, 2, 3, 7, 11, 64] {
            assert_eq!(read_in(uid, &bytes, size).as_ref(), Ok(&whole), "{uid} in {size}");
        }
    }
}

#[test]
fn long_values_are_references() {
    let writer = Writer::of(EXPLICIT);
    let icon = [writer.image(1, 1, 1), writer.element(0x7fe0_0010, "OW", &[7; 2])].concat();
    let mut bytes = writer.uids();
    bytes.extend(writer.element(0x0042_0010, "ST", &[b'x'; 10]));
    bytes.extend(writer.element(0x0042_0011, "OB", &[1; 2000]));
    bytes.extend(writer.header(0x0088_0200, "SQ", (icon.len() + 8) as u32));
    bytes.extend(writer.item(&icon));
    bytes.extend(writer.element(0x0099_1001, "UT", &vec![b'x'; 70_000]));
    let header = read(EXPLICIT, &bytes).unwrap();
    let found: Vec<_> = header
        .bulk_data
        .iter()
        .map(|bulk| (bulk.path.as_str(), bulk.vr.as_str(), bulk.range.length))
        .collect();
    let expected = [("00420011", "OB", 2000), ("00880200.0.7FE00010", "OW", 2), ("00991001", "UT", 70_000)];
    assert_eq!(found, expected);
    assert_eq!(bytes[header.bulk_data[1].range.offset as usize..][..2], [7, 7]);
    assert!(header.json.contains("\"BulkDataURI\":\"bulkdata/00880200.0.7FE00010\""));
    assert_eq!(header.pixel_module, None);
}

#[test]
fn unknown_vr_is_read_by_the_dictionary() {
    let writer = Writer::of(EXPLICIT);
    let implicit = Writer::of(IMPLICIT);
    let code = implicit.element(0x0008_0100, "SH", b"T-1");
    let item = implicit.item(&code);
    let mut bytes = writer.uids();
    bytes.extend(writer.element(0x0010_0020, "UN", b"ID 7"));
    bytes.extend(writer.element(0x0028_0010, "UN", &[5, 0]));
    bytes.extend(writer.element(0x0040_0555, "UN", &item));
    bytes.extend(writer.header(0x0040_a730, "UN", u32::MAX));
    bytes.extend(&item);
    bytes.extend_from_slice(SEQUENCE_END);
    bytes.extend(writer.element(0x0054_0016, "UN", b"no sequence"));
    let header = read_in(EXPLICIT, &bytes, 1).unwrap();
    assert_eq!((header.patient.patient_id.as_str(), header.instance.rows), ("ID 7", Some(5)));
    let json: Value = serde_json::from_str(&header.json).unwrap();
    assert_eq!(json["00400555"]["Value"][0]["00080100"]["Value"][0], "T-1");
    assert_eq!(json["0040A730"]["Value"][0]["00080100"]["Value"][0], "T-1");
    assert_eq!(json["00540016"]["vr"], "UN");
}

/// threats.md row 18: kept under its transfer syntax, such an object would lie about itself.
#[test]
fn encodings_against_the_transfer_syntax() {
    for (declared, written) in [
        (EXPLICIT, IMPLICIT),
        (JPEG, IMPLICIT),
        (IMPLICIT, EXPLICIT),
        (EXPLICIT, BIG_ENDIAN),
        (BIG_ENDIAN, EXPLICIT),
    ] {
        let refused = read(declared, &full(written));
        assert!(matches!(refused, Err(HeaderError::OtherEncoding { .. })), "{written} under {declared}");
    }
}

/// Found by fuzz/fuzz_targets/data_set.rs: without its group length such a data set would not be read again.
#[test]
fn the_element_after_a_group_length_shows_the_encoding_too() {
    let writer = Writer::of(EXPLICIT);
    let group_length = writer.element(0x0008_0000, "UL", &[8, 0, 0, 0]);
    let swapped = [&group_length[..], &writer.element(0x0100_0005, "CS", b"X "), &writer.uids()].concat();
    assert!(matches!(read(EXPLICIT, &swapped), Err(HeaderError::OtherEncoding { .. })));
    let usual =
        [&group_length[..], &writer.element(0x0008_0005, "CS", b"ISO_IR 100"), &writer.uids()].concat();
    assert!(read(EXPLICIT, &usual).is_ok());
}

#[test]
fn attributes_out_of_order_and_twice() {
    let writer = Writer::of(EXPLICIT);
    let mut bytes = [writer.element(0x0010_0020, "LO", b"first"), writer.uids()].concat();
    bytes.extend(writer.element(0x0010_0020, "LO", b"second"));
    let header = read(EXPLICIT, &bytes).unwrap();
    assert_eq!(header.patient.patient_id, "first");
    let json: serde_json::Map<String, Value> = serde_json::from_str(&header.json).unwrap();
    assert!(json.keys().is_sorted());
    assert_eq!(json["00100020"]["Value"][0], "first");
    bytes.extend(writer.element(0x0008_0018, "UI", b"9.9"));
    assert_eq!(read(EXPLICIT, &bytes), Err(HeaderError::ContradictoryUid("SOPInstanceUID")));
}

#[test]
fn identity_is_known_early() {
    let mut reader = HeaderReader::new(&syntax(EXPLICIT), Limits::default());
    let bytes = Writer::of(EXPLICIT).uids();
    reader.push(&bytes[..40]).unwrap();
    assert_eq!(reader.identity(), None);
    reader.push(&bytes[40..52]).unwrap();
    assert_eq!(reader.identity().unwrap().sop_instance_uid.as_str(), "1.2.3.4");
}

#[test]
fn character_sets_are_inherited_and_overridden() {
    let writer = Writer::of(EXPLICIT);
    let greek =
        [writer.element(0x0008_0005, "CS", b"ISO_IR 126"), writer.element(0x0008_0104, "LO", b"\xc4")]
            .concat();
    let inherited = writer.element(0x0008_0104, "LO", b"\xc4");
    let items = [writer.item(&greek), writer.item(&inherited)].concat();
    let mut bytes = [writer.element(0x0008_0005, "CS", b"ISO_IR 100"), writer.uids()].concat();
    bytes.extend(writer.element(0x0040_0555, "SQ", &items));
    let json = json(EXPLICIT, &bytes);
    assert_eq!(json["00080005"]["Value"][0], "ISO_IR 192");
    let items = &json["00400555"]["Value"];
    assert_eq!(items[0]["00080005"]["Value"][0], "ISO_IR 192");
    assert_eq!(
        (&items[0]["00080104"]["Value"][0], &items[1]["00080104"]["Value"][0]),
        (&"Δ".into(), &"Ä".into())
    );
}

#[test]
fn what_is_left_out_and_what_is_empty() {
    let writer = Writer::of(EXPLICIT);
    let mut bytes =
        [writer.element(0x0002_0010, "UI", b"1.2"), writer.element(0x0008_0000, "UL", &[0; 4])].concat();
    bytes.extend(writer.uids());
    bytes.extend(writer.header(0x0010_0020, "LO", 0));
    bytes.extend(writer.header(0x0040_0555, "SQ", 0));
    bytes.extend(writer.header(0x0040_a168, "SQ", 8));
    bytes.extend(writer.item(&[]));
    bytes.extend(writer.element(0xfffc_fffc, "OB", &[0; 6]));
    let json = json(EXPLICIT, &bytes);
    assert_eq!(json["00100020"], serde_json::json!({ "vr": "LO" }));
    assert_eq!(json["00400555"], serde_json::json!({ "vr": "SQ" }));
    assert_eq!(json["0040A168"], serde_json::json!({ "vr": "SQ", "Value": [{}] }));
    assert_eq!(json.as_object().unwrap().len(), 8);
}

#[test]
fn a_lying_offset_table_is_rebuilt() {
    let writer = Writer::of(JPEG);
    let with_table = |table: &[u32]| {
        let table: Vec<u8> = table.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let mut bytes =
            [writer.uids(), writer.image(2, 3, 2), writer.header(0x7fe0_0010, "OB", u32::MAX)].concat();
        bytes.extend(writer.item(&table));
        let start = bytes.len() as u64 + 8;
        for fragment in [&b"\xff\xd8\xff\xe0ab"[..], b"cd", b"\xff\xd8\xff\xe0efgh"] {
            bytes.extend(writer.item(fragment));
        }
        bytes.extend_from_slice(SEQUENCE_END);
        (start, read(JPEG, &bytes).unwrap())
    };
    for (table, warnings) in
        [(&[0, 24][..], 0), (&[], 0), (&[0, 14], 1), (&[24, 0], 1), (&[0, u32::MAX], 1), (&[0], 1)]
    {
        let (start, header) = with_table(table);
        let at = |offset, length| ByteRange { offset: start + offset, length };
        let frames = vec![vec![at(0, 6), at(14, 2)], vec![at(24, 8)]];
        assert_eq!(header.frame_table, FrameTable::Encapsulated { frames }, "{table:?}");
        assert_eq!(header.warnings.len(), warnings, "{table:?}");
    }
}

#[test]
fn tables_longer_than_a_value_are_kept() {
    let writer = Writer::of(EXPLICIT);
    let mut bytes = [writer.uids(), writer.image(1, 1, 1)].concat();
    for color in 1..=3 {
        let descriptor = [writer.us(0), writer.us(0), writer.us(16)].concat();
        bytes.extend(writer.element(0x0028_1100 + color, "US", &descriptor));
    }
    for color in 1..=3 {
        bytes.extend(writer.element(0x0028_1200 + color, "OW", &vec![color as u8; 131_072]));
    }
    bytes.extend(writer.element(0x7fe0_0010, "OW", &[0; 2]));
    let header = read_in(EXPLICIT, &bytes, 1000).unwrap();
    let palette = header.pixel_module.unwrap().palette.unwrap();
    assert_eq!((palette[2].entries.len(), palette[2].entries[65_535]), (65_536, 0x0303));
    assert_eq!(header.bulk_data.len(), 4);
}
