//! PS3.10 7.1, DICOM File Meta Information: the one that is written in front of every kept data set.

use model::{
    AeTitle,
    uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid},
};

/// Implementation Class UID (0002,0012) of this program.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.163652968838013202396492510283269562745";
/// Implementation Version Name (0002,0013) of this program.
pub const IMPLEMENTATION_VERSION_NAME: &str = "MAXRAY_0_1";

/// Preamble of zeros, `DICM`, and group 2 in Explicit VR Little Endian.
pub fn encode_file_meta(
    sop_class: &SopClassUid,
    sop_instance: &SopInstanceUid,
    transfer_syntax: &TransferSyntaxUid,
    source_ae: Option<&AeTitle>,
) -> Vec<u8> {
    let mut group = Vec::with_capacity(384);
    group.extend_from_slice(b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01");
    text_element(&mut group, 0x0002, *b"UI", sop_class.as_str(), 0);
    text_element(&mut group, 0x0003, *b"UI", sop_instance.as_str(), 0);
    text_element(&mut group, 0x0010, *b"UI", transfer_syntax.as_str(), 0);
    text_element(&mut group, 0x0012, *b"UI", IMPLEMENTATION_CLASS_UID, 0);
    text_element(&mut group, 0x0013, *b"SH", IMPLEMENTATION_VERSION_NAME, b' ');
    if let Some(source_ae) = source_ae {
        text_element(&mut group, 0x0016, *b"AE", source_ae.as_str(), b' ');
    }
    let mut file_meta = vec![0; 128];
    file_meta.extend_from_slice(b"DICM\x02\0\0\0UL\x04\0");
    file_meta.extend_from_slice(&(group.len() as u32).to_le_bytes());
    file_meta.extend_from_slice(&group);
    file_meta
}

/// Values here have at most 64 bytes: UIDs, an AE title and our own name.
fn text_element(out: &mut Vec<u8>, element: u16, vr: [u8; 2], value: &str, padding: u8) {
    let length = value.len().next_multiple_of(2);
    out.extend_from_slice(&[2, 0]);
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(&vr);
    out.extend_from_slice(&(length as u16).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.resize(out.len() + length - value.len(), padding);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMetaReader;

    #[test]
    fn is_read_back() {
        let sop_class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.1").unwrap();
        let sop_instance = SopInstanceUid::parse("1.2.3.45").unwrap();
        let transfer_syntax = TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap();
        let source = AeTitle::parse("CR1").unwrap();
        let mut bytes = encode_file_meta(&sop_class, &sop_instance, &transfer_syntax, Some(&source));
        assert!(bytes.len().is_multiple_of(2));
        assert_eq!(bytes[140..144], (bytes.len() as u32 - 144).to_le_bytes());
        bytes.extend_from_slice(b"\x08\0\x05\0CS\0\0");
        let read = FileMetaReader::new().push(&bytes).unwrap().unwrap();
        assert_eq!(read.data_set_start, b"\x08\0\x05\0CS\0\0");
        assert_eq!(read.meta.transfer_syntax_uid, transfer_syntax);
        assert_eq!(read.meta.media_storage_sop_class_uid, Some(sop_class));
        assert_eq!(read.meta.media_storage_sop_instance_uid, Some(sop_instance));
        assert_eq!(read.meta.source_application_entity_title, Some(source));
        assert_eq!(read.meta.implementation_version_name.as_deref(), Some(IMPLEMENTATION_VERSION_NAME));
    }

    #[test]
    fn our_class_uid_is_one() {
        assert!(SopClassUid::parse(IMPLEMENTATION_CLASS_UID).is_ok());
    }
}
