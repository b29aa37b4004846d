//! Reads a file with the header reader. Where only a mandatory UID is missing one is added behind the data set, so
//! that the rest can be compared.

use dicom_header::{FileMetaReader, HeaderError, HeaderReader, Limits};
use model::{instance::InstanceHeader, uid::TransferSyntaxUid};

/// What became of one file.
pub enum Ours {
    Read(Box<Read>),
    Refused(String),
}

/// A file that was read.
pub struct Read {
    pub header: InstanceHeader,
    pub transfer_syntax: TransferSyntaxUid,
    /// Where the data set begins in the file.
    pub data_set_offset: usize,
    /// Attributes that had to be added.
    pub added: Vec<&'static str>,
}

const UIDS: [(&str, u32); 4] = [
    ("SOPClassUID", 0x0008_0016),
    ("SOPInstanceUID", 0x0008_0018),
    ("StudyInstanceUID", 0x0020_000D),
    ("SeriesInstanceUID", 0x0020_000E),
];

pub fn read(bytes: &[u8]) -> Ours {
    let meta = match FileMetaReader::new().push(bytes) {
        Ok(Some(meta)) => meta,
        Ok(None) => return Ours::Refused("no end of group 2".to_owned()),
        Err(error) => return Ours::Refused(format!("{error:?}")),
    };
    let transfer_syntax = meta.meta.transfer_syntax_uid;
    let data_set_offset = bytes.len() - meta.data_set_start.len();
    let mut added = Vec::new();
    let mut data_set = meta.data_set_start;
    loop {
        match read_data_set(&transfer_syntax, &data_set) {
            Ok(header) => {
                return Ours::Read(Box::new(Read { header, transfer_syntax, data_set_offset, added }));
            }
            Err(HeaderError::MissingUid(keyword))
                if !added.contains(&keyword) && !transfer_syntax.data_set_encoding().deflated =>
            {
                added.push(keyword);
                let tag = UIDS.iter().find(|uid| uid.0 == keyword).expect("a mandatory UID").1;
                data_set.extend(uid_element(&transfer_syntax, &data_set, tag));
            }
            Err(error) => return Ours::Refused(format!("{error:?}")),
        }
    }
}

/// Tags of the added attributes.
pub fn added_tags(read: &Read) -> Vec<String> {
    let tag_of =
        |keyword: &&str| UIDS.iter().find(|uid| uid.0 == *keyword).map(|uid| format!("{:08X}", uid.1));
    read.added.iter().filter_map(tag_of).collect()
}

fn read_data_set(transfer_syntax: &TransferSyntaxUid, bytes: &[u8]) -> Result<InstanceHeader, HeaderError> {
    let mut reader = HeaderReader::new(transfer_syntax, Limits::default());
    for piece in bytes.chunks(4093) {
        reader.push(piece)?;
    }
    reader.finish()
}

/// An element as the data set is really written, whatever its transfer syntax says.
fn uid_element(transfer_syntax: &TransferSyntaxUid, data_set: &[u8], tag: u32) -> Vec<u8> {
    let big_endian = transfer_syntax.data_set_encoding().big_endian;
    let implicit = !data_set[4..6].iter().all(u8::is_ascii_uppercase);
    let (group, element) = ((tag >> 16) as u16, tag as u16);
    let mut bytes = Vec::new();
    for part in [group, element] {
        bytes.extend_from_slice(&if big_endian { part.to_be_bytes() } else { part.to_le_bytes() });
    }
    if implicit {
        bytes.extend_from_slice(&4_u32.to_le_bytes());
    } else {
        bytes.extend_from_slice(b"UI");
        bytes.extend_from_slice(&if big_endian { 4_u16.to_be_bytes() } else { 4_u16.to_le_bytes() });
    }
    bytes.extend_from_slice(b"2.25");
    bytes
}
