//! RFC 9110 13.1.2, If-None-Match, and 14, a range of an answer that is wholly in memory.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use service::http::problem::Problem;

/// Stored content does not change under its entity tag, but who may see it does: ask again, every time.
pub const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Whether the client has it already. Tags are compared weakly, as the method GET wants.
pub fn is_known(headers: &HeaderMap, entity_tag: &str) -> bool {
    let fields = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    fields
        .flat_map(|field| field.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == entity_tag)
}

/// 304 with what a cache needs.
pub fn not_modified(entity_tag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    tag(&mut response, entity_tag);
    response
}

/// Adds ETag, Cache-Control and Vary.
pub fn tag(response: &mut Response, entity_tag: &str) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(entity_tag) {
        headers.insert(header::ETAG, value);
    }
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
}

/// What of an answer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// From the first to the last byte, both counted from 0 and within it.
    Range(u64, u64),
    /// A range that lies outside of it.
    Unsatisfiable,
}

/// RFC 9110 14.2: a single range, of this version if If-Range says so; what is not understood is left aside.
pub fn wanted(headers: &HeaderMap, entity_tag: &str, total: u64) -> Wanted {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let fresh = headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == entity_tag.as_bytes());
    match range.filter(|_| fresh).and_then(|range| parse_range(range, total)) {
        None => Wanted::Whole,
        Some(None) => Wanted::Unsatisfiable,
        Some(Some((first, last))) => Wanted::Range(first, last),
    }
}

/// 416, which says how long the whole is.
pub fn not_satisfiable(total: u64) -> Response {
    let detail = format!("there are {total} bytes, counted from 0: ask for a range that begins within them");
    let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE).detail(detail).into_response();
    set(&mut response, header::CONTENT_RANGE, &format!("bytes */{total}"));
    response
}

/// Makes an answer out of a body that is what was asked for of `total` bytes.
pub fn partial(mut response: Response, wanted: Wanted, total: u64) -> Response {
    if let Wanted::Range(first, last) = wanted {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{total}"));
    }
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

/// The whole of `body`, or the one range of it that was asked for.
pub fn ranged(headers: &HeaderMap, entity_tag: &str, content_type: &str, body: Bytes) -> Response {
    let total = body.len() as u64;
    let wanted = wanted(headers, entity_tag, total);
    let body = match wanted {
        Wanted::Whole => body,
        Wanted::Range(first, last) => body.slice(first as usize..=last as usize),
        Wanted::Unsatisfiable => return not_satisfiable(total),
    };
    let mut response = partial(Response::new(Body::from(body)), wanted, total);
    set(&mut response, header::CONTENT_TYPE, content_type);
    tag(&mut response, entity_tag);
    response
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// First and last byte. `None`: no range that we understand, the whole is sent. `Some(None)`: not satisfiable.
#[expect(clippy::option_option, reason = "the outer one is whether there is a range at all")]
fn parse_range(text: &str, total: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let length: u64 = last.parse().ok()?;
        let start = total.saturating_sub(length);
        return Some((length > 0 && total > 0).then(|| (start, total - 1)));
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some((first < total).then(|| (first, last.min(total - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn known_tags() {
        for (field, known) in
            [("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("a", false)]
        {
            assert_eq!(is_known(&headers(header::IF_NONE_MATCH, field), "\"a\""), known, "{field}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"a\""));
    }

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-9", Some(Some((0, 9)))),
            ("bytes=90-", Some(Some((90, 99)))),
            ("bytes=95-200", Some(Some((95, 99)))),
            ("bytes=-10", Some(Some((90, 99)))),
            ("bytes=-1000", Some(Some((0, 99)))),
            ("bytes=100-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=9-0", None),
            ("bytes=0-1,3-4", None),
            ("items=0-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_range(text, 100), expected, "{text}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let mut wanted = headers(header::RANGE, "bytes=0-0");
        let body = Bytes::from_static(b"0123456789");
        let partial = ranged(&wanted, "\"a\"", "image/jpeg", body.clone());
        assert_eq!(partial.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(partial.headers()[header::CONTENT_RANGE], "bytes 0-0/10");
        wanted.insert(header::IF_RANGE, HeaderValue::from_static("\"old\""));
        assert_eq!(ranged(&wanted, "\"a\"", "image/jpeg", body).status(), StatusCode::OK);
    }
}
