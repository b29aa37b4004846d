//! Whether the first element of a data set is written as the transfer syntax says (PS3.5 7.1).

use dicom_core::VR;

use crate::{
    element::{Encoding, read_tag},
    tag,
};

/// What the first eight bytes tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// As declared, as far as can be seen.
    AsDeclared,
    /// With or without VR, against the declaration.
    OtherVr(Encoding),
    /// The other byte order.
    OtherByteOrder,
}

/// Compares the first eight bytes of a data set with what is declared.
pub(crate) fn sniff(head: &[u8], declared: Encoding) -> Sniffed {
    let tag = read_tag(head, declared);
    let group = tag >> 16;
    if matches!(tag, tag::ITEM | tag::ITEM_DELIMITATION | tag::SEQUENCE_DELIMITATION) {
        return Sniffed::AsDeclared;
    }
    if group != 0 && group.trailing_zeros() >= 8 && group.swap_bytes() >> 16 <= 0x28 {
        return Sniffed::OtherByteOrder;
    }
    let has_vr = VR::from_binary([head[4], head[5]]).is_some();
    let letters = head[4].is_ascii_uppercase() && head[5].is_ascii_uppercase();
    if declared.implicit_vr && has_vr {
        Sniffed::OtherVr(Encoding { implicit_vr: false, ..declared })
    } else if !declared.implicit_vr && !letters && is_plausible_implicit_length(head, declared) {
        Sniffed::OtherVr(Encoding { implicit_vr: true, ..declared })
    } else {
        Sniffed::AsDeclared
    }
}

/// The first elements of a data set are short.
fn is_plausible_implicit_length(head: &[u8], encoding: Encoding) -> bool {
    if encoding.big_endian { head[4] == 0 && head[5] == 0 } else { head[6] == 0 && head[7] == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: Encoding = Encoding { implicit_vr: false, big_endian: false };
    const BIG: Encoding = Encoding { implicit_vr: false, big_endian: true };
    const IMPLICIT: Encoding = Encoding::IMPLICIT_LITTLE_ENDIAN;

    #[test]
    fn tells_the_encodings_apart() {
        let explicit = b"\x08\0\x05\0CS\x0a\0";
        let implicit = b"\x08\0\x05\0\x0a\0\0\0";
        let big = b"\0\x08\0\x05CS\0\x0a";
        assert_eq!(sniff(explicit, EXPLICIT), Sniffed::AsDeclared);
        assert_eq!(sniff(implicit, IMPLICIT), Sniffed::AsDeclared);
        assert_eq!(sniff(big, BIG), Sniffed::AsDeclared);
        assert_eq!(sniff(implicit, EXPLICIT), Sniffed::OtherVr(IMPLICIT));
        assert_eq!(sniff(explicit, IMPLICIT), Sniffed::OtherVr(EXPLICIT));
        assert_eq!(sniff(big, EXPLICIT), Sniffed::OtherByteOrder);
        assert_eq!(sniff(explicit, BIG), Sniffed::OtherByteOrder);
    }
}
