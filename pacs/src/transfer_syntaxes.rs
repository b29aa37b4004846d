//! PS3.5 10: which transfer syntaxes are taken, and which one of those a requestor offers is chosen.
//!
//! Data sets are kept as they came, so there is no syntax that would have to be decoded here.

use dicom_dictionary_std::uids;
use model::{TransferSyntaxUid, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};

/// Transfer syntaxes that describe no DICOM data set on an association, or one that cannot be read:
/// MIME and XML wrappings (PS3.5 A.7, A.8), live video (PS3.22), Papyrus 3, and deflated JPIP references.
#[expect(deprecated, reason = "retired ones are refused by name")]
const NOT_STORABLE: &[&str] = &[
    uids::RFC2557MIME_ENCAPSULATION,
    uids::XML_ENCODING,
    uids::SMPTEST211020_UNCOMPRESSED_PROGRESSIVE_ACTIVE_VIDEO,
    uids::SMPTEST211020_UNCOMPRESSED_INTERLACED_ACTIVE_VIDEO,
    uids::SMPTEST211030PCM_DIGITAL_AUDIO,
    uids::PAPYRUS3_IMPLICIT_VR_LITTLE_ENDIAN,
    uids::JPIP_REFERENCED_DEFLATE,
    uids::JPIPHTJ2K_REFERENCED_DEFLATE,
];

/// All transfer syntaxes of the Standard lie under this root; later ones are all encapsulated Explicit VR Little
/// Endian (PS3.5 A.4), so they can be kept before anybody here has heard of them.
const STANDARD_ROOT: &str = "1.2.840.10008.1.2";

/// Data sets in this transfer syntax can be stored.
pub fn is_storable(transfer_syntax_uid: &str, accept_unknown: bool) -> bool {
    let standard = transfer_syntax_uid
        .strip_prefix(STANDARD_ROOT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    (standard || accept_unknown) && !NOT_STORABLE.contains(&transfer_syntax_uid)
}

/// Chooses for one presentation context.
///
/// The first of `preferences` that is offered; else the requestor's own first proposal, which is what it would rather
/// send and most often how it holds the instance. Implicit VR Little Endian comes last: it is proposed everywhere by
/// default, loses the VRs of private attributes, and makes requestors decompress.
pub fn choose(
    offered: &[String],
    preferences: &[TransferSyntaxUid],
    accept_unknown: bool,
) -> Option<TransferSyntaxUid> {
    let usable = || {
        offered
            .iter()
            .filter_map(|text| TransferSyntaxUid::parse(trim_uid(text)).ok())
            .filter(|uid| is_storable(uid.as_str(), accept_unknown))
    };
    preferences
        .iter()
        .find_map(|preferred| usable().find(|uid| uid == preferred))
        .or_else(|| usable().find(|uid| uid.as_str() != IMPLICIT_VR_LITTLE_ENDIAN))
        .or_else(|| usable().next())
}

/// Without the NUL or space that some peers pad UIDs with (PS3.5 9.1; PS3.8 F says they should not).
pub fn trim_uid(text: &str) -> &str {
    text.trim_matches(['\0', ' '])
}

#[cfg(test)]
mod tests {
    use model::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;

    use super::*;

    const JPEG_LOSSLESS_SV1: &str = "1.2.840.10008.1.2.4.70";

    fn chosen(offered: &[&str], preferences: &[&str], accept_unknown: bool) -> Option<String> {
        let offered: Vec<_> = offered.iter().map(|&uid| uid.to_owned()).collect();
        let preferences: Vec<_> =
            preferences.iter().map(|uid| TransferSyntaxUid::parse(uid).expect("uid")).collect();
        choose(&offered, &preferences, accept_unknown).map(String::from)
    }

    #[test]
    fn takes_the_requestors_first_but_implicit_last() {
        let explicit = uids::EXPLICIT_VR_LITTLE_ENDIAN;
        let implicit = uids::IMPLICIT_VR_LITTLE_ENDIAN;
        let rows: &[(&[&str], &str)] = &[
            (&[JPEG_LOSSLESS_SV1, explicit, implicit], JPEG_LOSSLESS_SV1),
            (&[explicit, JPEG_LOSSLESS_SV1], explicit),
            (&[implicit, explicit], explicit),
            (&[implicit, EXPLICIT_VR_BIG_ENDIAN], EXPLICIT_VR_BIG_ENDIAN),
            (&[implicit], implicit),
            (&["1.2.840.10008.1.2.1\0"], explicit),
            (&["1.2.3", implicit], implicit),
        ];
        for (offered, expected) in rows {
            assert_eq!(chosen(offered, &[], false).as_deref(), Some(*expected), "{offered:?}");
        }
    }

    #[test]
    fn preferences_come_first() {
        let offered = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, JPEG_LOSSLESS_SV1];
        let preferred = chosen(&offered, &["1.2.840.10008.1.2.4.80", JPEG_LOSSLESS_SV1], false);
        assert_eq!(preferred.as_deref(), Some(JPEG_LOSSLESS_SV1));
    }

    #[test]
    fn unknown_ones_only_when_configured() {
        assert_eq!(chosen(&["1.2.3"], &[], false), None);
        assert_eq!(chosen(&["1.2.3"], &[], true).as_deref(), Some("1.2.3"));
        assert_eq!(chosen(&["1.2.840.10008.1.20.1"], &[], false), None, "not a transfer syntax");
        assert_eq!(chosen(&["1.2.840.10008.1.2.6.2", "..", ""], &[], true), None, "XML is no data set");
    }
}
