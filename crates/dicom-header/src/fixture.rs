//! Byte fixtures: small data sets put together element by element.

use model::{instance::InstanceHeader, uid::TransferSyntaxUid};

use crate::{HeaderError, HeaderReader, Limits};

pub(crate) const IMPLICIT: &str = model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
pub(crate) const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
pub(crate) const BIG_ENDIAN: &str = model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;
pub(crate) const DEFLATED: &str = model::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
pub(crate) const JPEG: &str = model::transfer_syntax::JPEG_BASELINE;

pub(crate) const ITEM: &[u8] = b"\xfe\xff\x00\xe0\xff\xff\xff\xff";
pub(crate) const ITEM_END: &[u8] = b"\xfe\xff\x0d\xe0\0\0\0\0";
pub(crate) const SEQUENCE_END: &[u8] = b"\xfe\xff\xdd\xe0\0\0\0\0";

/// Writes data sets in one of the three encodings.
#[derive(Clone, Copy)]
pub(crate) struct Writer {
    implicit: bool,
    big_endian: bool,
}

impl Writer {
    pub(crate) fn of(transfer_syntax: &str) -> Self {
        Self { implicit: transfer_syntax == IMPLICIT, big_endian: transfer_syntax == BIG_ENDIAN }
    }

    fn number(self, number: u64, size: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes()[..size].to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    pub(crate) fn us(self, number: u16) -> Vec<u8> {
        self.number(u64::from(number), 2)
    }

    /// Header with any length, true or not.
    pub(crate) fn header(self, tag: u32, vr: &str, length: u32) -> Vec<u8> {
        let mut bytes = self.number(u64::from(tag >> 16), 2);
        bytes.extend(self.number(u64::from(tag & 0xffff), 2));
        let long =
            ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"].contains(&vr);
        if self.implicit || tag >> 16 == 0xfffe {
            bytes.extend(self.number(u64::from(length), 4));
        } else if long {
            bytes.extend_from_slice(vr.as_bytes());
            bytes.extend_from_slice(&[0, 0]);
            bytes.extend(self.number(u64::from(length), 4));
        } else {
            bytes.extend_from_slice(vr.as_bytes());
            bytes.extend(self.number(u64::from(length), 2));
        }
        bytes
    }

    /// Element with its value, padded to even length.
    pub(crate) fn element(self, tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == "UI" || vr.starts_with('O') { 0 } else { b' ' });
        }
        let mut bytes = self.header(tag, vr, value.len() as u32);
        bytes.extend(value);
        bytes
    }

    pub(crate) fn item(self, content: &[u8]) -> Vec<u8> {
        let mut bytes = self.header(0xfffe_e000, "", content.len() as u32);
        bytes.extend_from_slice(content);
        bytes
    }

    /// The four mandatory UIDs.
    pub(crate) fn uids(self) -> Vec<u8> {
        [self.sop_uids(), self.study_uids()].concat()
    }

    fn sop_uids(self) -> Vec<u8> {
        let sop_class = self.element(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.1");
        [sop_class, self.element(0x0008_0018, "UI", b"1.2.3.4")].concat()
    }

    fn study_uids(self) -> Vec<u8> {
        [self.element(0x0020_000d, "UI", b"1.2.3"), self.element(0x0020_000e, "UI", b"1.2.3.9")].concat()
    }

    /// Group 28 of a monochrome image of 16 bits.
    pub(crate) fn image(self, rows: u16, columns: u16, frames: u32) -> Vec<u8> {
        [
            self.element(0x0028_0002, "US", &self.us(1)),
            self.element(0x0028_0004, "CS", b"MONOCHROME2"),
            self.element(0x0028_0008, "IS", frames.to_string().as_bytes()),
            self.element(0x0028_0010, "US", &self.us(rows)),
            self.element(0x0028_0011, "US", &self.us(columns)),
            self.element(0x0028_0100, "US", &self.us(16)),
            self.element(0x0028_0101, "US", &self.us(12)),
            self.element(0x0028_0102, "US", &self.us(11)),
            self.element(0x0028_0103, "US", &self.us(1)),
        ]
        .concat()
    }
}

pub(crate) fn syntax(uid: &str) -> TransferSyntaxUid {
    TransferSyntaxUid::parse(uid).unwrap()
}

/// Reads a data set pushed in pieces of `size` bytes.
pub(crate) fn read_in(uid: &str, bytes: &[u8], size: usize) -> Result<InstanceHeader, HeaderError> {
    let mut reader = HeaderReader::new(&syntax(uid), Limits::default());
    for piece in bytes.chunks(size) {
        reader.push(piece)?;
    }
    reader.finish()
}

pub(crate) fn read(uid: &str, bytes: &[u8]) -> Result<InstanceHeader, HeaderError> {
    read_in(uid, bytes, usize::MAX)
}

/// A small data set with sequences of both kinds of length, an icon, texts, tables and pixel data.
pub(crate) fn full(uid: &str) -> Vec<u8> {
    let writer = Writer::of(uid);
    let code = writer.element(0x0008_0100, "SH", b"T-1");
    let request = writer.element(0x0040_1001, "SH", b"RP1");
    let mut bytes = writer.element(0x0008_0005, "CS", b"ISO_IR 100");
    bytes.extend(writer.sop_uids());
    bytes.extend(writer.element(0x0010_0010, "PN", b"M\xfcller^J"));
    bytes.extend(writer.study_uids());
    bytes.extend(writer.image(2, 3, 2));
    bytes.extend(writer.element(0x0028_1050, "DS", b"40.5\\100"));
    bytes.extend(writer.element(0x0028_1051, "DS", b"400\\50"));
    bytes.extend(writer.header(0x0040_0275, "SQ", (request.len() + 8) as u32));
    bytes.extend(writer.item(&request));
    // Undefined length, with items of undefined and of defined length.
    bytes.extend(writer.header(0x0040_0555, "SQ", u32::MAX));
    bytes.extend(writer.header(0xfffe_e000, "", u32::MAX));
    bytes.extend(writer.header(0x0040_a168, "SQ", (code.len() + 8) as u32));
    bytes.extend(writer.item(&code));
    bytes.extend(writer.header(0xfffe_e00d, "", 0));
    bytes.extend(writer.item(&code));
    bytes.extend(writer.header(0xfffe_e0dd, "", 0));
    if uid == JPEG {
        bytes.extend(writer.header(0x7fe0_0010, "OB", u32::MAX));
        bytes.extend(writer.item(&[]));
        bytes.extend(writer.item(b"\xff\xd8\xff\xe0ab"));
        bytes.extend(writer.item(b"cd"));
        bytes.extend(writer.item(b"\xff\xd8\xff\xe0efgh"));
        bytes.extend(writer.header(0xfffe_e0dd, "", 0));
    } else {
        bytes.extend(writer.element(0x7fe0_0010, "OW", &[1; 24]));
    }
    bytes
}
