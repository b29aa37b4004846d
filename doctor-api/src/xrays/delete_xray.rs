//! `DELETE /xrays/{id}`: gone for everybody, and to be restored for the grace period.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use database::{DatabaseError, Deletion, DeletionTarget};
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    input::path::PathParameters,
    policy::{DeleteInstances, Permit},
    state::AppState,
};

/// What became of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedXray {
    /// The deletion, for `maxray deletion restore`.
    deletion_id: Uuid,
    /// `asked`: another administrator has to send the same within 24 hours. `deleted`: it is done.
    #[schema(example = "deleted")]
    state: String,
    /// Until when it can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    restorable_until: Option<DateTime<Utc>>,
}

impl From<Deletion> for DeletedXray {
    fn from(deletion: Deletion) -> Self {
        Self { deletion_id: deletion.id, state: deletion.state, restorable_until: deletion.purge_after }
    }
}

/// Delete an X-ray
///
/// Two administrators together, unless `archive.delete_two_person` is off: the first is answered 202. Whole studies and
/// series: `DELETE /dicomweb/studies/{study}`.
#[utoipa::path(
    delete,
    path = "/xrays/{id}",
    tag = "xrays",
    security(("bearer" = ["delete_instances"])),
    params(("id" = Uuid, Path, description = "X-ray")),
    responses(
        (status = 200, description = "It is gone, and can be restored", body = DeletedXray),
        (status = 202, description = "Another administrator has to ask for the same", body = DeletedXray),
        (status = 409, description = "A legal hold keeps it, or the account was made or changed since the deletion was asked for", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn delete_xray(
    State(state): State<AppState>,
    permit: Permit<DeleteInstances>,
    PathParameters(id): PathParameters<Uuid>,
) -> Result<(StatusCode, Json<DeletedXray>), Problem> {
    let found = state.database().instance_by_id(&permit.scope, id).await.map_err(errors::database)?;
    let stored = found.ok_or_else(Problem::not_found)?;
    let target = DeletionTarget {
        study_instance_uid: stored.study_instance_uid.to_string(),
        series_instance_uid: Some(stored.series_instance_uid.to_string()),
        sop_instance_uid: Some(stored.sop_instance_uid.to_string()),
    };
    let (caller, archive) = (&permit.caller, &state.archive);
    let deletion = archive.delete(&target, caller.principal.user_id, &caller.actor()).await;
    let deletion = deletion.map_err(|error| match error {
        DatabaseError::Conflict(why) => Problem::conflict(why),
        other => errors::database(other),
    })?;
    let status = if deletion.deleted_at.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(deletion.into())))
}
