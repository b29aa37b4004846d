//! The form of the codes of specialties. Whether a system has a code is not known here.

use model::clinical::SNOMED_CT;

/// The provider taxonomy of the NUCC as a code system of FHIR.
pub(super) const NUCC: &str = "http://nucc.org/provider-taxonomy";

/// Verhoeff's check: the products of the symmetries of a pentagon ...
const PRODUCTS: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];
/// ... and what a digit counts for by its place, from the last one on.
const PLACES: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// What is wrong with a code of a system; `None` when it has the form that codes of that system have.
pub(super) fn refusal(system: &str, code: &str) -> Option<&'static str> {
    match system {
        SNOMED_CT if !is_snomed_ct(code) => {
            Some("is no SNOMED CT identifier: 6 to 18 digits, the last a check digit; copy it anew")
        }
        NUCC if !is_nucc(code) => {
            Some("is no code of the NUCC taxonomy: 10 characters that end in X, as in 2085R0202X")
        }
        _ => None,
    }
}

/// An SCTID: 6 to 18 digits without a zero before them, which agree with the last one.
fn is_snomed_ct(code: &str) -> bool {
    let digits = (6..=18).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    digits && !code.starts_with('0') && verhoeff(code) == 0
}

fn verhoeff(digits: &str) -> u8 {
    let places = PLACES.iter().cycle();
    digits.bytes().rev().zip(places).fold(0, |sum, (byte, place)| {
        let digit = place[usize::from(byte.saturating_sub(b'0').min(9))];
        PRODUCTS[usize::from(sum)][usize::from(digit)]
    })
}

/// `2085R0202X`: three digits, six digits or letters, and `X`.
fn is_nucc(code: &str) -> bool {
    let Some(code) = code.strip_suffix('X') else { return false };
    let known =
        |(place, byte): (usize, u8)| byte.is_ascii_digit() || (place > 2 && byte.is_ascii_uppercase());
    code.len() == 9 && code.bytes().enumerate().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_systems_have_and_codes_with_a_slip() {
        for (system, code) in [
            (SNOMED_CT, "394914008"),
            (SNOMED_CT, "394579002"),
            (SNOMED_CT, "73211009"),
            (SNOMED_CT, "138875005"),
            (NUCC, "2085R0202X"),
            (NUCC, "207RC0000X"),
            (NUCC, "183500000X"),
            // Not known, so not looked at.
            ("", ""),
        ] {
            assert_eq!(refusal(system, code), None, "{code}");
        }
        for (system, code) in [
            (SNOMED_CT, "394914009"),
            // Two digits in each other's place.
            (SNOMED_CT, "394941008"),
            (SNOMED_CT, "0394914008"),
            (SNOMED_CT, "39491400"),
            (SNOMED_CT, "12345"),
            (SNOMED_CT, "2085R0202X"),
            (SNOMED_CT, "٣٩٤٩١٤"),
            (NUCC, "2085R0202"),
            (NUCC, "2085r0202x"),
            (NUCC, "A085R0202X"),
            (NUCC, "2085R02020X"),
            (NUCC, "394914008"),
        ] {
            assert!(refusal(system, code).is_some(), "{code}");
        }
    }
}
