//! PS3.18 10.4.1.1.2, Metadata Resources: what a stored header lacks is where it was asked for.
//!
//! A stored header is JSON that MaxRay wrote itself: no white space, keys ascending, upper case. So the additions
//! are byte work in one pass over the first groups, and nothing is parsed into a tree.

use memchr::memmem;

use super::tag;

/// What is added to one instance's header.
#[derive(Debug, Clone, Copy)]
pub struct Annotations<'a> {
    /// URL of the instance, without a slash at its end.
    pub instance_url: &'a str,
    /// Transfer syntax in which the instance can be had.
    pub transfer_syntax: &'a str,
}

/// Begins every value that a stored header left out.
const BULK_DATA_PREFIX: &[u8] = b"\"BulkDataURI\":\"bulkdata/";

/// The header with Retrieve URL, Available Transfer Syntax UID and whole BulkDataURIs, appended to `out`.
pub fn annotate(header: &str, annotations: Annotations<'_>, out: &mut Vec<u8>) {
    let additions = [
        (tag::RETRIEVE_URL, "UR", annotations.instance_url),
        (tag::AVAILABLE_TRANSFER_SYNTAX_UID, "UI", annotations.transfer_syntax),
    ];
    let mut written = 0;
    let mut keys = TopLevelKeys::new(header.as_bytes());
    let mut pending = additions.iter().peekable();
    let mut next = keys.next();
    let mut any = false;
    while let Some((added, vr, value)) = pending.peek() {
        match next {
            Some(key) if key.tag < *added => {
                any = true;
                next = keys.next();
            }
            Some(key) if key.tag == *added => {
                // The sender's own value says where the sender kept it.
                copy(&header.as_bytes()[written..key.start], annotations, out);
                written = key.value_end;
                out.extend_from_slice(attribute(*added, vr, value).as_bytes());
                any = true;
                next = keys.next();
                pending.next();
            }
            Some(key) => {
                copy(&header.as_bytes()[written..key.start], annotations, out);
                written = key.start;
                out.extend_from_slice(attribute(*added, vr, value).as_bytes());
                out.push(b',');
                any = true;
                pending.next();
            }
            None => {
                let end = header.rfind('}').unwrap_or(header.len());
                copy(&header.as_bytes()[written..end], annotations, out);
                written = end;
                if any {
                    out.push(b',');
                }
                out.extend_from_slice(attribute(*added, vr, value).as_bytes());
                any = true;
                pending.next();
            }
        }
    }
    copy(&header.as_bytes()[written..], annotations, out);
}

fn attribute(tag: u32, vr: &str, value: &str) -> String {
    format!("\"{tag:08X}\":{{\"vr\":\"{vr}\",\"Value\":[\"{value}\"]}}")
}

/// Copies, writing the instance's URL before each `bulkdata/`. The pattern cannot stand inside a string: a quote
/// there would have a backslash before it.
fn copy(bytes: &[u8], annotations: Annotations<'_>, out: &mut Vec<u8>) {
    let finder = memmem::Finder::new(BULK_DATA_PREFIX);
    let path_at = BULK_DATA_PREFIX.len() - b"bulkdata/".len();
    let mut copied = 0;
    for found in finder.find_iter(bytes) {
        let end = found + path_at;
        out.extend_from_slice(&bytes[copied..end]);
        out.extend_from_slice(annotations.instance_url.as_bytes());
        out.push(b'/');
        copied = end;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Where a top-level attribute lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its tag.
    pub tag: u32,
    /// The quote that opens its key.
    pub start: usize,
    /// First byte of its value.
    pub value_start: usize,
    /// First byte after its value.
    pub value_end: usize,
}

/// Walks over the top-level attributes of a header.
pub struct TopLevelKeys<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> TopLevelKeys<'a> {
    /// Begins before the first attribute.
    pub fn new(json: &'a [u8]) -> Self {
        Self { json, at: 1 }
    }

    /// First byte after the value that begins at `at`.
    fn value_end(&self, mut at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            match self.json.get(at)? {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'"' => at = self.string_end(at)?,
                _ => {}
            }
            at += 1;
        }
    }

    /// The quote that closes the string whose opening quote is at `at`.
    fn string_end(&self, at: usize) -> Option<usize> {
        let mut at = at + 1;
        loop {
            let next = memchr::memchr2(b'"', b'\\', self.json.get(at..)?)? + at;
            if self.json[next] == b'"' {
                return Some(next);
            }
            at = next + 2;
        }
    }
}

