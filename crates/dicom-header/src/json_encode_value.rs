//! PS3.18 F.2.2 to F.2.7, read: one JSON value as the bytes of its VR (PS3.5 6.2).

use std::collections::BTreeMap;

use dicom_core::VR;
use serde_json::value::RawValue;

use crate::{
    json_encode::JsonEncodeErrorKind,
    json_model::{JsonModelError, json_text, tag_of_key},
    value::is_text,
};

/// What pads a text to even length; `None` for VRs that are no text.
pub(crate) fn text_padding(vr: VR) -> Option<u8> {
    is_text(vr).then_some(if vr == VR::UI { 0 } else { b' ' })
}

/// A string, the digits of a number exactly as they stand there, or nothing for `null`.
pub(crate) fn encode_text(raw: &RawValue, out: &mut Vec<u8>) -> Result<(), JsonEncodeErrorKind> {
    match raw.get().as_bytes() {
        b"null" => {}
        [b'"', ..] => out.extend_from_slice(json_text(raw)?.as_bytes()),
        [b'-' | b'0'..=b'9', ..] => out.extend_from_slice(raw.get().as_bytes()),
        _ => return Err(JsonEncodeErrorKind::Value),
    }
    Ok(())
}

/// An object of component groups; some writers give the whole name as one string.
pub(crate) fn encode_person_name(raw: &RawValue, out: &mut Vec<u8>) -> Result<(), JsonEncodeErrorKind> {
    match raw.get().as_bytes() {
        b"null" => return Ok(()),
        [b'"', ..] => {
            out.extend_from_slice(json_text(raw)?.as_bytes());
            return Ok(());
        }
        [b'{', ..] => {}
        _ => return Err(JsonEncodeErrorKind::Value),
    }
    let groups: BTreeMap<String, Option<String>> =
        serde_json::from_str(raw.get()).map_err(JsonModelError::from)?;
    let group = |name: &str| groups.get(name).and_then(Option::as_deref).unwrap_or_default();
    let name = [group("Alphabetic"), group("Ideographic"), group("Phonetic")].join("=");
    out.extend_from_slice(name.trim_end_matches('=').as_bytes());
    Ok(())
}

/// Eight hexadecimal digits.
pub(crate) fn encode_tag(raw: &RawValue, out: &mut Vec<u8>) -> Result<(), JsonEncodeErrorKind> {
    if !raw.get().starts_with('"') {
        return Err(JsonEncodeErrorKind::Value);
    }
    let tag = tag_of_key(&json_text(raw)?).ok_or(JsonEncodeErrorKind::Value)?;
    out.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
    out.extend_from_slice(&(tag as u16).to_le_bytes());
    Ok(())
}

/// A number, or a string of one (F.2.3).
pub(crate) fn encode_number(vr: VR, raw: &RawValue, out: &mut Vec<u8>) -> Result<(), JsonEncodeErrorKind> {
    let text = if raw.get().starts_with('"') { json_text(raw)? } else { raw.get().into() };
    let text = text.trim();
    let wrong = JsonEncodeErrorKind::Value;
    // `1.0` and `1e3` are whole numbers to JSON.
    let integer = || -> Option<i128> {
        text.parse().ok().or_else(|| {
            let number: f64 = text.parse().ok()?;
            (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i128)
        })
    };
    macro_rules! whole {
        ($type:ty) => {{
            let number = integer().and_then(|number| <$type>::try_from(number).ok()).ok_or(wrong)?;
            out.extend_from_slice(&number.to_le_bytes());
        }};
    }
    match vr {
        VR::US => whole!(u16),
        VR::SS => whole!(i16),
        VR::UL => whole!(u32),
        VR::SL => whole!(i32),
        VR::UV => whole!(u64),
        VR::SV => whole!(i64),
        // Infinities and NaN come as strings.
        VR::FL => out.extend_from_slice(&text.parse::<f32>().map_err(|_| wrong)?.to_le_bytes()),
        VR::FD => out.extend_from_slice(&text.parse::<f64>().map_err(|_| wrong)?.to_le_bytes()),
        _ => return Err(wrong),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(vr: VR, json: &str) -> Result<Vec<u8>, JsonEncodeErrorKind> {
        let raw = RawValue::from_string(json.to_owned()).expect("JSON");
        let mut out = Vec::new();
        encode_number(vr, &raw, &mut out).map(|()| out)
    }

    #[test]
    fn whole_numbers_keep_within_their_vr() {
        assert_eq!(number(VR::SS, "-1"), Ok(vec![0xff, 0xff]));
        assert_eq!(number(VR::UL, "1.0"), Ok(vec![1, 0, 0, 0]));
        assert_eq!(number(VR::UV, "\"18446744073709551615\""), Ok(vec![0xff; 8]));
        assert_eq!(number(VR::SV, "9007199254740993"), Ok(9_007_199_254_740_993_i64.to_le_bytes().to_vec()));
        for (vr, json) in [
            (VR::US, "-1"),
            (VR::US, "65536"),
            (VR::SL, "2147483648"),
            (VR::UV, "18446744073709551616"),
            (VR::SV, "1e300"),
            (VR::US, "true"),
            (VR::US, "[1]"),
            (VR::US, "\"\""),
            (VR::OB, "1"),
        ] {
            assert_eq!(number(vr, json), Err(JsonEncodeErrorKind::Value), "{vr:?} {json}");
        }
    }

    #[test]
    fn floats_may_be_no_numbers() {
        assert_eq!(number(VR::FL, "0.5"), Ok(0.5_f32.to_le_bytes().to_vec()));
        assert_eq!(number(VR::FD, "\"-inf\""), Ok(f64::NEG_INFINITY.to_le_bytes().to_vec()));
        assert!(number(VR::FD, "\"x\"").is_err());
    }
}
