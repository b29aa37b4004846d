//! PS3.18 8.3.1 and 8.3.4.1, attribute identifiers: tags, keywords, and paths of both into sequences.

use database::Attribute;

/// Request Attributes Sequence: the only one with something in it to match on.
const REQUEST_ATTRIBUTES_SEQUENCE: u32 = 0x0040_0275;
/// Most tags and keywords of one path.
const PATH_LENGTH_MAX: usize = 16;

/// What the name of a query parameter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// An attribute that is matched on.
    Matched(Attribute),
    /// An attribute, or a path to one, that is not. The tag is the one at the top.
    NotMatched(u32),
    /// Spelt like an attribute, but none.
    Unknown,
    /// Anything else: parameters that mean nothing to the server are passed over.
    Parameter,
}

/// Reads the name of a query parameter.
pub fn resolve(name: &str) -> Name {
    let Some(path) = parse_path(name) else {
        // Keywords begin with a capital letter, unlike other parameters.
        let like_attribute = name.starts_with(|first: char| first.is_ascii_uppercase()) || name.contains('.');
        return if like_attribute { Name::Unknown } else { Name::Parameter };
    };
    let matched = match path[..] {
        [tag] => Attribute::from_tag(tag),
        [REQUEST_ATTRIBUTES_SEQUENCE, tag] => Attribute::from_tag(tag).filter(|attribute| {
            matches!(attribute, Attribute::ScheduledProcedureStepID | Attribute::RequestedProcedureID)
        }),
        _ => None,
    };
    matched.map_or(Name::NotMatched(path[0]), Name::Matched)
}

/// Tags of a path such as `00400275.ScheduledProcedureStepID`; `None` when a piece is neither tag nor keyword.
pub fn parse_path(name: &str) -> Option<Vec<u32>> {
    let pieces = name.split('.').take(PATH_LENGTH_MAX + 1);
    let path: Vec<u32> = pieces.map(parse_piece).collect::<Option<_>>()?;
    (path.len() <= PATH_LENGTH_MAX).then_some(path)
}

fn parse_piece(piece: &str) -> Option<u32> {
    let digits = piece.len() == 8 && piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u32::from_str_radix(piece, 16).ok() } else { dicom_header::tag_of_keyword(piece) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_keywords_and_paths_of_both() {
        for name in [
            "00400275.00400009",
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "00400275.ScheduledProcedureStepID",
        ] {
            assert_eq!(resolve(name), Name::Matched(Attribute::ScheduledProcedureStepID), "{name}");
        }
        for name in ["0020000d", "0020000D", "StudyInstanceUID"] {
            assert_eq!(resolve(name), Name::Matched(Attribute::StudyInstanceUID), "{name}");
        }
    }

    #[test]
    fn what_is_not_matched_is_told_from_what_is_nothing() {
        assert_eq!(resolve("PatientAge"), Name::NotMatched(0x0010_1010));
        assert_eq!(resolve("00091001"), Name::NotMatched(0x0009_1001));
        assert_eq!(resolve("00400275.AccessionNumber"), Name::NotMatched(0x0040_0275));
        assert_eq!(resolve("00100020.00100020"), Name::NotMatched(0x0010_0020));
        for name in
            ["NoSuchKeyword", "PatientID.", ".PatientID", "PatientID.x", "a.b", &"00100020.".repeat(20)]
        {
            assert_eq!(resolve(name), Name::Unknown, "{name}");
        }
        for name in ["_", "limits", "patientid", "0010002", ""] {
            assert_eq!(resolve(name), Name::Parameter, "{name}");
        }
    }
}
