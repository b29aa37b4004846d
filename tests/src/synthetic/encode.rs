//! PS3.5 7: data elements as bytes.

use std::io::Write as _;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Implicit VR Little Endian.
    ImplicitLittle,
    /// Explicit VR Little Endian.
    ExplicitLittle,
    /// Explicit VR Big Endian.
    ExplicitBig,
}

/// Writes elements in the order of the calls.
#[derive(Debug)]
pub struct Writer {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty data set.
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, bytes: Vec::new() }
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A text element, padded to even length.
    pub fn text(&mut self, tag: u32, vr: &str, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == "UI" { 0 } else { b' ' });
        }
        self.element(tag, vr, &bytes);
    }

    /// A US element.
    pub fn short(&mut self, tag: u32, value: u16) {
        let bytes = self.u16(value);
        self.element(tag, "US", &bytes);
    }

    /// An OW element.
    pub fn words(&mut self, tag: u32, values: &[u16]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| self.u16(*value)).collect();
        self.element(tag, "OW", &bytes);
    }

    /// An element of any VR with its value as it stands.
    pub fn element(&mut self, tag: u32, vr: &str, value: &[u8]) {
        self.header(tag, vr, value.len() as u32);
        self.bytes.extend_from_slice(value);
    }

    /// A sequence with one item, both of defined length.
    pub fn sequence(&mut self, tag: u32, write_item: impl FnOnce(&mut Self)) {
        let mut content = Self::new(self.encoding);
        write_item(&mut content);
        let mut item = Self::new(self.encoding);
        item.item(0xfffe_e000, content.bytes.len() as u32);
        item.bytes.extend(content.bytes);
        self.element(tag, "SQ", &item.bytes);
    }

    /// An element header with a length that need not be true.
    pub fn header(&mut self, tag: u32, vr: &str, length: u32) {
        self.tag(tag);
        if self.encoding == Encoding::ImplicitLittle {
            self.bytes.extend_from_slice(&length.to_le_bytes());
            return;
        }
        self.bytes.extend_from_slice(vr.as_bytes());
        if matches!(
            vr,
            "OB" | "OD" | "OF" | "OL" | "OV" | "OW" | "SQ" | "UC" | "UN" | "UR" | "UT" | "SV" | "UV"
        ) {
            self.bytes.extend_from_slice(&[0, 0]);
            let length = if self.big() { length.to_be_bytes() } else { length.to_le_bytes() };
            self.bytes.extend_from_slice(&length);
        } else {
            let length = self.u16(length as u16);
            self.bytes.extend_from_slice(&length);
        }
    }

    /// Pixel Data as fragments, one a frame, with a basic offset table (PS3.5 A.4).
    pub fn encapsulated(&mut self, fragments: &[Vec<u8>]) {
        self.header(0x7fe0_0010, "OB", u32::MAX);
        let mut offset = 0_u32;
        let mut table = Vec::new();
        for fragment in fragments {
            table.extend_from_slice(&offset.to_le_bytes());
            offset += 8 + fragment.len() as u32;
        }
        for item in std::iter::once(&table).chain(fragments) {
            self.item(0xfffe_e000, item.len() as u32);
            self.bytes.extend_from_slice(item);
        }
        self.item(0xfffe_e0dd, 0);
    }

    /// An item tag with a length: item, item delimiter, sequence delimiter.
    pub fn item(&mut self, tag: u32, length: u32) {
        self.tag(tag);
        let length = if self.big() { length.to_be_bytes() } else { length.to_le_bytes() };
        self.bytes.extend_from_slice(&length);
    }

    fn tag(&mut self, tag: u32) {
        let (group, element) = (self.u16((tag >> 16) as u16), self.u16(tag as u16));
        self.bytes.extend_from_slice(&group);
        self.bytes.extend_from_slice(&element);
    }

    fn big(&self) -> bool {
        self.encoding == Encoding::ExplicitBig
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.big() { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// PS3.5 A.5: one raw deflate stream, padded to even length.
///
/// # Panics
/// Never: memory takes every byte.
pub fn deflate(data_set: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data_set).expect("memory takes every byte");
    let mut bytes = encoder.finish().expect("memory takes every byte");
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}
