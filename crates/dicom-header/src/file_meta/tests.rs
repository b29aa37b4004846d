//! What `file_meta` must hold.

use super::*;
use crate::fixture::{BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, full};

fn element(number: u8, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, number, 0];
    bytes.extend_from_slice(vr.as_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn file(meta: &[u8], data_set: &[u8]) -> Vec<u8> {
    [&[0; 128], &b"DICM"[..], meta, data_set].concat()
}

/// Reads in pieces; what was not pushed yet when the end was seen is put behind.
fn read_in(bytes: &[u8], size: usize) -> Result<Option<FileMetaRead>, HeaderError> {
    let mut reader = FileMetaReader::new();
    for (index, piece) in bytes.chunks(size).enumerate() {
        if let Some(mut read) = reader.push(piece)? {
            read.data_set_start.extend_from_slice(&bytes[((index + 1) * size).min(bytes.len())..]);
            return Ok(Some(read));
        }
    }
    Ok(None)
}

fn check(bytes: &[u8], transfer_syntax: &str, data_set: &[u8]) {
    for size in [1, 3, 100, bytes.len()] {
        let read = read_in(bytes, size).unwrap().unwrap();
        assert_eq!(read.meta.transfer_syntax_uid.as_str(), transfer_syntax);
        assert!(read.data_set_start == data_set, "{size}");
    }
}

#[test]
fn reads_what_is_there() {
    let data_set = full(EXPLICIT);
    let uid = element(0x10, "UI", b"1.2.840.10008.1.2.1\0");
    check(&file(&uid, &data_set), EXPLICIT, &data_set);
    let group_length = [element(0, "UL", &[0xff; 4]), uid.clone()].concat();
    check(&file(&group_length, &data_set), EXPLICIT, &data_set);
    let version = b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01";
    let odd = [&version[..], &element(0x13, "SH", b"MORE THAN SIXTEEN BYTES"), &uid].concat();
    check(&file(&odd, &data_set), EXPLICIT, &data_set);
    // Without preamble, without prefix, group 2 alone.
    check(&[&b"DICM"[..], &uid, &data_set].concat(), EXPLICIT, &data_set);
    check(&[&uid[..], &data_set].concat(), EXPLICIT, &data_set);
    // Group 2 in implicit VR.
    let implicit = [&b"\x02\0\x10\0\x12\0\0\0"[..], b"1.2.840.10008.1.2\0"].concat();
    check(&file(&implicit, &full(IMPLICIT)), IMPLICIT, &full(IMPLICIT));
}

#[test]
fn tells_a_missing_transfer_syntax() {
    for uid in [IMPLICIT, EXPLICIT, BIG_ENDIAN] {
        check(&full(uid), uid, &full(uid));
        check(&file(&element(0x13, "SH", b"X "), &full(uid)), uid, &full(uid));
    }
}

#[test]
fn a_deflated_data_set_may_begin_like_group_2() {
    let uid = element(0x10, "UI", b"1.2.840.10008.1.2.1.99");
    let meta = [element(0, "UL", &(uid.len() as u32).to_le_bytes()), uid].concat();
    let data_set = b"\x02\0\x10\0UI\x04\0abcdefgh";
    check(&file(&meta, data_set), DEFLATED, data_set);
}

#[test]
fn refuses_what_cannot_be_trusted() {
    let text = [b'x'; 200];
    assert_eq!(FileMetaReader::new().push(&text), Err(HeaderError::NotDicom));
    let twice = [element(0x10, "UI", b"1.2\0"), element(0x10, "UI", b"1.3\0")].concat();
    let result = FileMetaReader::new().push(&file(&twice, &full(EXPLICIT)));
    assert_eq!(result, Err(HeaderError::ContradictoryUid(TRANSFER_SYNTAX_UID)));
    let wrong = file(&element(0x10, "UI", b"../x"), &full(EXPLICIT));
    let expected = HeaderError::InvalidUid { attribute: TRANSFER_SYNTAX_UID };
    assert_eq!(FileMetaReader::new().push(&wrong), Err(expected));
    let forged = file(b"\x02\0\x10\0UT\0\0\xfe\xff\xff\xff", &[0; 100]);
    assert!(matches!(FileMetaReader::new().push(&forged), Err(HeaderError::Malformed { .. })));
    let endless = file(&element(0x13, "SH", b"AB").repeat(10_000), &[]);
    assert!(matches!(FileMetaReader::new().push(&endless), Err(HeaderError::FileMetaTooLarge { .. })));
    assert_eq!(FileMetaReader::new().push(b"DICM"), Ok(None));
}
