//! RFC 9110 8.8.3 and 13.1: entity tags from row versions, so that no change overwrites one it has not seen.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use service::http::problem::Problem;

/// The entity tag of a version: `"3"`.
pub fn entity_tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether If-None-Match names this version: the asker has it already.
pub fn is_known(headers: &HeaderMap, version: i64) -> bool {
    let tags = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || parse(tag) == Some(version))
}

/// The version that If-Match asks for.
///
/// # Errors
/// 428 without the header, 412 when it cannot be one of ours.
pub fn expected_version(headers: &HeaderMap) -> Result<i64, Problem> {
    let value = headers.get(header::IF_MATCH).ok_or_else(|| {
        Problem::new(StatusCode::PRECONDITION_REQUIRED)
            .detail("send If-Match with the ETag that you last read")
    })?;
    value.to_str().ok().and_then(|tag| parse(tag.trim())).ok_or_else(changed_meanwhile)
}

/// 412: somebody changed it since it was read.
pub fn changed_meanwhile() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED)
        .detail("it was changed since you read it; read it again and repeat your change on that")
}

fn parse(tag: &str) -> Option<i64> {
    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut headers = HeaderMap::new();
        assert_eq!(expected_version(&headers).expect_err("missing").status, 428);
        headers.insert(header::IF_MATCH, entity_tag(12));
        assert_eq!(expected_version(&headers), Ok(12));
        headers.insert(header::IF_MATCH, HeaderValue::from_static("\"x\""));
        assert_eq!(expected_version(&headers).expect_err("foreign").status, 412);
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"1\", W/\"12\""));
        assert!(is_known(&headers, 12) && !is_known(&headers, 2));
    }
}
