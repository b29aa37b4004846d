//! `GET /reports/{id}/verify`: whether a report is genuine, for whoever has the code that is printed on it.

use axum::extract::State;
use model::clinical::ReportContent;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use crate::{
    documents::verify::{Verification, VerifyQuery, verify},
    input::{path::PathParameters, query::QueryParameters},
    sessions::create_session::SourceAddress,
    state::AppState,
};

/// Verify a report
///
/// Needs no account. A wrong code and an unknown report give the same 404.
#[utoipa::path(
    get,
    path = "/reports/{id}/verify",
    tag = "reports",
    params(("id" = Uuid, Path, description = "Report"), VerifyQuery),
    responses((status = 200, description = "What is known of it", body = Verification))
)]
pub async fn verify_report(
    State(state): State<AppState>,
    source: SourceAddress,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<VerifyQuery>,
) -> Result<Json<Verification>, Problem> {
    verify::<ReportContent>(&state, source, id, &query).await
}
