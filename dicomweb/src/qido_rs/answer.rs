//! PS3.18 10.6.3, the answer of a Search Transaction: its representation, its warnings, its total.

use aws_lc_rs::digest;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use model::text::hex;
use service::http::problem::Problem;

use super::csv::to_csv;
use crate::{
    acceptable::Acceptable,
    conditional,
    dicom_json::{DataSet, to_native_xml},
    media_type::{CSV, DICOM_JSON, DICOM_XML, Form, OCTET_STREAM, Representation, choose},
    multipart::{Fingerprint, MultipartWriter, Part},
    problems,
};

/// How many rows there are in all, when that is known: not in PS3.18; other archives have it too.
pub(crate) const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// In which form the rows leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One JSON array.
    Json,
    /// A part for each row (PS3.18 table 10.6.4-1).
    Xml,
    /// A table.
    Csv,
}

/// What the rows do not say.
#[derive(Debug, Clone, Default)]
pub struct Remarks {
    /// There are rows after these.
    pub more: bool,
    /// Rows after these, when their number is known.
    pub remaining: Option<u64>,
    /// Rows in all, when their number is known.
    pub total: Option<u64>,
    /// Something that the user agent should know about the request.
    pub warning: Option<String>,
}

impl Rows {
    /// The form that is acceptable, JSON rather than the others; 406 when there is none.
    ///
    /// Some viewers ask for everything with the Accept of frames; JSON is what they read then.
    pub fn choose(acceptable: &Acceptable) -> Result<Self, Problem> {
        let offers = [
            (Self::Json, Representation::plain(DICOM_JSON)),
            (Self::Xml, Representation::new(Form::Multipart, DICOM_XML, "")),
            (Self::Csv, Representation::plain(CSV)),
            // The parts of the one that has no parts: better than none.
            (Self::Xml, Representation::plain(DICOM_XML)),
            (Self::Json, Representation::new(Form::Multipart, OCTET_STREAM, "")),
        ];
        let forms = offers.clone().map(|(_, form)| form);
        match choose(&acceptable.accept, &forms) {
            Some(index) => Ok(offers[index].0),
            None => Err(problems::not_acceptable(&forms[..3])),
        }
    }
}

/// The answer; 304 when the client has it already.
pub fn respond(form: Rows, rows: &[DataSet], remarks: &Remarks, request: &HeaderMap) -> Response {
    let (content_type, body) = match form {
        Rows::Json => (DICOM_JSON.to_owned(), json(rows)),
        Rows::Xml => xml(rows),
        Rows::Csv => (format!("{CSV}; charset=utf-8; header=present"), to_csv(rows)),
    };
    let entity_tag = entity_tag(&content_type, &body, remarks);
    let mut response = if conditional::is_known(request, &entity_tag) {
        conditional::not_modified(&entity_tag)
    } else {
        let mut response = Response::new(Body::from(body));
        conditional::tag(&mut response, &entity_tag);
        if let Ok(value) = HeaderValue::from_str(&content_type) {
            response.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        response
    };
    let headers = response.headers_mut();
    if form == Rows::Csv {
        let attachment = HeaderValue::from_static("attachment; filename=\"search.csv\"");
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    if let Some(total) = remarks.total {
        headers.insert(TOTAL_COUNT, total.into());
    }
    for text in warnings(remarks) {
        if let Ok(value) = HeaderValue::from_str(&format!("299 maxray \"{text}\"")) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

/// PS3.18 8.3.4.3 and 8.3.4.2: texts without quotes and backslashes.
fn warnings(remarks: &Remarks) -> impl Iterator<Item = String> {
    let more = match remarks.remaining {
        Some(remaining) => format!("There are {remaining} additional results that can be requested"),
        None => "There are additional results that can be requested".to_owned(),
    };
    remarks.more.then_some(more).into_iter().chain(remarks.warning.clone())
}

fn json(rows: &[DataSet]) -> String {
    let mut json = String::from("[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        row.write(&mut json);
    }
    json.push(']');
    json
}

/// Without rows the closing delimiter stands alone: RFC 2046 has no multipart without a part, and clients stop there.
fn xml(rows: &[DataSet]) -> (String, String) {
    let documents: Vec<String> = rows.iter().map(to_native_xml).collect();
    let mut fingerprint = Fingerprint::new("search as XML");
    for document in &documents {
        fingerprint.add(document.as_bytes());
    }
    let writer = MultipartWriter::new(fingerprint.finish(), DICOM_XML);
    let part = Part { media_type: DICOM_XML, transfer_syntax: "" };
    let mut body = String::new();
    let mut push = |bytes: &[u8]| body.push_str(&String::from_utf8_lossy(bytes));
    for (index, document) in documents.iter().enumerate() {
        push(&writer.part_start(index == 0, part));
        push(document.as_bytes());
    }
    push(&writer.end());
    (writer.content_type(), body)
}

/// What leaves, and what is said about it, under one tag: an answer that is the same but for its total is another one.
fn entity_tag(content_type: &str, body: &str, remarks: &Remarks) -> String {
    let mut digest = digest::Context::new(&digest::SHA256);
    for piece in [content_type, "\0", body, "\0"] {
        digest.update(piece.as_bytes());
    }
    digest.update(format!("{remarks:?}").as_bytes());
    format!("\"{}\"", hex(&digest.finish().as_ref()[..20]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::Accept;

    fn form(fields: &[&str]) -> Result<Rows, u16> {
        let accept = Accept::parse(fields.iter().copied()).expect("Accept");
        Rows::choose(&Acceptable { accept, query: Vec::new() }).map_err(|problem| problem.status)
    }

    #[test]
    fn json_unless_another_form_is_asked_for() {
        let tail = "multipart/related; type=application/octet-stream; transfer-syntax=*";
        for fields in [
            &[][..],
            &["*/*"],
            &["application/json"],
            &["text/html, */*;q=0.8"],
            &[tail],
            &["application/dicom+json", tail, tail],
        ] {
            assert_eq!(form(fields), Ok(Rows::Json), "{fields:?}");
        }
        for field in [
            "multipart/related; type=\"application/dicom+xml\"",
            "application/dicom+xml",
            "application/dicom+xml, */*;q=0.1",
        ] {
            assert_eq!(form(&[field]), Ok(Rows::Xml), "{field}");
        }
        assert_eq!(form(&["text/csv"]), Ok(Rows::Csv));
        assert_eq!(form(&["text/csv;q=0.1, application/dicom+json;q=0.2"]), Ok(Rows::Json));
        assert_eq!(form(&["image/png"]), Err(406));
    }

    #[test]
    fn warnings_and_totals_are_said() {
        let remarks = Remarks {
            more: true,
            remaining: Some(7),
            total: Some(9),
            warning: Some("These attributes are not matched on".into()),
        };
        let response = respond(Rows::Json, &[], &remarks, &HeaderMap::new());
        let warnings: Vec<&str> = response
            .headers()
            .get_all(header::WARNING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        assert_eq!(
            warnings,
            [
                "299 maxray \"There are 7 additional results that can be requested\"",
                "299 maxray \"These attributes are not matched on\""
            ]
        );
        assert_eq!(response.headers()[TOTAL_COUNT], "9");
        let same = respond(Rows::Json, &[], &remarks, &HeaderMap::new());
        assert_eq!(same.headers()[header::ETAG], response.headers()[header::ETAG]);
        let other = respond(Rows::Json, &[], &Remarks::default(), &HeaderMap::new());
        assert_ne!(other.headers()[header::ETAG], response.headers()[header::ETAG]);
    }
}
