//! PS3.18 10.6, Search Transaction.

mod matching;
pub(crate) mod request;
mod response;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use database::{Attribute, HeaderRecord, Level, SearchQuery, SearchResult};
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};

use self::{
    request::{IncludeFields, SearchRequest, uid_condition},
    response::{Shape, row},
};
use crate::{
    acceptable::Acceptable,
    audit::Found,
    dicom_json::{DataSet, TopLevelKeys},
    media_type::DICOM_JSON,
    problems,
    resource::Resource,
    state::App,
};

/// `GET /studies`.
pub(crate) async fn search_studies(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, &acceptable, Level::Study).await
}

/// `GET /studies/{study}/series` and `GET /series`.
pub(crate) async fn search_series(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, &acceptable, Level::Series).await
}

/// `GET .../instances` below a series, a study, or everything.
pub(crate) async fn search_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, &acceptable, Level::Instance).await
}

async fn search(
    app: &App,
    who: &Authenticated,
    resource: &Resource,
    acceptable: &Acceptable,
    level: Level,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    acceptable.json()?;
    let SearchRequest { mut conditions, limit, offset, fuzzy, include } =
        request::parse(&acceptable.query, app.config.search_page_max)?;
    let fixed = [
        resource.study.as_ref().map(|uid| uid_condition(Attribute::StudyInstanceUID, uid.as_str())),
        resource.series.as_ref().map(|uid| uid_condition(Attribute::SeriesInstanceUID, uid.as_str())),
    ];
    conditions.extend(fixed.into_iter().flatten());
    let query = SearchQuery { level, conditions, limit, offset, fuzzy, ..SearchQuery::default() };
    let found = app.database().search(&scope, &query).await.map_err(|error| problems::database(&error))?;
    let shape = Shape { study: resource.study.is_none(), series: resource.series.is_none() };
    let rows = rows(app, &found, shape, &include).await?;
    let mut response = respond(&rows, found.more);
    response.extensions_mut().insert(Found(rows.len()));
    Ok(response)
}

async fn rows(
    app: &App,
    found: &SearchResult,
    shape: Shape,
    include: &IncludeFields,
) -> Result<Vec<DataSet>, Problem> {
    let mut rows: Vec<DataSet> =
        found.rows.iter().map(|found| row(found, shape, include, &app.urls)).collect();
    if !include.all && include.tags.is_empty() {
        return Ok(rows);
    }
    // Only instances have a header of their own to take more attributes from.
    let instances: Vec<(usize, uuid::Uuid)> = found
        .rows
        .iter()
        .enumerate()
        .filter_map(|(index, found)| found.instance.as_ref().map(|instance| (index, instance.id)))
        .collect();
    for batch in instances.chunks(HEADERS_AT_ONCE) {
        let ids: Vec<uuid::Uuid> = batch.iter().map(|(_, id)| *id).collect();
        let headers = app.database().headers(&ids).await.map_err(|error| problems::database(&error))?;
        for (index, id) in batch {
            if let Some(header) = headers.iter().find(|header| header.instance_id == *id) {
                add_included(&mut rows[*index], header, include);
            }
        }
    }
    Ok(rows)
}

/// Headers unpacked at once.
const HEADERS_AT_ONCE: usize = 64;

fn add_included(row: &mut DataSet, header: &HeaderRecord, include: &IncludeFields) {
    for key in TopLevelKeys::new(header.json.as_bytes()) {
        if include.contains(key.tag)
            && let Some(attribute) = header.json.get(key.value_start..key.value_end)
            // Searches answer without bulk data.
            && !attribute.contains("\"BulkDataURI\":\"bulkdata/")
        {
            row.stored(key.tag, attribute);
        }
    }
}

fn respond(rows: &[DataSet], more: bool) -> Response {
    let mut json = String::from("[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        row.write(&mut json);
    }
    json.push(']');
    let mut response = Response::new(Body::from(json));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(DICOM_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if more {
        // PS3.18 8.3.4.3. How many there are would have to be counted, so the number is left out.
        let warning = "299 maxray \"There are additional results that can be requested\"";
        headers.insert(header::WARNING, HeaderValue::from_static(warning));
    }
    response
}
