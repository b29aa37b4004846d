//! PS3.18 F.2.2 to F.2.7: one value as JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use dicom_core::VR;

use crate::{
    json::Json,
    value::{Number, Value, is_multiple, trim},
};

/// Integers that every JSON reader keeps exactly (RFC 8259 6); larger ones are strings, as F.2.3 allows.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

const GROUPS_OF_PERSON_NAME: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];

/// Writes what follows `"vr"` in the attribute: nothing when the value is empty (F.2.5).
pub(crate) fn write_value(json: &mut Json, value: &Value<'_>) {
    if value.bytes.is_empty() {
        return;
    }
    match value.vr {
        VR::SQ => {}
        VR::AT => write_tags(json, value),
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => {
            json.raw(",\"InlineBinary\":\"");
            json.raw(&BASE64_STANDARD.encode(value.little_endian()));
            json.raw("\"");
        }
        _ => match value.text() {
            Some(text) => write_text(json, value.vr, &text),
            None => write_numbers(json, value),
        },
    }
}

fn write_text(json: &mut Json, vr: VR, text: &str) {
    let mut list = List::new(json);
    if is_multiple(vr) {
        if text.split('\\').all(|part| is_nothing(vr, part)) {
            return;
        }
        for part in text.split('\\') {
            write_part(list.next(), vr, trim(vr, part));
        }
    } else {
        let text = trim(vr, text);
        if text.is_empty() {
            return;
        }
        list.next().string(text);
    }
    list.end();
}

/// Nothing of the value would be seen: for person names neither are lone separators of groups.
fn is_nothing(vr: VR, part: &str) -> bool {
    let part = trim(vr, part);
    part.is_empty() || (vr == VR::PN && part.bytes().all(|byte| byte == b'='))
}

fn write_part(json: &mut Json, vr: VR, part: &str) {
    match vr {
        _ if is_nothing(vr, part) => json.raw("null"),
        VR::PN => write_person_name(json, part),
        VR::IS => match part.strip_prefix('+').unwrap_or(part).parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= SAFE_INTEGER_MAX => json.display(number),
            _ => json.string(part),
        },
        VR::DS => match exact_decimal(part) {
            Some(number) => json.display(number),
            None => json.string(part),
        },
        _ => json.string(part),
    }
}

/// F.2.2: an object with only the component groups that are there.
fn write_person_name(json: &mut Json, name: &str) {
    json.raw("{");
    let mut first = true;
    for (key, group) in GROUPS_OF_PERSON_NAME.iter().zip(name.split('=')) {
        let group = group.trim_end_matches(' ');
        if group.is_empty() {
            continue;
        }
        json.raw(if first { "\"" } else { ",\"" });
        first = false;
        json.raw(key);
        json.raw("\":");
        json.string(group);
    }
    json.raw("}");
}

