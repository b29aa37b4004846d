//! PS3.6 6 and PS3.5 Annex A: the VR of an attribute that does not say it itself.

use dicom_core::{
    Tag, VR,
    dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr},
};
use dicom_dictionary_std::StandardDataDictionary;

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

/// The keyword of an attribute of the Standard (PS3.6 6); `tag` is group << 16 | element. `None` for private and unknown
/// ones.
pub fn keyword(tag: u32) -> Option<&'static str> {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16))?;
    ((tag >> 16) & 1 == 0).then(|| entry.alias())
}

/// True when the dictionary has the attribute: not private and not unknown.
pub(crate) fn is_public(tag: u32) -> bool {
    (tag >> 16) & 1 == 0 && StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

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
