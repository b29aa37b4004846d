//! What a compressed picture says about itself, and the Image Pixel Description attributes that follow (PS3.18 10.5.2).

use std::{collections::BTreeMap, fmt::Write as _};

use dicom_header::GivenElement;

/// Bytes at the start of a picture in which its header has to end: colour profiles and thumbnails may stand before it.
pub(super) const HEAD_LENGTH_MAX_BYTES: usize = 1 << 20;

/// A compressed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// Transfer syntaxes that it may be kept under, the one that fits best first.
    pub(super) transfer_syntaxes: &'static [&'static str],
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) samples_per_pixel: u16,
    pub(super) bits_stored: u16,
    pub(super) signed: bool,
    pub(super) photometric_interpretation: &'static str,
    /// Lossy Image Compression Method (0028,2114), when it is.
    pub(super) lossy: Option<&'static str>,
    /// First byte of the codestream: a file format may be around it.
    pub(super) start: u64,
    /// First byte after it, when that is not the end.
    pub(super) end: Option<u64>,
}

impl Picture {
    /// The attributes that it gives where the metadata have none; `length` is that of all frames together.
    pub(super) fn description(&self, frames: usize, length: u64) -> BTreeMap<u32, GivenElement> {
        let allocated = if self.bits_stored > 8 { 16 } else { 8 };
        let mut given = BTreeMap::from([
            (0x0028_0002, number(self.samples_per_pixel)),
            (0x0028_0004, text(self.photometric_interpretation)),
            (0x0028_0010, number(self.rows)),
            (0x0028_0011, number(self.columns)),
            (0x0028_0100, number(allocated)),
            (0x0028_0101, number(self.bits_stored)),
            (0x0028_0102, number(self.bits_stored.saturating_sub(1))),
            (0x0028_0103, number(u16::from(self.signed))),
        ]);
        if self.samples_per_pixel > 1 {
            given.insert(0x0028_0006, number(0));
        }
        if frames > 1 {
            given.insert(0x0028_0008, string(*b"IS", &frames.to_string()));
        }
        if let Some(method) = self.lossy {
            let raw = f64::from(self.rows)
                * f64::from(self.columns)
                * f64::from(self.samples_per_pixel)
                * f64::from(allocated / 8)
                * frames as f64;
            let mut ratio = String::new();
            let _ = write!(ratio, "{:.2}", raw / length.max(1) as f64);
            given.insert(0x0028_2110, text("01"));
            given.insert(0x0028_2112, string(*b"DS", &ratio));
            given.insert(0x0028_2114, text(method));
        }
        given
    }
}

fn number(value: u16) -> GivenElement {
    GivenElement { vr: *b"US", value: value.to_le_bytes().to_vec(), replaces: false }
}

fn text(value: &str) -> GivenElement {
    string(*b"CS", value)
}

fn string(vr: [u8; 2], value: &str) -> GivenElement {
    let mut value = value.as_bytes().to_vec();
    if !value.len().is_multiple_of(2) {
        value.push(b' ');
    }
    GivenElement { vr, value, replaces: false }
}

/// Reads big-endian numbers from a head; `None` past its end.
pub(super) struct Head<'a>(pub(super) &'a [u8]);

impl Head<'_> {
    pub(super) fn u8(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes(self.0.get(at..at.checked_add(2)?)?.try_into().ok()?))
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(self.0.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lossy_colour_picture() {
        let picture = Picture {
            transfer_syntaxes: &["1"],
            rows: 10,
            columns: 20,
            samples_per_pixel: 3,
            bits_stored: 8,
            signed: false,
            photometric_interpretation: "YBR_FULL_422",
            lossy: Some("ISO_10918_1"),
            start: 0,
            end: None,
        };
        let given = picture.description(2, 120);
        assert_eq!(given[&0x0028_0010].value, [10, 0]);
        assert_eq!(given[&0x0028_0102].value, [7, 0]);
        assert_eq!(given[&0x0028_0004].value, b"YBR_FULL_422");
        assert_eq!(given[&0x0028_0008].value, b"2 ");
        assert_eq!(given[&0x0028_2112].value, b"10.00 ");
        assert!(given.values().all(|element| !element.replaces && element.value.len().is_multiple_of(2)));
        let grey =
            Picture { samples_per_pixel: 1, bits_stored: 12, lossy: None, ..picture }.description(1, 1);
        assert_eq!(grey[&0x0028_0100].value, [16, 0]);
        assert!(
            !grey.contains_key(&0x0028_0006)
                && !grey.contains_key(&0x0028_2110)
                && !grey.contains_key(&0x0028_0008)
        );
    }
}
