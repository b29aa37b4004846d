//! `GET /prescriptions/{id}/verify`: whether a prescription is genuine, for whoever has the code that is printed on it.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use database::AuditRecord;
use model::{access::Scope, text::hex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::http::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::document::SignedContent;
use crate::{
    audit, errors,
    input::{path::PathParameters, query::QueryParameters},
    sessions::create_session::SourceAddress,
    state::AppState,
};

/// The code.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// The code that is printed on the prescription.
    code: String,
}

/// Whether a prescription is genuine. It says nothing about patient and medicines: they stand on the paper, and their hash
/// is here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification {
    /// The prescription.
    id: Uuid,
    /// What is kept is what its doctor signed: the signature holds, and what was signed is this prescription.
    genuine: bool,
    /// `finalized`, `cancelled` or `superseded`: only a finalized one is to be dispensed.
    #[schema(example = "finalized")]
    status: &'static str,
    /// When it was signed.
    finalized_at: DateTime<Utc>,
    /// SHA-256 of what was signed, hexadecimal.
    content_sha256: String,
    /// Who signed, as the signed document says; empty when it is not genuine.
    doctor_name: String,
    /// The doctor's licence number, as the signed document says; empty when it is not genuine.
    licence_number: String,
    /// The public key, as a JWK, for those who verify the signature themselves.
    #[schema(value_type = Object)]
    key: Value,
}

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
    if !state.doctor_keys.is_code_of(id, &query.code) {
        return Err(Problem::not_found());
    }
    // The code is the right to ask; what was never signed is out of this scope.
    let found = state.database().prescription(&Scope::internal(), id).await.map_err(errors::database)?;
    let prescription = found.ok_or_else(Problem::not_found)?;
    let signed = prescription.signed.clone().ok_or_else(Problem::not_found)?;
    let actor = database::AuditActor { role: "public".to_owned(), ..source.actor() };
    audit::written(&state, AuditRecord::success(&actor, "verify_prescription").about(id)).await?;
    let document = SignedContent::of(&state.doctor_keys, &prescription);
    let genuine = document.is_some();
    let signer = document.map(|document| document.doctor).unwrap_or_default();
    let key = state.doctor_keys.public_jwk(prescription.doctor_id);
    Ok(Json(Verification {
        id,
        genuine,
        status: prescription.status.as_str(),
        finalized_at: signed.finalized_at,
        content_sha256: hex(&signed.content_sha256),
        doctor_name: signer.name,
        licence_number: signer.licence_number,
        key: key.map_err(|error| Problem::internal(&error))?,
    }))
}
