//! What `json_encode` must hold.

use super::*;
use crate::{HeaderReader, Limits};

fn encode(json: &str) -> Result<Vec<Piece>, JsonEncodeError> {
    encode_json(&JsonDataSet::parse(json).expect("a data set"), &BTreeMap::new())
}

fn bytes(json: &str) -> Vec<u8> {
    match &encode(json).expect("encodes")[..] {
        [Piece::Bytes(bytes)] => bytes.clone(),
        pieces => panic!("{pieces:?}"),
    }
}

/// What every data set here begins with.
const UTF_8: &[u8] = b"\x08\0\x05\0CS\x0a\0ISO_IR 192";

fn check(json: &str, expected: &[u8]) {
    let bytes = bytes(json);
    assert_eq!(
        bytes.strip_prefix(UTF_8).map(<[u8]>::escape_ascii).map(|text| text.to_string()),
        Some(expected.escape_ascii().to_string()),
        "{json}"
    );
}

#[test]
fn values_of_every_kind() {
    check(
        r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B","Phonetic":"C"}]}}"#,
        b"\x10\0\x10\0PN\x06\0A^B==C",
    );
    check(r#"{"00080008":{"vr":"CS","Value":["A",null,"BC"]}}"#, b"\x08\0\x08\0CS\x06\0A\\\\BC ");
    check(r#"{"00080018":{"vr":"UI","Value":["1.2"]}}"#, b"\x08\0\x18\0UI\x04\x001.2\0");
    check(r#"{"00280010":{"vr":"US","Value":[65535,"1"]}}"#, b"\x28\0\x10\0US\x04\0\xff\xff\x01\0");
    check(r#"{"00281052":{"vr":"DS","Value":[-1024.50,"0.10"]}}"#, b"\x28\0\x52\x10DS\x0e\0-1024.50\\0.10 ");
    check(r#"{"00280009":{"vr":"AT","Value":["00181063"]}}"#, b"\x28\0\x09\0AT\x04\0\x18\0\x63\x10");
    check(
        r#"{"00091001":{"vr":"UN","InlineBinary":"AQID"}}"#,
        b"\x09\0\x01\x10UN\0\0\x04\0\0\0\x01\x02\x03\0",
    );
    check(
        r#"{"00080050":{"vr":"SH"},"00080020":{"Value":["20260101"]}}"#,
        b"\x08\0\x20\0DA\x08\x0020260101\x08\0\x50\0SH\0\0",
    );
    check(r#"{"00081190":{"vr":"UR","Value":["/a"]}}"#, b"\x08\0\x90\x11UR\0\0\x02\0\0\0/a");
    let left_out = r#"{"00020010":{"vr":"UI","Value":["1.2"]},"00100000":{"vr":"UL","Value":[7]},"FFFEE0DD":{"vr":"OB"}}"#;
    check(left_out, b"");
}

#[test]
fn items_are_delimited() {
    check(
        r#"{"00081140":{"vr":"SQ","Value":[{},{"00080005":{"vr":"CS","Value":["ISO_IR 100"]}}]}}"#,
        b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0\
          \xfe\xff\0\xe0\xff\xff\xff\xff\x08\0\x05\0CS\x0a\0ISO_IR 192\xfe\xff\x0d\xe0\0\0\0\0\
          \xfe\xff\xdd\xe0\0\0\0\0",
    );
}

#[test]
fn bulk_data_leaves_its_place() {
    let pieces = encode(
        r#"{"00081140":{"vr":"SQ","Value":[{"00091001":{"vr":"OB","BulkDataURI":"x"}}]},"7FE00010":{"vr":"OW","BulkDataURI":"y"},"7FE10010":{"vr":"LO"}}"#,
    )
    .expect("encodes");
    let places: Vec<&BulkDataPlace> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::BulkData(place) => Some(place),
            Piece::Bytes(_) => None,
        })
        .collect();
    assert_eq!((places[0].uri.as_str(), places[0].in_item, places[0].vr), ("x", true, *b"OB"));
    assert_eq!((places[1].tag, places[1].in_item), (0x7FE0_0010, false));
    assert_eq!(pieces.len(), 5);
}

#[test]
fn what_is_given_stands_in_its_place() {
    let json = r#"{"00280004":{"vr":"CS","Value":["RGB"]},"00280010":{"vr":"US","Value":[1]}}"#;
    let given = [
        (0x0028_0004, GivenElement { vr: *b"CS", value: b"X ".to_vec(), replaces: false }),
        (0x0028_0010, GivenElement { vr: *b"US", value: vec![9, 0], replaces: true }),
        (0x0028_0011, GivenElement { vr: *b"US", value: vec![8, 0], replaces: false }),
    ];
    let pieces = encode_json(&JsonDataSet::parse(json).expect("valid"), &given.into()).expect("encodes");
    let [Piece::Bytes(bytes)] = &pieces[..] else { panic!("{pieces:?}") };
    assert_eq!(
        &bytes[UTF_8.len()..],
        b"\x28\0\x04\0CS\x04\0RGB \x28\0\x10\0US\x02\0\x09\0\x28\0\x11\0US\x02\0\x08\0"
    );
}

#[test]
fn long_values_of_short_vrs_are_unknown_ones() {
    let text = "x".repeat(70_001);
    let bytes = bytes(&format!(r#"{{"00081030":{{"vr":"LO","Value":["{text}"]}}}}"#));
    assert_eq!(&bytes[UTF_8.len()..UTF_8.len() + 12], b"\x08\0\x30\x10UN\0\0\x72\x11\x01\0");
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    for (json, expected) in [
        (r#"{"00280010":{"vr":"US","Value":[65536]}}"#, "00280010: a value does not fit the VR"),
        (r#"{"00280010":{"vr":"US","Value":[1.5]}}"#, "00280010: a value does not fit the VR"),
        (r#"{"00280010":{"vr":"US","Value":[null]}}"#, "00280010: a value does not fit the VR"),
        (r#"{"00280010":{"vr":"US","Value":[1e400]}}"#, "00280010: a value does not fit the VR"),
        (r#"{"00100010":{"vr":"PN","Value":[7]}}"#, "00100010: a value does not fit the VR"),
        (r#"{"00104000":{"vr":"LT","Value":["a","b"]}}"#, "00104000: a value does not fit the VR"),
        (r#"{"00100010":{"vr":"xx","Value":["a"]}}"#, "00100010: the VR is none of PS3.5"),
        (r#"{"00091001":{"vr":"OB","InlineBinary":"*"}}"#, "00091001: InlineBinary is no base64"),
        (r#"{"00091001":{"vr":"LO","InlineBinary":"AQ=="}}"#, "00091001: a value does not fit the VR"),
        (r#"{"00091001":{"vr":"OB","Value":[1]}}"#, "00091001: a value does not fit the VR"),
        (
            r#"{"00081140":{"vr":"SQ","InlineBinary":"AQ==","Value":[{"00280009":{"vr":"AT","Value":["x"]}}]}}"#,
            "00081140.0.00280009: a value does not fit the VR",
        ),
        (
            r#"{"00081140":{"vr":"SQ","Value":[7]}}"#,
            "00081140: not of the DICOM JSON Model (PS3.18 F.2) at line 1, column 1",
        ),
    ] {
        assert_eq!(encode(json).expect_err(json).to_string(), expected, "{json}");
    }
}

// threats.md row 35.
#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        format!("{}{{}}{}", r#"{"00081140":{"vr":"SQ","Value":["#.repeat(depth), "]}}".repeat(depth))
    };
    assert!(encode(&nested(SEQUENCE_DEPTH_MAX)).is_ok());
    let error = encode(&nested(SEQUENCE_DEPTH_MAX + 1)).expect_err("too deep");
    assert_eq!(error.kind, JsonEncodeErrorKind::TooDeep);
    assert!(encode(&nested(100_000)).is_err());
}

#[test]
fn the_reader_gives_the_json_back() {
    let json = r#"{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.7"]},"00080018":{"vr":"UI","Value":["1.2.3"]},"00081140":{"vr":"SQ","Value":[{"00081150":{"vr":"UI","Value":["1.2"]}}]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"Müller^Jane","Ideographic":"山田^太郎"}]},"0020000D":{"vr":"UI","Value":["1.2.5"]},"0020000E":{"vr":"UI","Value":["1.2.4"]},"00281050":{"vr":"DS","Value":[40,-0.5]},"00189073":{"vr":"FD","Value":[0.1]}}"#;
    let uid = model::TransferSyntaxUid::parse("1.2.840.10008.1.2.1").expect("a UID");
    let mut reader = HeaderReader::new(&uid, Limits::default());
    reader.push(&bytes(json)).expect("reads");
    let header = reader.finish().expect("a header");
    assert_eq!(header.warnings, [""; 0]);
    let expected: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let found: serde_json::Value = serde_json::from_str(&header.json).expect("JSON");
    assert_eq!(found, expected);
}
