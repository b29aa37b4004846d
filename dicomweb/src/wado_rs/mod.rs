//! PS3.18 10.4, Retrieve Transaction. One file a kind of resource.

pub(crate) mod bulkdata;
pub(crate) mod document;
pub(crate) mod frames;
pub(crate) mod instances;
pub(crate) mod metadata;
pub(crate) mod rendered;
pub(crate) mod rendered_set;
pub(crate) mod thumbnail;

mod animated;
pub(crate) mod frame_cache;
mod frame_payload;
mod kept_frame;
mod made;
pub(crate) mod render;
mod select;
mod stream;
pub(crate) mod transcode;
mod ways;
pub(crate) mod zipped;

use archive::ReadError;
use database::{HeaderRecord, StoredInstance};
use model::access::{Action, Scope};
use service::http::{bearer::Authenticated, guard::StreamGuard, problem::Problem};

use crate::{problems, resource::Resource, state::App};

/// The stored instances that a path names; 404 when there are none in reach.
async fn find(app: &App, scope: &Scope, resource: &Resource) -> Result<Vec<StoredInstance>, Problem> {
    let study = resource.study()?;
    let found = app.database().instances(scope, study, resource.series.as_ref(), resource.instance.as_ref());
    let found = found.await.map_err(|error| problems::database(&error))?;
    if found.is_empty() { Err(Problem::not_found()) } else { Ok(found) }
}

/// The one instance that a path names.
pub(crate) async fn find_one(
    app: &App,
    who: &Authenticated,
    resource: &Resource,
) -> Result<StoredInstance, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    let mut found = find(app, &scope, resource).await?;
    found.pop().filter(|_| found.is_empty()).ok_or_else(Problem::not_found)
}

/// What cuts a long answer when its reader may not read the study any more.
pub(crate) fn guard(app: &App, who: &Authenticated, resource: &Resource) -> Result<StreamGuard, Problem> {
    let scope = who.authorize(Action::ReadStudy)?;
    Ok(StreamGuard::new(app.database(), who, &scope, resource.study()?))
}

/// The header of an instance that was found.
pub(crate) async fn header(app: &App, instance: &StoredInstance) -> Result<HeaderRecord, Problem> {
    let header = app.database().header(instance.id).await.map_err(|error| problems::database(&error))?;
    header.ok_or_else(Problem::not_found)
}

/// What the instance does not have is 404; what cannot be read is our fault.
fn read_problem(error: &ReadError) -> Problem {
    match error {
        ReadError::NoSuchFrame { .. } | ReadError::NoSuchBulkData => Problem::not_found(),
        ReadError::TooLong { .. } => {
            Problem::new(http::StatusCode::PAYLOAD_TOO_LARGE).detail(error.to_string())
        }
        ReadError::Damaged(_) | ReadError::Storage(_) => problems::read(error),
    }
}
