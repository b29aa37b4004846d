//! RFC 9110 8.3.1, media types with parameters, read as leniently as real clients write them.

/// Most bytes of one media type with its parameters.
const MEDIA_TYPE_LENGTH_MAX_BYTES: usize = 1024;

/// Why a text is not a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaTypeError {
    /// Not of the form `type/subtype`.
    #[error("a media type has the form type/subtype, with parameters after semicolons")]
    Malformed,
    /// Over `MEDIA_TYPE_LENGTH_MAX_BYTES`, or too many media ranges in one Accept.
    #[error("the media type is too long")]
    TooLong,
}

/// A media type or media range with its parameters; type, subtype and parameter names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype`, as in `multipart/related`.
    pub essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses one media type; white space around `;` and `=` is allowed, values may be quoted or not.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        if text.len() > MEDIA_TYPE_LENGTH_MAX_BYTES {
            return Err(MediaTypeError::TooLong);
        }
        let mut pieces = split_unquoted(text, ';');
        let essence = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/').ok_or(MediaTypeError::Malformed)?;
        if !is_token(kind) || !is_token(subtype) {
            return Err(MediaTypeError::Malformed);
        }
        let mut parameters = Vec::new();
        for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').ok_or(MediaTypeError::Malformed)?;
            parameters.push((name.trim().to_ascii_lowercase(), unquote(value.trim())?));
        }
        Ok(Self { essence, parameters })
    }

    /// The value of the first parameter of that (lower-case) name, without quotes.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether both are the same type, whatever their parameters.
    pub fn is(&self, essence: &str) -> bool {
        self.essence == essence
    }
}

/// Splits at a separator that stands outside quoted strings.
pub(super) fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

/// RFC 9110 5.6.2; `*` is a token character, so that ranges pass too.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn unquote(value: &str) -> Result<String, MediaTypeError> {
    let Some(rest) = value.strip_prefix('"') else {
        // Weasis, Cornerstone and others leave `/` and `*` unquoted; only a stray quote is an error.
        return if value.contains('"') { Err(MediaTypeError::Malformed) } else { Ok(value.to_owned()) };
    };
    let inner = rest.strip_suffix('"').ok_or(MediaTypeError::Malformed)?;
    let mut unquoted = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unquoted.push(characters.next().ok_or(MediaTypeError::Malformed)?),
            '"' => return Err(MediaTypeError::Malformed),
            other => unquoted.push(other),
        }
    }
    Ok(unquoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_content_types_of_four_stow_clients() {
        let cases = [
            ("multipart/related; type=\"application/dicom\"; boundary=\"abc\"", "abc"),
            ("multipart/related;type=application/dicom;boundary=weasisDicomBoundary", "weasisDicomBoundary"),
            ("multipart/related; type=application/dicom; boundary=myBoundary ", "myBoundary"),
            ("Multipart/Related; Boundary=\"a;b\"; TYPE = \"application/dicom\"", "a;b"),
        ];
        for (text, boundary) in cases {
            let parsed = MediaType::parse(text).expect(text);
            assert_eq!(parsed.essence, "multipart/related");
            assert_eq!(parsed.parameter("type"), Some("application/dicom"), "{text}");
            assert_eq!(parsed.parameter("boundary"), Some(boundary), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_media_type() {
        for text in ["", "multipart", "/x", "a/", "a b/c", "a/b; x", "a/b; x=\"y", "a/b; x=y\"z"] {
            assert_eq!(MediaType::parse(text), Err(MediaTypeError::Malformed), "{text:?}");
        }
        let long = format!("a/b; c={}", "d".repeat(2000));
        assert_eq!(MediaType::parse(&long), Err(MediaTypeError::TooLong));
    }
}
