//! `POST /worklist`: schedules a requested procedure.

use axum::{extract::State, http::StatusCode, response::Response};
use model::StudyInstanceUid;
use service::http::problem::Problem;
use uuid::Uuid;

use super::{OrderBody, WorklistItemBody, answer, refusal};
use crate::{
    input::{check::Checks, json::JsonBody},
    location::at,
    policy::{ManageWorklist, Permit},
    state::AppState,
};

/// Schedule a procedure
///
/// Modalities are told of it at once. Whoever does not reach every consultation names the one that it is for. Studies of the patient that
/// are here already under the Study Instance UID or the Accession Number are linked to that consultation (the newest 64, and no study that
/// was unlinked from it), and the steps that they belong to are `STARTED`.
#[utoipa::path(
    post,
    path = "/worklist",
    tag = "worklist",
    security(("bearer" = ["manage_worklist"])),
    request_body = OrderBody,
    responses(
        (status = 201, description = "Scheduled", body = WorklistItemBody,
         headers(("Location" = String, description = "Where the item is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 404, description = "No such consultation, or not yours", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The Study Instance UID is in the worklist, or the consultation is of another patient",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_worklist_item(
    State(state): State<AppState>,
    permit: Permit<ManageWorklist>,
    JsonBody(request): JsonBody<OrderBody>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    let order = request.parse(&mut checks, StudyInstanceUid::from_uuid(Uuid::now_v7()));
    checks.finish()?;
    let actor = permit.caller.actor();
    let item = state.database().create_worklist_item(&permit.scope, order, &actor).await.map_err(refusal)?;
    let location = format!("/worklist/{}", item.id);
    Ok(at(&location, answer(StatusCode::CREATED, item)))
}
