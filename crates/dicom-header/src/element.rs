//! PS3.5 7.1, Data Elements: the 8 or 12 bytes in front of a value.

use dicom_core::VR;

use crate::tag;

/// Length of an element, item or sequence that ends with a delimiter (PS3.5 7.1.1).
pub(crate) const UNDEFINED_LENGTH: u32 = u32::MAX;

/// How the elements of one data set or item are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) implicit_vr: bool,
    pub(crate) big_endian: bool,
}

impl Encoding {
    /// What an element of VR UN holds (PS3.5 6.2.2, note 4).
    pub(crate) const IMPLICIT_LITTLE_ENDIAN: Self = Self { implicit_vr: true, big_endian: false };

    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// What stands for the VR in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrittenVr {
    /// None: Implicit VR, an item, or a delimiter.
    Absent,
    /// A VR of the Standard.
    Known(VR),
    /// Letters the Standard does not have, or no letters.
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElementHeader {
    pub(crate) tag: u32,
    pub(crate) vr: WrittenVr,
    pub(crate) length: u32,
}

/// Where the length of an explicit header stands.
enum LengthField {
    /// Bytes 4..8, no VR at all.
    Implicit,
    /// Bytes 6..8.
    Short,
    /// Bytes 8..12, bytes 6..8 reserved.
    Long,
}

/// Bytes that the whole header has, told from its first eight.
pub(crate) fn header_length(head: &[u8; 12], encoding: Encoding) -> usize {
    match length_field(head, encoding) {
        LengthField::Long => 12,
        LengthField::Implicit | LengthField::Short => 8,
    }
}

/// Reads a header of which [`header_length`] bytes are there.
pub(crate) fn parse(head: &[u8; 12], encoding: Encoding) -> ElementHeader {
    let tag = read_tag(head, encoding);
    let length = match length_field(head, encoding) {
        LengthField::Implicit => encoding.u32([head[4], head[5], head[6], head[7]]),
        LengthField::Short => u32::from(encoding.u16([head[6], head[7]])),
        LengthField::Long => encoding.u32([head[8], head[9], head[10], head[11]]),
    };
    let vr = if encoding.implicit_vr || is_item_or_delimiter(tag) {
        WrittenVr::Absent
    } else {
        VR::from_binary([head[4], head[5]]).map_or(WrittenVr::Wrong, WrittenVr::Known)
    };
    ElementHeader { tag, vr, length }
}

pub(crate) fn read_tag(head: &[u8], encoding: Encoding) -> u32 {
    let group = encoding.u16([head[0], head[1]]);
    let element = encoding.u16([head[2], head[3]]);
    u32::from(group) << 16 | u32::from(element)
}

fn is_item_or_delimiter(tag: u32) -> bool {
    matches!(tag, tag::ITEM | tag::ITEM_DELIMITATION | tag::SEQUENCE_DELIMITATION)
}

fn length_field(head: &[u8; 12], encoding: Encoding) -> LengthField {
    if encoding.implicit_vr || is_item_or_delimiter(read_tag(head, encoding)) {
        return LengthField::Implicit;
    }
    let letters = [head[4], head[5]];
    match VR::from_binary(letters) {
        Some(vr) if has_long_length(vr) => LengthField::Long,
        Some(_) => LengthField::Short,
        None => length_field_of_wrong_vr(letters, [head[6], head[7]]),
    }
}

/// Letters of a future VR have a long length (PS3.5 7.1.2); `??` and blanks come from old writers with a short one;
/// anything else is an element without VR among explicit ones.
fn length_field_of_wrong_vr(letters: [u8; 2], next: [u8; 2]) -> LengthField {
    let reserved_is_zero = next == [0, 0];
    if letters.iter().all(u8::is_ascii_uppercase) {
        if reserved_is_zero { LengthField::Long } else { LengthField::Short }
    } else if letters == *b"??" || letters == *b"  " {
        LengthField::Short
    } else if reserved_is_zero {
        LengthField::Implicit
    } else if letters == [0, 0] || letters.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        LengthField::Short
    } else {
        LengthField::Implicit
    }
}

/// VRs with two reserved bytes and a 32-bit length (PS3.5 table 7.1-1).
pub(crate) fn has_long_length(vr: VR) -> bool {
    matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}

/// VRs whose value is a run of bytes, words or numbers without structure: JSON has them as InlineBinary.
pub(crate) fn is_binary(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN)
}

/// PS3.5 A.4: whether a value of undefined length has fragments. Otherwise it is a sequence, whatever its VR says.
pub(crate) fn has_fragments(tag: u32, vr: VR) -> bool {
    tag == tag::PIXEL_DATA || (is_binary(vr) && vr != VR::UN)
}

/// Size in bytes of one number of the VR; 1 for texts and bytes.
pub(crate) fn unit_size(vr: VR) -> usize {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::AT | VR::UL | VR::SL | VR::FL | VR::OL | VR::OF => 4,
        VR::FD | VR::SV | VR::UV | VR::OD | VR::OV => 8,
        _ => 1,
    }
}

/// Bytes of the words that change with the byte order (PS3.5 7.3): a tag is two of them.
pub(crate) fn word_size(vr: VR) -> usize {
    if vr == VR::AT { 2 } else { unit_size(vr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: Encoding = Encoding { implicit_vr: false, big_endian: false };

    fn head(bytes: &[u8]) -> [u8; 12] {
        let mut head = [0; 12];
        head[..bytes.len()].copy_from_slice(bytes);
        head
    }

    #[test]
    fn reads_all_four_layouts() {
        let short = head(b"\x10\0\x10\0PN\x06\0");
        assert_eq!(header_length(&short, EXPLICIT), 8);
        let expected = ElementHeader { tag: 0x0010_0010, vr: WrittenVr::Known(VR::PN), length: 6 };
        assert_eq!(parse(&short, EXPLICIT), expected);
        let long = head(b"\xe0\x7f\x10\0OW\0\0\x01\x02\0\0");
        assert_eq!(header_length(&long, EXPLICIT), 12);
        assert_eq!(parse(&long, EXPLICIT).length, 0x201);
        let big = Encoding { implicit_vr: false, big_endian: true };
        assert_eq!(parse(&head(b"\0\x10\0\x10PN\0\x06"), big), expected);
        let implicit = parse(&head(b"\x10\0\x10\0\x06\0\0\0"), Encoding::IMPLICIT_LITTLE_ENDIAN);
        assert_eq!(implicit, ElementHeader { vr: WrittenVr::Absent, ..expected });
    }

    #[test]
    fn takes_wrong_letters_sanely() {
        for (bytes, length) in [
            (&b"\x10\0\x10\0??\x06\0"[..], 6),
            (b"\x10\0\x10\0\0\0\x06\0", 6),
            (b"\x10\0\x10\0\x06\0\0\0", 6),
            (b"\x10\0\x10\0cs\x06\0", 6),
            (b"\x10\0\x10\0ZZ\0\0\x06\0\0\0", 6),
            (b"\x10\0\x10\0ZZ\x06\0", 6),
        ] {
            let header = parse(&head(bytes), EXPLICIT);
            assert_eq!((header.vr, header.length), (WrittenVr::Wrong, length), "{bytes:?}");
        }
    }
}
