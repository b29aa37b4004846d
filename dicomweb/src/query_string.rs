//! RFC 3986 3.4, the query component of a URL, as name and value pairs.

/// Most pairs in one query.
pub const PAIRS_MAX: usize = 256;

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
        pairs.push((name, decode(value)?));
    }
    Ok(pairs)
}

/// Decodes `%XX`, and `+` as a space.
pub fn decode(text: &str) -> Result<String, QueryStringError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| {
                    byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(QueryStringError::Encoding)
                };
                let high = digit(rest.next())?;
                let low = digit(rest.next())?;
                (high * 16 + low) as u8
            }
            other => other,
        });
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
