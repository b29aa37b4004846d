//! `POST /doctors/{id}/prescription`: a draft for a consultation that has begun.

use axum::{extract::State, http::StatusCode, response::Response};
use model::clinical::PrescriptionContent;
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    PrescriptionBody, answer,
    check::check,
    items::{ItemBody, PrescriptionContentBody},
};
use crate::{
    documents::{commands::create, patient::PatientBody},
    input::{json::JsonBody, path::PathParameters},
    location::at,
    policy::{Permit, WritePrescription},
    state::AppState,
};

/// What is prescribed, in which consultation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePrescription {
    /// The consultation: one of the doctor's that is in progress, or was completed lately.
    consultation_id: Uuid,
    /// The medicines.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<ItemBody>,
    /// Allergies that the patient told of, in words or as codes or groups of ATC such as `J01C`.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["penicillin"]))]
    declared_allergies: Vec<String>,
    /// To the pharmacy.
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
    /// Whom it is for, as it is printed; left out, as the booking says, or the images that the doctor may see.
    #[serde(default)]
    patient: Option<PatientBody>,
}

/// Begin a prescription
///
/// It is a draft, which nobody else sees, until `/finalize` signs it. Look at its warnings before.
#[utoipa::path(
    post,
    path = "/doctors/{id}/prescription",
    tag = "prescriptions",
    security(("bearer" = ["write_prescription"])),
    params(("id" = Uuid, Path, description = "Doctor")),
    request_body = CreatePrescription,
    responses(
        (status = 201, description = "A draft", body = PrescriptionBody,
         headers(("Location" = String, description = "Where the prescription is"),
                 ("ETag" = String, description = "Version, for If-Match"))),
        (status = 409, description = "The consultation has not begun, or was not held", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn create_prescription(
    State(state): State<AppState>,
    permit: Permit<WritePrescription>,
    PathParameters(doctor_id): PathParameters<Uuid>,
    JsonBody(request): JsonBody<CreatePrescription>,
) -> Result<Response, Problem> {
    let CreatePrescription { consultation_id, items, declared_allergies, note, patient } = request;
    let body = PrescriptionContentBody { items, declared_allergies, note, patient };
    let content = PrescriptionContent::from(body);
    check(&content, state.clock.now())?;
    let draft = create(&state, &permit, (doctor_id, consultation_id), content).await?;
    let location = format!("/prescriptions/{}", draft.id);
    Ok(at(&location, answer(&state, &permit.scope, StatusCode::CREATED, draft).await?))
}