impl Iterator for TopLevelKeys<'_> {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        let start = memchr::memchr(b'"', self.json.get(self.at..)?)? + self.at;
        let digits = std::str::from_utf8(self.json.get(start + 1..start + 9)?).ok()?;
        let tag = u32::from_str_radix(digits, 16).ok()?;
        let value_start = start + 11;
        let value_end = self.value_end(value_start)?;
        self.at = value_end;
        Some(Key { tag, start, value_start, value_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "/dicomweb/studies/1/series/2/instances/3";

    fn check(header: &str, expected: &str) {
        let mut out = Vec::new();
        annotate(header, Annotations { instance_url: URL, transfer_syntax: "1.2" }, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let _: serde_json::Value = serde_json::from_str(&text).expect(&text);
        let url = format!("\"00081190\":{{\"vr\":\"UR\",\"Value\":[\"{URL}\"]}}");
        let syntax = "\"00083002\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]}";
        let expected = expected.replace("URL", &url).replace("SYNTAX", syntax).replace("BASE", URL);
        assert_eq!(text, expected);
    }

    #[test]
    fn additions_stand_in_key_order() {
        check("{}", "{URL,SYNTAX}");
        check(r#"{"00080005":{"vr":"CS"}}"#, r#"{"00080005":{"vr":"CS"},URL,SYNTAX}"#);
        check(r#"{"00100010":{"vr":"PN"}}"#, r#"{URL,SYNTAX,"00100010":{"vr":"PN"}}"#);
        check(
            r#"{"00080005":{"vr":"CS"},"00082218":{"vr":"SQ"},"00100010":{"vr":"PN"}}"#,
            r#"{"00080005":{"vr":"CS"},URL,"00082218":{"vr":"SQ"},SYNTAX,"00100010":{"vr":"PN"}}"#,
        );
    }

    #[test]
    fn what_the_sender_wrote_there_is_replaced() {
        check(
            r#"{"00081190":{"vr":"UR","Value":["http://old/\"}"]},"00083002":{"vr":"UI"}}"#,
            "{URL,SYNTAX}",
        );
    }

    #[test]
    fn nested_keys_and_strings_with_markup_do_not_mislead() {
        check(
            r#"{"00081140":{"vr":"SQ","Value":[{"00081190":{"vr":"UR"},"00100010":{"vr":"PN"}}]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"}\\\"BulkDataURI\":\"bulkdata/"}]}}"#,
            r#"{"00081140":{"vr":"SQ","Value":[{"00081190":{"vr":"UR"},"00100010":{"vr":"PN"}}]},URL,SYNTAX,"00100010":{"vr":"PN","Value":[{"Alphabetic":"}\\\"BulkDataURI\":\"bulkdata/"}]}}"#,
        );
    }

    #[test]
    fn bulk_data_gets_the_instance_s_url() {
        check(
            r#"{"00282000":{"vr":"OB","BulkDataURI":"bulkdata/00282000"},"7FE00010":{"vr":"OW","BulkDataURI":"bulkdata/7FE00010"}}"#,
            r#"{URL,SYNTAX,"00282000":{"vr":"OB","BulkDataURI":"BASE/bulkdata/00282000"},"7FE00010":{"vr":"OW","BulkDataURI":"BASE/bulkdata/7FE00010"}}"#,
        );
    }
}
