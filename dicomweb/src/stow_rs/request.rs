//! PS3.18 10.5.1, the request of a Store Transaction: what its header fields say about its payload.

use axum::http::{HeaderMap, StatusCode, header};
use service::http::problem::Problem;

use crate::{
    media_type::{DICOM, DICOM_JSON, DICOM_XML, MediaType},
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
    /// Metadata, then the bulk data that they name (PS3.18 8.6.1.2.2).
    MultipartMetadata {
        /// What separates them.
        boundary: String,
        /// What the metadata are written in.
        form: MetadataForm,
    },
    /// Metadata without bulk data.
    Metadata(MetadataForm),
}

/// What metadata are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataForm {
    /// DICOM JSON (PS3.18 F): an array of data sets, or one.
    Json,
    /// Native DICOM Model (PS3.19 A.1): one data set.
    Xml,
}

impl MetadataForm {
    /// The form with this media type.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type.to_ascii_lowercase().as_str() {
            DICOM_JSON | "application/json" => Some(Self::Json),
            DICOM_XML | "application/xml" | "text/xml" => Some(Self::Xml),
            _ => None,
        }
    }
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
    let wanted = "send multipart/related; boundary=... with type=\"application/dicom\", \
                  \"application/dicom+json\" or \"application/dicom+xml\", or one of these by itself";
    let content_type = text(header::CONTENT_TYPE).ok_or_else(|| unsupported(wanted))?;
    let content_type = MediaType::parse(content_type).map_err(|_| unsupported(wanted))?;
    if content_type.is(DICOM) {
        return Ok(Payload::SinglePart);
    }
    if let Some(form) = MetadataForm::of(&content_type.essence) {
        return Ok(Payload::Metadata(form));
    }
    // Without `type` the parts say for themselves what they are.
    let root = content_type.parameter("type").unwrap_or(DICOM);
    let form = MetadataForm::of(root);
    if !content_type.is("multipart/related") || (form.is_none() && !root.eq_ignore_ascii_case(DICOM)) {
        return Err(unsupported(wanted));
    }
    let boundary = content_type.parameter("boundary").map(str::to_owned);
    let boundary = boundary.ok_or_else(|| multipart(&MultipartError::BoundaryMissing))?;
    Ok(match form {
        None => Payload::Multipart { boundary },
        Some(form) => Payload::MultipartMetadata { boundary, form },
    })
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

/// The metadata are held in memory, so they have a limit of their own.
pub fn metadata_too_large(length_max_bytes: usize) -> Problem {
    let detail =
        format!("the metadata are larger than {length_max_bytes} bytes; send long values as bulk data");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE).kind("metadata").detail(detail)
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
        for (value, form) in [
            ("multipart/related; type=\"application/dicom+json\"; boundary=b", MetadataForm::Json),
            ("multipart/related; boundary=b; type=application/dicom+xml", MetadataForm::Xml),
        ] {
            let expected = Payload::MultipartMetadata { boundary: "b".into(), form };
            assert_eq!(check(header::CONTENT_TYPE, value), Ok(expected), "{value}");
        }
        let json = "application/dicom+json; charset=utf-8";
        assert_eq!(check(header::CONTENT_TYPE, json), Ok(Payload::Metadata(MetadataForm::Json)));
    }

    #[test]
    fn what_is_refused_before_it_is_read() {
        for (name, value, status) in [
            (header::CONTENT_TYPE, "image/jpeg", 415),
            (header::CONTENT_TYPE, "multipart/related; type=\"image/jpeg\"; boundary=b", 415),
            (header::CONTENT_TYPE, "multipart/related; type=\"application/dicom+json\"", 400),
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
