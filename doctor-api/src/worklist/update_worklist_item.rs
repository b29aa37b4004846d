//! `PUT /worklist/{id}`: replaces what is scheduled, when it has not changed since it was read.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{OrderBody, WorklistItemBody, answer, refusal};
use crate::{
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, expected_version},
        json::JsonBody,
        path::PathParameters,
    },
    policy::{ManageWorklist, Permit},
    state::AppState,
};

/// Replace what is scheduled
///
/// Also to say that a patient has arrived, or that a step is called off. Without a Study Instance UID it stays. With another consultation,
/// patient, Accession Number or Study Instance UID studies that are here already are looked for as by `POST`.
#[utoipa::path(
    put,
    path = "/worklist/{id}",
    tag = "worklist",
    security(("bearer" = ["manage_worklist"])),
    params(
        ("id" = Uuid, Path, description = "Worklist item"),
        ("If-Match" = String, Header, description = "ETag of what the change is made on")
    ),
    request_body = OrderBody,
    responses(
        (status = 200, description = "The new item", body = WorklistItemBody,
         headers(("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The Study Instance UID is in the worklist, or the consultation is of another patient",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed meanwhile", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn update_worklist_item(
    State(state): State<AppState>,
    permit: Permit<ManageWorklist>,
    PathParameters(id): PathParameters<Uuid>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<OrderBody>,
) -> Result<Response, Problem> {
    let version = expected_version(&headers)?;
    let found = state.database().worklist_item(&permit.scope, id).await.map_err(errors::database)?;
    let before = found.ok_or_else(Problem::not_found)?;
    let mut checks = Checks::new();
    let order = request.parse(&mut checks, before.order.study_instance_uid);
    checks.finish()?;
    let actor = permit.caller.actor();
    let replaced = state.database().replace_worklist_item(&permit.scope, id, version, order, &actor).await;
    Ok(answer(StatusCode::OK, replaced.map_err(refusal)?.ok_or_else(changed_meanwhile)?))
}
