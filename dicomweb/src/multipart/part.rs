//! RFC 2046 5.1, the header of one part.

use crate::media_type::MediaType;

use super::MultipartError;

/// What the header of a part says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartHeader {
    /// Content-Type; `None` when absent.
    pub content_type: Option<MediaType>,
    /// Content-Location: what metadata call a part with bulk data; `None` when absent.
    pub content_location: Option<String>,
    /// Content-ID and others are not kept; the number of all fields is, to tell an empty header.
    pub fields: usize,
}

impl PartHeader {
    /// Parses the lines between delimiter and payload. Names come in any case.
    pub fn parse(bytes: &[u8]) -> Result<Self, MultipartError> {
        let text = std::str::from_utf8(bytes).map_err(|_| MultipartError::PartHeaderMalformed)?;
        let mut header = Self::default();
        for line in text.split("\r\n").filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or(MultipartError::PartHeaderMalformed)?;
            header.fields += 1;
            if name.trim().eq_ignore_ascii_case("content-type") {
                let parsed =
                    MediaType::parse(value.trim()).map_err(|_| MultipartError::PartHeaderMalformed)?;
                header.content_type.get_or_insert(parsed);
            } else if name.trim().eq_ignore_ascii_case("content-location") {
                header.content_location.get_or_insert_with(|| value.trim().to_owned());
            }
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_transfer_syntax_that_dcm4chee_adds() {
        let header = PartHeader::parse(
            b"Content-Type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\nContent-ID: <1>",
        )
        .expect("valid");
        let content_type = header.content_type.expect("there");
        assert_eq!(content_type.essence, "application/dicom");
        assert_eq!(content_type.parameter("transfer-syntax"), Some("1.2.840.10008.1.2.1"));
        assert_eq!(header.fields, 2);
    }

    #[test]
    fn keeps_where_bulk_data_belong() {
        let header =
            PartHeader::parse(b"content-location:  http://x/bulk?a=1:2 \r\nContent-Type: image/jpeg");
        assert_eq!(header.expect("valid").content_location.as_deref(), Some("http://x/bulk?a=1:2"));
    }

    #[test]
    fn refuses_what_is_no_header() {
        assert!(PartHeader::parse(b"no colon here").is_err());
        assert!(PartHeader::parse(b"Content-Type: \xff").is_err());
        assert!(PartHeader::parse(b"Content-Type: nonsense").is_err());
    }
}
