//! PS3.5 6.1.2.4 and 6.1.2.5, Code Extension Techniques (ISO 2022).

use super::{
    Text,
    repertoire::{CodeElement, HighSet, LowSet, escape},
};

pub(super) const ESCAPE: u8 = 0x1b;

/// The code elements in use at the start of each value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Initial {
    pub(super) low: LowSet,
    pub(super) high: Option<HighSet>,
}

impl Initial {
    pub(super) const LATIN_1: Self = Self { low: LowSet::Ascii, high: Some(HighSet::Latin1) };
}

/// Decodes text with escape sequences. Known sequences are followed whether their set was declared or not.
pub(super) fn decode(mut bytes: &[u8], initial: Initial, text: Text) -> String {
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 2);
    let mut now = initial;
    while let Some(&byte) = bytes.first() {
        if byte == ESCAPE
            && let Some((element, length)) = escape(bytes)
        {
            match element {
                CodeElement::Low(low) => now.low = low,
                CodeElement::High(high) => now.high = Some(high),
            }
            bytes = &bytes[length..];
            continue;
        }
        let used = if byte >= 0x80 {
            decode_high(bytes, now.high, &mut out)
        } else if now.low != LowSet::Ascii && (0x21..=0x7e).contains(&byte) {
            decode_low_pair(bytes, now.low, &mut out)
        } else {
            if is_separator(byte, text) {
                now = initial;
            }
            out.push(char::from(byte));
            1
        };
        bytes = &bytes[used..];
    }
    out
}

fn decode_low_pair(bytes: &[u8], low: LowSet, out: &mut String) -> usize {
    if let [first, second @ 0x21..=0x7e, ..] = bytes {
        low.decode_pair(*first, *second, out);
        2
    } else {
        out.push(char::REPLACEMENT_CHARACTER);
        1
    }
}

fn decode_high(bytes: &[u8], high: Option<HighSet>, out: &mut String) -> usize {
    match (high, bytes) {
        (Some(high), [first @ 0xa1..=0xff, second @ 0xa1..=0xff, ..]) if high.is_double_byte() => {
            high.decode(&[*first, *second], out);
            2
        }
        (Some(high), _) if !high.is_double_byte() => {
            high.decode(&bytes[..1], out);
            1
        }
        _ => {
            out.push(char::REPLACEMENT_CHARACTER);
            1
        }
    }
}

/// Where the initial code elements are in force again (PS3.5 6.1.2.5.3).
pub(super) fn is_separator(byte: u8, text: Text) -> bool {
    match byte {
        b'\t' | b'\n' | 0x0c | b'\r' => true,
        b'\\' => text != Text::Single,
        b'^' | b'=' => text == Text::PersonName,
        _ => false,
    }
}
