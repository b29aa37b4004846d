//! Prescriptions: drafts, signatures, what takes their place, and whether one is genuine.

mod allergens;
pub mod cancel_prescription;
mod check;
pub mod config;
pub mod create_prescription;
pub mod finalize_prescription;
pub mod get_prescription;
pub mod get_prescription_pdf;
mod items;
pub mod replace_prescription;
pub mod update_prescription;
pub mod verify_prescription;
mod warnings;

use axum::{http::StatusCode, response::Response};
use model::{access::Scope, clinical::Prescription};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use self::{items::ItemBody, warnings::WarningBody};
use crate::{
    documents::{DocumentBody, tagged},
    state::AppState,
};

/// A prescription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prescription)]
pub struct PrescriptionBody {
    /// Where it stands, whose it is.
    #[serde(flatten)]
    document: DocumentBody,
    /// The medicines.
    items: Vec<ItemBody>,
    /// Allergies that the patient told of.
    declared_allergies: Vec<String>,
    /// To the pharmacy.
    note: String,
    /// What to look at before signing; none of it forbids anything. It is a help and no complete check: no warning does not say
    /// that nothing is wrong.
    warnings: Vec<WarningBody>,
}

/// The prescription with what to look at, and its ETag.
async fn answer(
    state: &AppState,
    scope: &Scope,
    status: StatusCode,
    prescription: Prescription,
) -> Result<Response, Problem> {
    let warnings = warnings::of(state, scope, &prescription).await?;
    Ok(answer_with(state, status, prescription, warnings))
}

/// The same with these warnings.
fn answer_with(
    state: &AppState,
    status: StatusCode,
    prescription: Prescription,
    warnings: Vec<WarningBody>,
) -> Response {
    let version = prescription.version;
    let (document, content) = DocumentBody::split(state, prescription);
    let body = PrescriptionBody {
        document,
        items: content.items.into_iter().map(ItemBody::from).collect(),
        declared_allergies: content.declared_allergies,
        note: content.note,
        warnings,
    };
    tagged(status, version, body)
}
