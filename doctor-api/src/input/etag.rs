//! RFC 9110 8.8.3 and 13.1: entity tags from row versions, so that no change overwrites one it has not seen.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use service::http::problem::Problem;

/// The entity tag of a version: `"3"`.
pub fn entity_tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&version_tag(version)).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The same as text.
pub fn version_tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// Whether If-None-Match names this entity tag: the asker has it already. Tags are compared weakly, as the method GET wants.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let fields = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = fields.flat_map(|field| field.split(',')).map(str::trim);
    known.any(|known| known == "*" || strong(known) == tag)
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

/// None unless it is written as we write it: an entity tag is a name and no number.
fn parse(tag: &str) -> Option<i64> {
    let version = strong(tag).strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
    (version_tag(version) == strong(tag)).then_some(version)
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
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
        for foreign in ["\"+12\"", "\"012\"", "12"] {
            headers.insert(header::IF_MATCH, HeaderValue::from_static(foreign));
            assert_eq!(expected_version(&headers).expect_err(foreign).status, 412);
        }
    }

    #[test]
    fn what_the_asker_has_is_known_in_any_of_the_fields() {
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, "\"12\""));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"1\", W/\"12\""));
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"ab\""));
        for (tag, known) in
            [("\"12\"", true), ("\"ab\"", true), ("\"2\"", false), ("\"a\"", false), ("12", false)]
        {
            assert_eq!(is_known(&headers, tag), known, "{tag}");
        }
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert!(is_known(&headers, &version_tag(7)));
    }
}
