//! PS3.18 8.6.1.2, multipart bodies: made for STOW-RS, taken apart for WADO-RS. Not the server's code, on purpose.

/// One part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Header lines as received, without line ends.
    pub headers: Vec<String>,
    /// Content.
    pub body: Vec<u8>,
}

impl Part {
    /// The value of a header, any case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The `Content-Type` for [`encode`].
pub fn content_type(boundary: &str) -> String {
    format!("multipart/related; type=\"application/dicom\"; boundary={boundary}")
}

/// A `multipart/related` body of Part 10 files.
pub fn encode(boundary: &str, files: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

/// Takes a body apart by the boundary of its `Content-Type`.
///
/// # Panics
/// When the body is not well formed: missing boundary parameter, no final delimiter, no blank line.
pub fn decode(content_type: &str, body: &[u8]) -> Vec<Part> {
    let boundary = content_type
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .unwrap_or_else(|| panic!("no boundary in {content_type}"))
        .trim_matches('"');
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let opening = delimiter.get(2..).expect("a delimiter is longer than its line end");
    assert!(
        body.starts_with(opening) || body.starts_with(&delimiter),
        "the body does not open with --{boundary}"
    );
    let mut rest = &body[find(body, opening).expect("checked above") + opening.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let end = find(rest, &delimiter).expect("a part must end with its delimiter");
        let part = rest[..end].strip_prefix(b"\r\n").expect("a line end after the delimiter");
        let blank = find(part, b"\r\n\r\n").expect("a blank line after the part's headers");
        let headers = String::from_utf8_lossy(&part[..blank]).lines().map(str::to_owned).collect();
        parts.push(Part { headers, body: part[blank + 4..].to_vec() });
        rest = &rest[end + delimiter.len()..];
    }
    parts
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|byte| *byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let body = encode("b", &[b"one\r\n--", b""]);
        let parts = decode("multipart/related; boundary=\"b\"", &body);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].body, b"one\r\n--");
        assert_eq!(parts[0].header("content-type"), Some("application/dicom"));
        assert!(parts[1].body.is_empty());
    }

    #[test]
    #[should_panic(expected = "a part must end with its delimiter")]
    fn a_body_without_an_end_is_no_body() {
        decode("multipart/related; boundary=b", b"--b\r\nContent-Type: x\r\n\r\nabc");
    }
}
