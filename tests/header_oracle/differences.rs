//! Differences from pydicom that are meant, each with its reason.

use crate::compare::{Difference, Kind};

/// Files that are refused although pydicom reads something of them: name, part of the error, reason.
pub const REFUSED: &[(&str, &str, &str)] = &[
    ("MR_truncated.dcm", "Truncated", "pixel data end before their declared length"),
    ("rtplan_truncated.dcm", "Truncated", "ends inside a sequence"),
    ("emri_small_jpeg_2k_lossless_too_short.dcm", "Truncated", "ends inside a fragment"),
    ("no_meta.dcm", "NotDicom", "a stray byte in front of the data set"),
    ("SC_rgb_jpeg.dcm", "OtherEncoding", "implicit VR under an explicit transfer syntax"),
    ("bad_sequence.dcm", "InvalidUid", "Study Instance UID is no UID"),
];

/// A justified difference.
pub struct Justified {
    /// Why it is meant.
    pub reason: &'static str,
    /// Files it is found in; empty for all.
    pub files: &'static [&'static str],
    /// True for the differences it is about.
    pub covers: fn(&Difference) -> bool,
}

impl Justified {
    pub fn covers(&self, name: &str, difference: &Difference) -> bool {
        (self.files.is_empty() || self.files.contains(&name)) && (self.covers)(difference)
    }
}

pub const JUSTIFIED: &[Justified] = &[
    Justified {
        reason: "Specific Character Set says what the JSON is in, not what the data set was in (PS3.18 F.2.1)",
        files: &[],
        covers: |difference| difference.path.ends_with("00080005"),
    },
    Justified {
        reason: "group lengths are no part of DICOM JSON (PS3.18 F.2.2)",
        files: &[],
        covers: |difference| difference.kind == Kind::Missing && difference.path.ends_with("0000"),
    },
    Justified {
        reason: "Data Set Trailing Padding is no content (PS3.10 7.2)",
        files: &[],
        covers: |difference| difference.kind == Kind::Missing && difference.path == "FFFCFFFC",
    },
    Justified {
        reason: "private attributes without VR stay UN: we have no private dictionary, pydicom has one",
        files: &[],
        covers: |difference| {
            let group = difference.path.rsplit('.').next().and_then(|tag| u32::from_str_radix(tag, 16).ok());
            let is_private = group.is_some_and(|tag| (tag >> 16) & 1 == 1);
            difference.kind == Kind::Vr && is_private && difference.our_vr == "UN"
        },
    },
    Justified {
        reason: "an empty value among others is null (PS3.18 F.2.5), not an empty string",
        files: &[],
        covers: |difference| difference.kind == Kind::Value && difference.detail.contains("null"),
    },
    Justified {
        reason: "padding is taken off each value of CS, not only off the last one (PS3.5 6.2)",
        files: &[],
        covers: |difference| difference.kind == Kind::Value && difference.our_vr == "CS",
    },
    Justified {
        reason: "a text under a tag that has become a sequence since: pydicom makes an empty item of it",
        files: &["Tag-0040-A170-VR-CS.dcm"],
        covers: |difference| difference.path.ends_with("0040A170") && difference.our_vr == "UN",
    },
    Justified {
        reason: "Number of Frames is `1A`: a string that is no number stays a string, pydicom gives up",
        files: &["badVR.dcm"],
        covers: |difference| difference.kind == Kind::TheirError && difference.path == "00280008",
    },
];
