//! PS3.18 10.6, Search Transaction.

pub(crate) mod answer;
mod csv;
mod name;
pub(crate) mod request;
mod response;

use axum::{extract::State, http::HeaderMap, response::Response};
use database::{Attribute, HeaderRecord, Level, SearchQuery, SearchResult};
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};

use self::{
    answer::{Remarks, Rows, respond},
    request::{IncludeFields, SearchRequest, uid_condition},
    response::{Shape, row},
};
use crate::{
    acceptable::Acceptable,
    audit::Found,
    dicom_json::{DataSet, TopLevelKeys},
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
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &headers), Level::Study).await
}

/// `GET /studies/{study}/series` and `GET /series`.
pub(crate) async fn search_series(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &headers), Level::Series).await
}

/// `GET .../instances` below a series, a study, or everything.
pub(crate) async fn search_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &headers), Level::Instance).await
}

async fn search(
    app: &App,
    who: &Authenticated,
    resource: &Resource,
    (acceptable, headers): (&Acceptable, &HeaderMap),
    level: Level,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let form = Rows::choose(acceptable)?;
    let SearchRequest { mut conditions, limit, offset, fuzzy, include, order, not_matched } =
        request::parse(&acceptable.query, app.config.search_page_max)?;
    let fixed = [
        resource.study.as_ref().map(|uid| uid_condition(Attribute::StudyInstanceUID, uid.as_str())),
        resource.series.as_ref().map(|uid| uid_condition(Attribute::SeriesInstanceUID, uid.as_str())),
    ];
    conditions.extend(fixed.into_iter().flatten());
    let query = SearchQuery {
        level,
        conditions,
        order: request::order(order, level)?,
        limit,
        offset,
        fuzzy,
        combined_date_time: true,
        count_max: app.config.search_count_max,
    };
    let found = app.database().search(&scope, &query).await.map_err(|error| problems::database(&error))?;
    let shape = Shape { study: resource.study.is_none(), series: resource.series.is_none() };
    let rows = rows(app, &found, shape, &include).await?;
    let seen = offset.saturating_add(rows.len() as u64);
    let remarks = Remarks {
        more: found.more,
        remaining: found.total.map(|total| total.saturating_sub(seen)),
        total: found.total,
        warning: request::warning(&not_matched),
    };
    let mut response = respond(form, &rows, &remarks, headers);
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
    if !include.wants_header() {
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
