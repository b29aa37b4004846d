//! RFC 3986 3.4, the query component of a URL, as name and value pairs.

/// Most pairs in one query.
pub const PAIRS_MAX: usize = 256;

/// Parameters whose values are media types, as in `application/dicom+json`.
const MEDIA_TYPES: [&str; 2] = ["accept", "contentType"];

/// Why a query cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryStringError {
    /// `%` without two hexadecimal digits after it, or bytes that are no UTF-8.
    #[error("the query has a percent-encoding that cannot be read as UTF-8")]
    Encoding,
    /// Over [`PAIRS_MAX`].
    #[error("the query has more than {PAIRS_MAX} parameters")]
    TooMany,
}

/// The pairs, decoded, in their order. `&` alone and an empty name, as some clients send them, give nothing.
pub fn parse(query: Option<&str>) -> Result<Vec<(String, String)>, QueryStringError> {
    let mut pairs = Vec::new();
    for piece in query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let name = decode(name)?;
        if name.is_empty() {
            continue;
        }
        if pairs.len() == PAIRS_MAX {
            return Err(QueryStringError::TooMany);
        }
        let is_media_types = MEDIA_TYPES.iter().any(|known| name.eq_ignore_ascii_case(known));
        let value = if is_media_types { decode_media_types(value)? } else { decode(value)? };
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Decodes `%XX`, and `+` as a space.
pub fn decode(text: &str) -> Result<String, QueryStringError> {
    decode_with(text, |_| b' ')
}

/// Decodes `%XX`, and leaves a `+` where it can be one (PS3.18 8.3.3.1). No word of a list of media types begins with
/// it: there it is the space of who encodes queries as forms.
fn decode_media_types(text: &str) -> Result<String, QueryStringError> {
    decode_with(text, |before| if before.is_none_or(|byte| b" ,;=".contains(byte)) { b' ' } else { b'+' })
}

/// `plus` is told what stands before a `+`.
fn decode_with(text: &str, plus: impl Fn(Option<&u8>) -> u8) -> Result<String, QueryStringError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'+' => plus(bytes.last()),
            b'%' => {
                let digit = |byte: Option<u8>| {
                    byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(QueryStringError::Encoding)
                };
                let high = digit(rest.next())?;
                let low = digit(rest.next())?;
                (high * 16 + low) as u8
            }
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map_err(|_| QueryStringError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_and_bare_characters_are_the_same() {
        let pairs =
            parse(Some("PatientName=*x%2A&00100020=%2ax*&includefield=a%2Cb&q=a+b%20c")).expect("valid");
        let values: Vec<&str> = pairs.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["*x*", "*x*", "a,b", "a b c"]);
    }

    #[test]
    fn a_plus_is_part_of_a_media_type() {
        for (query, expected) in [
            ("accept=application/dicom+json", "application/dicom+json"),
            ("ACCEPT=application/dicom%2Bjson", "application/dicom+json"),
            ("contentType=application/dicom+json", "application/dicom+json"),
            ("accept=a/b;+type=%22application/dicom+xml%22,+c/d", "a/b; type=\"application/dicom+xml\", c/d"),
            ("accepted=a+b", "a b"),
        ] {
            assert_eq!(parse(Some(query)).expect("valid")[0].1, expected, "{query}");
        }
    }

    #[test]
    fn empty_keys_are_nothing() {
        assert_eq!(parse(Some("&includefield=x&&=y&z")).expect("valid").len(), 2);
        assert_eq!(parse(None).expect("valid").len(), 0);
    }

    #[test]
    fn broken_encodings_are_refused() {
        for query in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=x", "a=%+1"] {
            assert_eq!(parse(Some(query)), Err(QueryStringError::Encoding), "{query}");
        }
        let flood = "a=1&".repeat(PAIRS_MAX + 1);
        assert_eq!(parse(Some(&flood)), Err(QueryStringError::TooMany));
    }
}
