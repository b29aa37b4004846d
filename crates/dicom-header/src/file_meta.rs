//! PS3.10 7.1, DICOM File Meta Information: reading it, also when it is incomplete or not there.

use dicom_core::VR;
use model::{
    AeTitle,
    transfer_syntax::{EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
    uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid},
};

use crate::{
    charset::latin_1,
    element::{self, Encoding},
    error::HeaderError,
    limits::FILE_META_MAX_BYTES,
};

/// Preamble and prefix.
const PREAMBLE_BYTES: usize = 132;
/// Bytes of the data set from which its encoding is told.
const SNIFFED_BYTES: usize = 8;
const EXPLICIT_LITTLE_ENDIAN: Encoding = Encoding { implicit_vr: false, big_endian: false };

const TRANSFER_SYNTAX_UID: &str = "TransferSyntaxUID";

/// What group 2 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMeta {
    /// Transfer Syntax UID (0002,0010); told from the first bytes of the data set when it is missing.
    pub transfer_syntax_uid: TransferSyntaxUid,
    /// Media Storage SOP Class UID (0002,0002), when it is a UID.
    pub media_storage_sop_class_uid: Option<SopClassUid>,
    /// Media Storage SOP Instance UID (0002,0003), when it is a UID.
    pub media_storage_sop_instance_uid: Option<SopInstanceUid>,
    /// Source Application Entity Title (0002,0016).
    pub source_application_entity_title: Option<AeTitle>,
    /// Implementation Class UID (0002,0012), as text.
    pub implementation_class_uid: Option<String>,
    /// Implementation Version Name (0002,0013).
    pub implementation_version_name: Option<String>,
}

/// The head of a file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMetaRead {
    /// What it says.
    pub meta: FileMeta,
    /// Bytes that were pushed already and belong to the data set.
    pub data_set_start: Vec<u8>,
    /// What was read leniently.
    pub warnings: Vec<String>,
}

/// Push parser for the head of a Part 10 file. Takes files without preamble, without group length, without group 2
/// and without transfer syntax. A file of fewer than 132 bytes never comes to an end: it is none.
#[derive(Debug, Default)]
pub struct FileMetaReader {
    buffer: Vec<u8>,
    /// Where the next element begins, once it is known whether there is a preamble.
    at: Option<usize>,
    has_prefix: bool,
    group_end: Option<usize>,
    transfer_syntax_uid: Option<String>,
    sop_class_uid: Option<String>,
    sop_instance_uid: Option<String>,
    source: Option<String>,
    implementation_class_uid: Option<String>,
    implementation_version_name: Option<String>,
}

