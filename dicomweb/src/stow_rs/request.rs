//! PS3.18 10.5.1, the request of a Store Transaction: what its header fields say about its payload.

use axum::http::{HeaderMap, StatusCode, header};
use service::http::problem::Problem;

use crate::{
    media_type::{DICOM, MediaType},
    multipart::MultipartError,
};

/// How the instances come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// One instance a part.
    Multipart {
        /// What separates them.
        boundary: String,
    },
    /// One instance.
    SinglePart,
}

/// Reads Content-Type, Content-Encoding and Content-Length; refuses before the first byte of the payload.
pub fn payload(headers: &HeaderMap, length_max_bytes: u64) -> Result<Payload, Problem> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    if text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(unsupported("a Content-Encoding is not accepted; send the instances as they are"));
    }
    let length: Option<u64> = text(header::CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
    if length.is_some_and(|length| length > length_max_bytes) {
        return Err(multipart(&MultipartError::TooLarge(length_max_bytes)));
    }
    let wanted = "send multipart/related; type=\"application/dicom\"; boundary=..., or application/dicom";
    let content_type = text(header::CONTENT_TYPE).ok_or_else(|| unsupported(wanted))?;
    let content_type = MediaType::parse(content_type).map_err(|_| unsupported(wanted))?;
    if content_type.is(DICOM) {
        return Ok(Payload::SinglePart);
    }
    // Without `type` the parts say for themselves what they are.
    let root = content_type.parameter("type").unwrap_or(DICOM).to_ascii_lowercase();
    if !content_type.is("multipart/related") || root != DICOM {
        return Err(unsupported(wanted));
    }
    match content_type.parameter("boundary") {
        Some(boundary) => Ok(Payload::Multipart { boundary: boundary.to_owned() }),
        None => Err(multipart(&MultipartError::BoundaryMissing)),
    }
}

/// Whether a part is an instance; a part without Content-Type is.
pub fn is_instance(content_type: Option<&MediaType>) -> bool {
    content_type.is_none_or(|content_type| content_type.is(DICOM))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).detail(detail)
}

/// The payload could not be read to its end.
pub fn multipart(error: &MultipartError) -> Problem {
    let status = match error {
        MultipartError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        MultipartError::Idle(_) => StatusCode::REQUEST_TIMEOUT,
        MultipartError::BoundaryMissing
        | MultipartError::BoundaryInvalid
        | MultipartError::DelimiterMissing
        | MultipartError::PartHeaderTooLong
        | MultipartError::PartHeaderMalformed
        | MultipartError::TooManyParts(_)
        | MultipartError::Truncated
        | MultipartError::Transport => StatusCode::BAD_REQUEST,
    };
    Problem::new(status).kind("multipart").detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: header::HeaderName, value: &str) -> Result<Payload, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, DICOM.parse().expect("value"));
        headers.insert(name, value.parse().expect("value"));
        payload(&headers, 1000).map_err(|problem| problem.status)
    }

    #[test]
    fn what_clients_send() {
        for value in [
            "multipart/related; type=\"application/dicom\"; boundary=\"b\"",
            "multipart/related;type=application/dicom;boundary=b",
            "multipart/related; boundary=b",
        ] {
            let expected = Payload::Multipart { boundary: "b".into() };
            assert_eq!(check(header::CONTENT_TYPE, value), Ok(expected), "{value}");
        }
        assert_eq!(check(header::CONTENT_TYPE, "application/dicom"), Ok(Payload::SinglePart));
    }

    #[test]
    fn what_is_refused_before_it_is_read() {
        for (name, value, status) in [
            (header::CONTENT_TYPE, "application/json", 415),
            (header::CONTENT_TYPE, "multipart/related; type=\"application/dicom+json\"; boundary=b", 415),
            (header::CONTENT_TYPE, "multipart/form-data; boundary=b", 415),
            (header::CONTENT_TYPE, "nonsense", 415),
            (header::CONTENT_TYPE, "multipart/related; type=\"application/dicom\"", 400),
            (header::CONTENT_ENCODING, "gzip", 415),
            (header::CONTENT_LENGTH, "1001", 413),
        ] {
            assert_eq!(check(name, value), Err(status), "{value}");
        }
        assert_eq!(payload(&HeaderMap::new(), 1000).expect_err("no type").status, 415);
    }
}
