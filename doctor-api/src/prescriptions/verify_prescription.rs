//! `GET /prescriptions/{id}/verify`: whether a prescription is genuine, for whoever has the code that is printed on it.

use axum::extract::State;
use model::clinical::PrescriptionContent;
use service::http::{json::Json, problem::Problem};
use uuid::Uuid;

use crate::{
    documents::verify::{Verification, VerifyQuery, verify},
    input::{path::PathParameters, query::QueryParameters},
    sessions::create_session::SourceAddress,
    state::AppState,
};

/// Verify a prescription
///
/// Needs no account. A wrong code and an unknown prescription give the same 404.
#[utoipa::path(
    get,
    path = "/prescriptions/{id}/verify",
    tag = "prescriptions",
    params(("id" = Uuid, Path, description = "Prescription"), VerifyQuery),
    responses((status = 200, description = "What is known of it", body = Verification))
)]
pub async fn verify_prescription(
    State(state): State<AppState>,
    source: SourceAddress,
    PathParameters(id): PathParameters<Uuid>,
    QueryParameters(query): QueryParameters<VerifyQuery>,
) -> Result<Json<Verification>, Problem> {
    verify::<PrescriptionContent>(&state, source, id, &query).await
}