impl FileMetaReader {
    /// A reader at the first byte of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; gives the meta group once its end has been seen. Bytes that follow belong to the data
    /// set and are to be pushed elsewhere.
    ///
    /// # Errors
    /// When the bytes are not DICOM, or group 2 is damaged or too long.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<FileMetaRead>, HeaderError> {
        self.buffer.extend_from_slice(bytes);
        let Some(mut at) = self.start() else { return Ok(None) };
        while let Some(next) = self.element(at)? {
            at = next;
            self.at = Some(at);
        }
        if at > FILE_META_MAX_BYTES {
            return Err(HeaderError::FileMetaTooLarge { max: FILE_META_MAX_BYTES });
        }
        if self.is_end(at) { self.finish(at).map(Some) } else { self.wait() }
    }

    /// Not enough bytes yet: fine, unless there are too many already.
    fn wait(&self) -> Result<Option<FileMetaRead>, HeaderError> {
        let max = FILE_META_MAX_BYTES;
        if self.buffer.len() > max { Err(HeaderError::FileMetaTooLarge { max }) } else { Ok(None) }
    }

    /// Where group 2 begins, once it can be told.
    fn start(&mut self) -> Option<usize> {
        if self.at.is_none() && self.buffer.len() >= PREAMBLE_BYTES {
            let at = if self.buffer[128..PREAMBLE_BYTES] == *b"DICM" {
                PREAMBLE_BYTES
            } else if self.buffer.starts_with(b"DICM") {
                4
            } else {
                0
            };
            self.has_prefix = at > 0;
            self.at = Some(at);
        }
        self.at
    }

    /// True when the data set begins at `at` and enough of it is there to tell its encoding.
    fn is_end(&self, at: usize) -> bool {
        self.buffer.len() >= at + SNIFFED_BYTES
            && (self.is_declared_end(at) || !self.buffer[at..].starts_with(&[2, 0]))
    }

    /// A deflated data set may begin with any bytes, also with those of group 2: there the group length counts.
    fn is_declared_end(&self, at: usize) -> bool {
        let deflated = self
            .transfer_syntax_uid
            .as_deref()
            .and_then(|uid| TransferSyntaxUid::parse(uid).ok())
            .is_some_and(|uid| uid.data_set_encoding().deflated);
        deflated && self.group_end == Some(at)
    }

    /// Reads the element of group 2 at `at` and gives the place of the next; `None` when it is not all there or not
    /// of group 2.
    fn element(&mut self, at: usize) -> Result<Option<usize>, HeaderError> {
        let bytes = &self.buffer[at..];
        if bytes.len() < 12 || !bytes.starts_with(&[2, 0]) || self.is_declared_end(at) {
            return Ok(None);
        }
        let mut head = [0; 12];
        head.copy_from_slice(&bytes[..12]);
        let implicit_vr = VR::from_binary([head[4], head[5]]).is_none();
        let encoding = Encoding { implicit_vr, ..EXPLICIT_LITTLE_ENDIAN };
        let header = element::parse(&head, encoding);
        let start = element::header_length(&head, encoding);
        let length = header.length as usize;
        if length > FILE_META_MAX_BYTES {
            return Err(HeaderError::Malformed {
                offset: at as u64,
                what: "an element of group 2 is too long",
            });
        }
        let Some(value) = bytes.get(start..start + length) else { return Ok(None) };
        let text = latin_1(value).trim_matches([' ', '\0']).to_owned();
        let end = at + start + length;
        match header.tag & 0xffff {
            0 if value.len() == 4 => {
                let length = u32::from_le_bytes([value[0], value[1], value[2], value[3]]);
                self.group_end = Some(end.saturating_add(length as usize));
            }
            0x0002 => self.sop_class_uid = Some(text),
            0x0003 => self.sop_instance_uid = Some(text),
            0x0010 => self.transfer_syntax(text)?,
            0x0012 => self.implementation_class_uid = Some(text),
            0x0013 => self.implementation_version_name = Some(text),
            0x0016 => self.source = Some(text),
            _ => {}
        }
        Ok(Some(end))
    }

    fn transfer_syntax(&mut self, text: String) -> Result<(), HeaderError> {
        match &self.transfer_syntax_uid {
            Some(known) if *known != text => Err(HeaderError::ContradictoryUid(TRANSFER_SYNTAX_UID)),
            _ => {
                self.transfer_syntax_uid = Some(text);
                Ok(())
            }
        }
    }

    fn finish(&mut self, at: usize) -> Result<FileMetaRead, HeaderError> {
        let data_set_start = self.buffer.split_off(at);
        let mut warnings = Vec::new();
        let declared = self.transfer_syntax_uid.as_deref().filter(|text| !text.is_empty());
        let transfer_syntax_uid = if let Some(text) = declared {
            let attribute = TRANSFER_SYNTAX_UID;
            TransferSyntaxUid::parse(text).map_err(|_| HeaderError::InvalidUid { attribute })?
        } else {
            warnings.push("the transfer syntax is missing and was told from the first element".to_owned());
            let is_bare = !self.has_prefix && at == 0;
            told_transfer_syntax(&data_set_start, is_bare).ok_or(HeaderError::NotDicom)?
        };
        let meta = FileMeta {
            transfer_syntax_uid,
            media_storage_sop_class_uid: self
                .sop_class_uid
                .take()
                .and_then(|uid| SopClassUid::parse(&uid).ok()),
            media_storage_sop_instance_uid: self
                .sop_instance_uid
                .take()
                .and_then(|uid| SopInstanceUid::parse(&uid).ok()),
            source_application_entity_title: self.source.take().and_then(|title| AeTitle::parse(&title).ok()),
            implementation_class_uid: self.implementation_class_uid.take(),
            implementation_version_name: self.implementation_version_name.take(),
        };
        Ok(FileMetaRead { meta, data_set_start, warnings })
    }
}

/// Tells the transfer syntax of a data set that has none. A bare data set begins with group 8 in every case that
/// matters; with less to go by anything could be taken for DICOM.
fn told_transfer_syntax(first: &[u8], is_bare: bool) -> Option<TransferSyntaxUid> {
    let head: [u8; 8] = *first.first_chunk()?;
    let has_vr = VR::from_binary([head[4], head[5]]).is_some();
    let big_endian = head[0] == 0 && head[1] != 0;
    let group = if big_endian {
        u16::from_be_bytes([head[0], head[1]])
    } else {
        u16::from_le_bytes([head[0], head[1]])
    };
    let short_length = head[6] == 0 && head[7] == 0;
    if is_bare && (group != 8 || !(has_vr || short_length)) {
        return None;
    }
    let uid = match (has_vr, big_endian) {
        (true, true) => EXPLICIT_VR_BIG_ENDIAN,
        (true, false) => EXPLICIT_VR_LITTLE_ENDIAN,
        (false, false) => IMPLICIT_VR_LITTLE_ENDIAN,
        (false, true) => return None,
    };
    TransferSyntaxUid::parse(uid).ok()
}

#[cfg(test)]
mod tests;
