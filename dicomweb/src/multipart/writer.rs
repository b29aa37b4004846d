//! PS3.18 8.6.1.2, writing `multipart/related` so that every known viewer can read it.
//!
//! Cornerstone looks for `Content-Type:` in exactly this case, dcmjs keeps quotes in a transfer syntax, the Python
//! client splits at `;`: the bytes here are as plain as they can be.

use bytes::Bytes;

use super::Boundary;

/// What one part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// `type/subtype`.
    pub media_type: &'a str,
    /// Empty where there is none.
    pub transfer_syntax: &'a str,
}

impl Part<'_> {
    /// The value of its Content-Type: the transfer syntax stands without quotes.
    pub fn content_type(&self) -> String {
        if self.transfer_syntax.is_empty() {
            self.media_type.to_owned()
        } else {
            format!("{}; transfer-syntax={}", self.media_type, self.transfer_syntax)
        }
    }
}

/// Makes the bytes around the parts.
#[derive(Debug, Clone)]
pub struct MultipartWriter {
    boundary: Boundary,
    media_type: String,
}

impl MultipartWriter {
    /// A payload whose parts are of one media type.
    pub fn new(boundary: Boundary, media_type: &str) -> Self {
        Self { boundary, media_type: media_type.to_owned() }
    }

    /// The Content-Type of the whole payload.
    pub fn content_type(&self) -> String {
        format!("multipart/related; type=\"{}\"; boundary={}", self.media_type, self.boundary)
    }

    /// Everything up to the first byte of a part; `first` for the first one.
    pub fn part_start(&self, first: bool, part: Part<'_>) -> Bytes {
        let line_break = if first { "" } else { "\r\n" };
        let content_type = part.content_type();
        Bytes::from(format!("{line_break}--{}\r\nContent-Type: {content_type}\r\n\r\n", self.boundary))
    }

    /// The closing delimiter.
    pub fn end(&self) -> Bytes {
        Bytes::from(format!("\r\n--{}--\r\n", self.boundary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipart::{Decoder, Event, Fingerprint};

    fn writer() -> MultipartWriter {
        MultipartWriter::new(Fingerprint::new("test").finish(), "image/jp2")
    }

    #[test]
    fn headers_are_spelled_as_viewers_expect() {
        let part = Part { media_type: "image/jp2", transfer_syntax: "1.2.840.10008.1.2.4.90" };
        let start = String::from_utf8(writer().part_start(true, part).to_vec()).expect("ASCII");
        assert!(start.starts_with("--maxray-"));
        assert!(
            start.ends_with("\r\nContent-Type: image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90\r\n\r\n")
        );
        assert!(start.len() < 1000);
        assert!(
            writer().content_type().starts_with("multipart/related; type=\"image/jp2\"; boundary=maxray-")
        );
    }

    #[test]
    fn our_own_reader_reads_it() {
        let writer = writer();
        let part = Part { media_type: "image/jp2", transfer_syntax: "" };
        let mut decoder = Decoder::new(writer.boundary.as_str(), 2).expect("boundary");
        for (first, payload) in [(true, "one"), (false, "two")] {
            decoder.feed(&writer.part_start(first, part));
            decoder.feed(payload.as_bytes());
        }
        decoder.feed(&writer.end());
        let mut payload = Vec::new();
        loop {
            match decoder.poll().expect("valid") {
                Event::Data(data) => payload.extend_from_slice(&data),
                Event::PartEnd => payload.push(b'|'),
                Event::End => break,
                Event::NeedMore => panic!("truncated"),
                Event::Part(header) => assert!(header.content_type.is_some()),
            }
        }
        assert_eq!(payload, b"one|two|");
    }
}
