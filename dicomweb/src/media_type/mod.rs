//! PS3.18 8.7, media types: parsing of `Content-Type` and `Accept`, and the choice between representations.

mod accept;
mod negotiate;
mod parse;

pub use accept::{Accept, MediaRange, RANGES_MAX};
pub use negotiate::{Form, Representation, choose, prefers_xml};
pub use parse::{MediaType, MediaTypeError};

/// DICOM JSON Model Object (PS3.18 Annex F).
pub const DICOM_JSON: &str = "application/dicom+json";
/// Native DICOM Model (PS3.19 A.1).
pub const DICOM_XML: &str = "application/dicom+xml";
/// A Part 10 file (PS3.10).
pub const DICOM: &str = "application/dicom";
/// Uncompressed bulk data.
pub const OCTET_STREAM: &str = "application/octet-stream";
/// A table (RFC 4180).
pub const CSV: &str = "text/csv";
