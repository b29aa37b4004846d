//! `DELETE` of a study, a series or an instance. PS3.18 has no such transaction; the paths are those of its resources.
//!
//! Gone for everybody with the answer 200, and to be restored for the grace period. With `archive.delete_two_person`
//! the first answer is 202: another administrator has to send the same request.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse as _, response::Response};
use chrono::{DateTime, Utc};
use database::{DatabaseError, Deletion, DeletionTarget};
use model::access::Action;
use serde::Serialize;
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use crate::{audit, problems, resource::Resource, state::App};

/// The answer.
#[derive(Debug, Serialize)]
struct Deleted {
    /// Name of the deletion, for `maxray deletion restore`.
    deletion_id: Uuid,
    /// `asked` or `deleted`.
    state: String,
    /// Instances that are gone.
    instances: i32,
    /// Until when they can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    restorable_until: Option<DateTime<Utc>>,
    /// What has to be done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

/// `DELETE` of what the path names.
pub(crate) async fn delete_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
) -> Result<Response, Problem> {
    who.authorize(Action::DeleteInstances)?;
    let target = DeletionTarget {
        study_instance_uid: resource.study()?.to_string(),
        series_instance_uid: resource.series.as_ref().map(ToString::to_string),
        sop_instance_uid: resource.instance.as_ref().map(ToString::to_string),
    };
    let deleted = app.archive.delete(&target, who.principal.user_id, &audit::actor(&who)).await;
    deleted.map(answer).map_err(|error| match error {
        DatabaseError::Conflict(why) => Problem::conflict(why),
        error => problems::database(&error),
    })
}

fn answer(deletion: Deletion) -> Response {
    let is_done = deletion.deleted_at.is_some();
    let (status, next) = if is_done {
        (StatusCode::OK, None)
    } else {
        (StatusCode::ACCEPTED, Some("another administrator sends the same request within 24 hours"))
    };
    let deleted = Deleted {
        deletion_id: deletion.id,
        state: deletion.state,
        instances: deletion.instances,
        restorable_until: deletion.purge_after,
        next,
    };
    (status, Json(deleted)).into_response()
}
