//! PS3.6 6 and PS3.5 Annex A: the VR of an attribute that does not say it itself.

use dicom_core::{
    Tag, VR,
    dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr},
};
use dicom_dictionary_std::StandardDataDictionary;

use crate::element::unit_size;

/// The dictionary's VR; `None` for attributes it does not know. `signed` is Pixel Representation, which decides
/// between US and SS (PS3.5 A.1 and note to PS3.3 C.7.6.3).
pub(crate) fn vr(tag: u32, signed: bool) -> Option<VR> {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16))?;
    Some(match entry.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs if signed => VR::SS,
        VirtualVr::Xs => VR::US,
        _ => VR::OW,
    })
}

/// The VR of an attribute as the dictionary has it; `None` for private and unknown ones.
pub fn vr_of_tag(tag: u32) -> Option<VR> {
    vr(tag, false)
}

/// The VR to read an element with that states UN, or none of the Standard's: that of a known public attribute, when its length fits
/// (PS3.5 6.2.2).
pub(crate) fn vr_of_unknown(tag: u32, signed: bool, length: u32) -> VR {
    match vr(tag, signed) {
        Some(VR::SQ) if is_too_short_for_items(length) => VR::UN,
        Some(vr) if is_public(tag) && (length as usize).is_multiple_of(unit_size(vr)) => vr,
        _ => VR::UN,
    }
}

/// A sequence of that length has no room for an item.
pub(crate) fn is_too_short_for_items(length: u32) -> bool {
    (1..8).contains(&length)
}

/// True when the dictionary has the attribute: not private and not unknown.
pub(crate) fn is_public(tag: u32) -> bool {
    (tag >> 16) & 1 == 0 && StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16)).is_some()
}

/// The tag of a keyword of PS3.6; `None` when there is no such attribute. Of a repeating group, the first.
pub fn tag_of_keyword(keyword: &str) -> Option<u32> {
    let tag = StandardDataDictionary.by_name(keyword)?.tag();
    Some(u32::from(tag.0) << 16 | u32::from(tag.1))
}

/// The keyword of an attribute of PS3.6; `None` for private and unknown ones.
pub fn keyword_of(tag: u32) -> Option<&'static str> {
    if (tag >> 16) & 1 == 1 {
        return None;
    }
    StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16)).map(|entry| entry.alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_tags() {
        assert_eq!(tag_of_keyword("PatientName"), Some(0x0010_0010));
        assert_eq!(tag_of_keyword("patientname"), None);
        assert_eq!(keyword_of(0x0040_0275), Some("RequestAttributesSequence"));
        assert_eq!((keyword_of(0x0009_0010), keyword_of(0x0008_9999)), (None, None));
    }

    #[test]
    fn knows_repeating_groups_and_ambiguous_ones() {
        assert_eq!(vr(0x6002_3000, false), Some(VR::OW));
        assert_eq!(vr(0x0028_0106, true), Some(VR::SS));
        assert_eq!(vr(0x0028_0106, false), Some(VR::US));
        assert_eq!(vr(0x0009_0010, false), Some(VR::LO));
        assert_eq!(vr(0x0009_1001, false), None);
        assert!(is_public(0x0008_1140) && !is_public(0x0009_0010));
    }
}
