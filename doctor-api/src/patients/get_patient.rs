//! `GET /patients/{patient_id}`: who a patient is, as those say who wrote the Patient ID.

use axum::extract::State;
use serde::Serialize;
use service::http::{json::Json, problem::Problem};
use utoipa::ToSchema;

use super::{
    past::{WhichPatient, past},
    registry::{self, RegistryBody},
};
use crate::{
    audit,
    input::{path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadStudy},
    state::AppState,
    xrays::view::PatientBody,
};

/// Entries of each kind that are looked at.
const LIMIT: u32 = 1_000;

/// A patient.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatientView {
    /// Patient ID (0010,0020).
    patient_id: String,
    /// What the images say of the patient, the newest first. More than one differ: somebody has to look, nothing is
    /// merged.
    records: Vec<PatientBody>,
    /// Names that were written at bookings and that no image has.
    booked_names: Vec<String>,
    /// What the Patient Service says; null when there is none, or none for the issuer, and for tokens of viewers and share
    /// links.
    registry: Option<RegistryBody>,
    /// Studies in reach, at most 1000.
    studies: usize,
    /// Consultations in reach, at most 1000.
    consultations: usize,
    /// Prescriptions in reach, at most 1000.
    prescriptions: usize,
    /// Reports in reach, at most 1000.
    reports: usize,
}

/// Read a patient
///
/// Out of what is yours: a patient of whom you have nothing is not there.
#[utoipa::path(
    get,
    path = "/patients/{patient_id}",
    tag = "patients",
    security(("bearer" = ["read_study"])),
    params(("patient_id" = String, Path, description = "Patient ID (0010,0020)"), WhichPatient),
    responses((status = 200, description = "The patient", body = PatientView))
)]
pub async fn get_patient(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(patient_id): PathParameters<String>,
    QueryParameters(which): QueryParameters<WhichPatient>,
) -> Result<Json<PatientView>, Problem> {
    let past = past(&state, &permit, (&patient_id, &which), LIMIT).await?;
    if past.is_empty() {
        return Err(Problem::not_found());
    }
    audit::looked(&state, &permit.caller, past.looked("read_patient")).await?;
    let registry = registry::of(&state, &permit, (&patient_id, &which), &past).await;
    let (studies, consultations) = (past.studies.len(), past.consultations.len());
    let mut records: Vec<PatientBody> = Vec::new();
    for row in past.studies {
        let record = PatientBody::from(row.patient);
        if !records.contains(&record) {
            records.push(record);
        }
    }
    let mut booked_names: Vec<String> = Vec::new();
    for consultation in past.consultations {
        let name = consultation.patient_name;
        let new = !name.is_empty() && !booked_names.contains(&name);
        if new && !records.iter().any(|record| record.is_named(&name)) {
            booked_names.push(name);
        }
    }
    let (prescriptions, reports) = (past.prescriptions.len(), past.reports.len());
    Ok(Json(PatientView {
        patient_id,
        records,
        booked_names,
        registry,
        studies,
        consultations,
        prescriptions,
        reports,
    }))
}
