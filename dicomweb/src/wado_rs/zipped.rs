//! PS3.18 table 8.7.3-1, `application/zip`: the instances of a study, a series or an instance as a file-set with its
//! DICOMDIR (PS3.10 8), one file after the other while they are sent.

use std::collections::HashMap;

use archive::ReadError;
use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use database::DatabaseError;
use futures_util::Stream;
use model::SopInstanceUid;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{
    instances::{Opened, open, open_later},
    select::{HEADERS_AT_ONCE, Selected},
    stream,
    transcode::{self, Patience},
};
use crate::{
    media_type::{Accept, DICOM},
    state::App,
    zip::{ZipWriter, dicomdir},
};

/// Its media type.
pub const ZIP: &str = "application/zip";

/// Whether a ZIP file is liked better than parts; then what its instances are acceptable as.
pub fn wanted(accept: &Accept) -> Option<Accept> {
    let covers_parts = ["multipart/related", "multipart/*", "application/dicom", "application/*", "*/*"];
    let quality = |types: &[&str]| {
        let ranges = accept.ranges.iter().filter(|range| types.contains(&range.media_type.essence.as_str()));
        ranges.max_by_key(|range| range.quality)
    };
    let zip = quality(&[ZIP]).filter(|range| range.quality > 0)?;
    if quality(&covers_parts).is_some_and(|parts| parts.quality >= zip.quality) {
        return None;
    }
    let syntax = zip.media_type.parameter("transfer-syntax");
    let syntax = syntax.map_or_else(String::new, |syntax| format!("; transfer-syntax=\"{syntax}\""));
    Accept::parse([format!("multipart/related; type=\"{DICOM}\"{syntax}").as_str()]).ok()
}

/// The answer, its first file opened before it begins.
pub async fn respond(app: App, selected: Vec<Selected>, entity_tag: &str) -> Result<Response, Problem> {
    let first = selected.first().ok_or_else(Problem::not_found)?;
    let opened = open(&app, first, Patience::Limited).await.map_err(transcode::problem)?;
    let directory = conversion::name_based_uid(entity_tag.as_bytes());
    let body = files(app, selected, opened, directory);
    let mut response = stream::respond(ZIP, entity_tag, None, body);
    let name = HeaderValue::from_static("attachment; filename=\"dicom.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

fn files(
    app: App,
    selected: Vec<Selected>,
    first: Opened,
    directory: Option<SopInstanceUid>,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    async_stream::try_stream! {
        let (mut zip, mut records) = (ZipWriter::default(), Vec::with_capacity(selected.len()));
        let (mut first, mut series) = (Some(first), HashMap::new());
        for chunk in selected.chunks(HEADERS_AT_ONCE) {
            for (selected, mut record) in chunk.iter().zip(members(&app, chunk).await?) {
                let mut opened = match first.take() {
                    Some(first) => first,
                    None => open_later(&app, selected).await?,
                };
                let (next, number) = (series.len() + 1, records.len() + 1);
                let series = *series.entry(selected.instance.series_instance_uid.clone()).or_insert(next);
                let name = ["DICOM".to_owned(), format!("S{series:07}"), format!("I{number:07}")];
                yield Bytes::from(zip.begin(&name.join("/")));
                while let Some(bytes) = opened.next().await {
                    yield Bytes::from(zip.data(&bytes?));
                }
                yield Bytes::from(zip.end());
                record.file_id = name.join("\\");
                record.sop_instance_uid = sent_uid(selected, &opened.transfer_syntax);
                record.transfer_syntax_uid = opened.transfer_syntax;
                records.push(record);
            }
        }
        if let Some(uid) = &directory {
            records.sort_by(|one, other| one.file_id.cmp(&other.file_id));
            yield Bytes::from(zip.begin("DICOMDIR"));
            yield Bytes::from(zip.data(&dicomdir::encode(&records, uid)));
            yield Bytes::from(zip.end());
        }
        yield Bytes::from(zip.finish());
    }
}

/// What the directory says of these. Of their headers, which may be long, nothing is held while a file is sent.
async fn members(app: &App, chunk: &[Selected]) -> Result<Vec<dicomdir::Member>, ReadError> {
    let unreadable = |error: DatabaseError| {
        tracing::error!(%error, "a body was cut: headers could not be read");
        ReadError::Damaged("a header cannot be read")
    };
    let ids: Vec<Uuid> = chunk.iter().map(|selected| selected.instance.id).collect();
    let mut members = Vec::with_capacity(chunk.len());
    while members.len() < chunk.len() {
        let rest = members.len();
        let (headers, covered) = app.database().first_headers(&ids[rest..]).await.map_err(unreadable)?;
        for (selected, header) in chunk[rest..rest + covered].iter().zip(headers) {
            if header.instance_id() != selected.instance.id {
                break;
            }
            let json = header.json().map_err(unreadable)?;
            members.push(dicomdir::Member::new(selected.instance.sop_class_uid.as_str(), &json));
        }
        if members.len() < rest + covered {
            return Err(ReadError::Damaged("a header is gone"));
        }
    }
    Ok(members)
}

/// SOP Instance UID of what is sent: another one when the image was compressed with loss (PS3.3 C.12.4.1.1).
fn sent_uid(selected: &Selected, transfer_syntax: &str) -> String {
    let instance = &selected.instance;
    match selected.offer.way {
        conversion::Way::Transcoded { target, .. }
            if target.is_lossy() && transfer_syntax == target.transfer_syntax() =>
        {
            conversion::derived_uid(instance, target).to_string()
        }
        _ => instance.sop_instance_uid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::RANGES_MAX;

    #[test]
    fn a_zip_file_is_sent_to_those_who_like_it_best() {
        let of = |field: &str| wanted(&Accept::parse([field]).expect("valid"));
        let syntax = |field: &str| {
            let accept = of(field).expect("a ZIP file");
            assert!(accept.ranges.len() < RANGES_MAX);
            accept.ranges[0].media_type.parameter("transfer-syntax").map(str::to_owned)
        };
        assert_eq!(syntax("application/zip"), None);
        assert_eq!(syntax("application/zip, */*;q=0.8"), None);
        assert_eq!(syntax("application/zip; transfer-syntax=*").as_deref(), Some("*"));
        for field in
            ["*/*", "application/zip;q=0.5, */*", "application/zip;q=0", "application/dicom, application/zip"]
        {
            assert!(of(field).is_none(), "{field}");
        }
    }
}
