//! PS3.18 10.6, Search Transaction.

pub(crate) mod answer;
mod csv;
mod name;
pub(crate) mod request;
mod response;

use axum::{extract::State, http::HeaderMap, response::Response};
use database::{Attribute, Level, SearchQuery, SearchResult};
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

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
    urls::Urls,
};

/// `GET /studies`.
pub(crate) async fn search_studies(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    urls: Urls,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &urls, &headers), Level::Study).await
}

/// `GET /studies/{study}/series` and `GET /series`.
pub(crate) async fn search_series(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    urls: Urls,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &urls, &headers), Level::Series).await
}

/// `GET .../instances` below a series, a study, or everything.
pub(crate) async fn search_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    urls: Urls,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    search(&app, &who, &resource, (&acceptable, &urls, &headers), Level::Instance).await
}

async fn search(
    app: &App,
    who: &Authenticated,
    resource: &Resource,
    (acceptable, urls, headers): (&Acceptable, &Urls, &HeaderMap),
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
    let rows = rows(app, urls, &found, shape, &include).await?;
    let seen = offset.saturating_add(rows.len() as u64);
    let remarks = Remarks {
        more: found.more || rows.len() < found.rows.len(),
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
    urls: &Urls,
    found: &SearchResult,
    shape: Shape,
    include: &IncludeFields,
) -> Result<Vec<DataSet>, Problem> {
    let mut rows: Vec<DataSet> = found.rows.iter().map(|found| row(found, shape, include, urls)).collect();
    if !include.wants_header() {
        return Ok(rows);
    }
    // Only instances have a header of their own to take more attributes from.
    let instances: Vec<(usize, Uuid)> = found
        .rows
        .iter()
        .enumerate()
        .filter_map(|(index, found)| found.instance.as_ref().map(|instance| (index, instance.id)))
        .collect();
    let (mut read, mut included_bytes) = (0, 0);
    while read < instances.len() {
        let ids: Vec<Uuid> = instances[read..].iter().take(HEADERS_AT_ONCE).map(|(_, id)| *id).collect();
        let asked = app.database().first_headers(&ids).await;
        let (headers, covered) = asked.map_err(|error| problems::database(&error))?;
        let mut wanted = instances[read..].iter();
        for header in headers {
            let Some((index, _)) = wanted.find(|(_, id)| *id == header.instance_id()) else { break };
            let json = header.json().map_err(|error| problems::database(&error))?;
            included_bytes += add_included(&mut rows[*index], &json, include);
            if included_bytes > INCLUDED_MAX_BYTES {
                // The answer says that there is more.
                rows.truncate(index + 1);
                return Ok(rows);
            }
        }
        read += covered;
    }
    Ok(rows)
}

/// Headers asked for at once.
const HEADERS_AT_ONCE: usize = 64;
/// Attributes from headers in one answer; the row that goes beyond it is the last.
const INCLUDED_MAX_BYTES: usize = 16 << 20;

/// Gives how many bytes that were.
fn add_included(row: &mut DataSet, header: &str, include: &IncludeFields) -> usize {
    let mut bytes = 0;
    for key in TopLevelKeys::new(header.as_bytes()) {
        if include.contains(key.tag)
            && let Some(attribute) = header.get(key.value_start..key.value_end)
            // Searches answer without bulk data.
            && !attribute.contains("\"BulkDataURI\":\"bulkdata/")
        {
            row.stored(key.tag, attribute);
            bytes += attribute.len();
        }
    }
    bytes
}