fn write_tags(json: &mut Json, value: &Value<'_>) {
    let read = |bytes: [u8; 2]| {
        u32::from(if value.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let mut list = List::new(json);
    for [a, b, c, d] in value.bytes.as_chunks::<4>().0 {
        let json = list.next();
        json.raw("\"");
        json.push_tag(read([*a, *b]) << 16 | read([*c, *d]));
        json.raw("\"");
    }
    list.end();
}

fn write_numbers(json: &mut Json, value: &Value<'_>) {
    let mut list = List::new(json);
    value.each_number(|number| {
        let json = list.next();
        match number {
            Number::Integer(number) if number.unsigned_abs() <= SAFE_INTEGER_MAX => json.display(number),
            Number::Integer(number) => json.string(&number.to_string()),
            Number::Unsigned(number) if number <= SAFE_INTEGER_MAX => json.display(number),
            Number::Unsigned(number) => json.string(&number.to_string()),
            Number::Float(number) => write_float(json, number),
        }
    });
    list.end();
}

/// JSON has no NaN and no infinities: they are strings, spelt as other DICOM JSON readers take them.
fn write_float(json: &mut Json, number: f64) {
    if number.is_nan() {
        json.raw("\"NaN\"");
    } else if number.is_infinite() {
        json.raw(if number > 0.0 { "\"inf\"" } else { "\"-inf\"" });
    } else {
        json.display(Float(number));
    }
}

/// Shortest digits that give the same number back; an exponent only where the digits would be many.
struct Float(f64);

impl std::fmt::Display for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.0.abs();
        if size != 0.0 && !(1e-5..1e16).contains(&size) {
            write!(f, "{:e}", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// The decimal as a number when a reader of JSON gets exactly the decimal that was sent.
fn exact_decimal(text: &str) -> Option<impl std::fmt::Display + use<>> {
    let valid =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = if valid { text.parse().ok()? } else { return None };
    (number.is_finite() && digits(text) == digits(&format!("{number:e}"))).then_some(Float(number))
}

/// Significant digits of a decimal and its power of ten: equal for equal decimals.
fn digits(text: &str) -> ([u8; 24], usize, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let (mut kept, mut length, mut power, mut after_point) = ([0; 24], 0, exponent, false);
    for byte in mantissa.bytes() {
        match byte {
            b'.' => after_point = true,
            b'0' if length == 0 => power = power.saturating_sub(i64::from(after_point)),
            b'0'..=b'9' => {
                if let Some(place) = kept.get_mut(length) {
                    *place = byte;
                }
                length += 1;
                power = power.saturating_sub(i64::from(after_point));
            }
            _ => {}
        }
    }
    while length > 0 && length <= kept.len() && kept[length - 1] == b'0' {
        length -= 1;
        kept[length] = 0;
        power = power.saturating_add(1);
    }
    if length == 0 { ([0; 24], 0, 0) } else { (kept, length, power) }
}

/// The array after `"Value":`, begun with its first entry.
struct List<'a> {
    json: &'a mut Json,
    begun: bool,
}

impl<'a> List<'a> {
    fn new(json: &'a mut Json) -> Self {
        Self { json, begun: false }
    }

    fn next(&mut self) -> &mut Json {
        self.json.raw(if self.begun { "," } else { ",\"Value\":[" });
        self.begun = true;
        self.json
    }

    fn end(self) {
        if self.begun {
            self.json.raw("]");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::CharacterSet;

    fn check(vr: VR, bytes: &[u8], expected: &str) {
        let mut json = Json::default();
        let value = Value { vr, bytes, big_endian: false, character_set: CharacterSet::DEFAULT };
        write_value(&mut json, &value);
        assert_eq!(json.into_text(), expected, "{vr:?} {bytes:?}");
    }

    #[test]
    fn decimal_strings_are_numbers_when_nothing_is_lost() {
        check(VR::DS, b"0.143 ", r#","Value":[0.143]"#);
        check(VR::DS, b"5.000000\\+7\\-.5", r#","Value":[5,7,-0.5]"#);
        check(VR::DS, b"1.2345678901234567890123", r#","Value":["1.2345678901234567890123"]"#);
        check(VR::DS, b"1e400\\NaN\\abc\\0.0", r#","Value":["1e400","NaN","abc",0]"#);
        check(VR::DS, b"1E-7\\100000", r#","Value":[1e-7,100000]"#);
        check(VR::DS, b"  ", "");
    }

    #[test]
    fn integer_strings() {
        check(VR::IS, b"+12 \\ 007\\1A\\", r#","Value":[12,7,"1A",null]"#);
        check(VR::IS, b"9007199254740993", r#","Value":["9007199254740993"]"#);
    }

    #[test]
    fn texts() {
        check(VR::LO, b" a \\\\b ", r#","Value":[" a",null,"b"]"#);
        check(VR::LT, b"a\\b \0", r#","Value":["a\\b"]"#);
        check(VR::LO, b"  ", "");
        check(VR::UI, b"1.2\0", r#","Value":["1.2"]"#);
    }

    #[test]
    fn person_names() {
        check(VR::PN, b"A^B==C", r#","Value":[{"Alphabetic":"A^B","Phonetic":"C"}]"#);
        check(VR::PN, b"A\\", r#","Value":[{"Alphabetic":"A"},null]"#);
        check(VR::PN, b"==", "");
    }

    #[test]
    fn binary() {
        check(VR::AT, b"\x10\0\x20\0\x54\x00\x01\x0a", r#","Value":["00100020","00540A01"]"#);
        check(VR::SV, &i64::MIN.to_le_bytes(), r#","Value":["-9223372036854775808"]"#);
        check(VR::FL, &f32::NAN.to_le_bytes(), r#","Value":["NaN"]"#);
        check(VR::US, b"\x01\0\x02", r#","Value":[1]"#);
        check(VR::US, b"\x01", "");
        check(VR::OB, b"\x01\x02", r#","InlineBinary":"AQI=""#);
    }
}
