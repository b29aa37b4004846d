//! What of a patient is in the caller's reach: each kind as far as the caller may read that kind.

use database::{Attribute, Condition, Level, Matching, SearchQuery, SearchRow};
use model::{
    access::Action,
    clinical::{Consultation, Prescription, Report},
};
use serde::Deserialize;
use service::http::problem::Problem;
use utoipa::IntoParams;

use crate::{
    audit::Looked,
    errors,
    input::check::Checks,
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// Which patient.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichPatient {
    /// Issuer of Patient ID (0010,0021): two sites may use the same Patient ID. Prescriptions and reports that name none are of
    /// each.
    pub issuer_of_patient_id: Option<String>,
}

/// What is in reach.
pub struct Past {
    pub studies: Vec<SearchRow>,
    pub consultations: Vec<Consultation>,
    pub prescriptions: Vec<Prescription>,
    pub reports: Vec<Report>,
}

impl Past {
    pub fn is_empty(&self) -> bool {
        self.studies.is_empty()
            && self.consultations.is_empty()
            && self.prescriptions.is_empty()
            && self.reports.is_empty()
    }

    /// What the trail knows the patient by: a study, or else a consultation, a prescription or a report. A Patient ID is nothing to
    /// keep there.
    pub fn looked<'a>(&'a self, action: &'a str) -> Looked<'a> {
        let study_instance_uid = self.studies.first().map_or("", |row| row.study.study_instance_uid.as_str());
        let consultation = self.consultations.first().map(|one| (one.id, one.id));
        let prescription = || self.prescriptions.first().map(|one| (one.id, one.consultation_id));
        let report = || self.reports.first().map(|one| (one.id, one.consultation_id));
        let known_by =
            consultation.or_else(prescription).or_else(report).filter(|_| study_instance_uid.is_empty());
        Looked {
            action,
            study_instance_uid,
            subject: known_by.map(|(id, _)| id.to_string()).unwrap_or_default(),
            consultation_id: known_by.map(|(_, consultation_id)| consultation_id),
        }
    }
}

/// Studies of a Patient ID, of one issuer or of all. The index folds case: two patients may differ in nothing else, so
/// compare what is found.
pub fn of_patient(patient_id: &str, issuer: Option<&str>) -> Vec<Condition> {
    let equals =
        |attribute, value: &str| Condition { attribute, matching: Matching::Equals(value.to_owned()) };
    let of_issuer = issuer.map(|issuer| equals(Attribute::IssuerOfPatientID, issuer));
    std::iter::once(equals(Attribute::PatientID, patient_id)).chain(of_issuer).collect()
}

/// At most `limit` of each kind, the newest.
pub async fn past(
    state: &AppState,
    permit: &Permit<ReadStudy>,
    (patient_id, which): (&str, &WhichPatient),
    limit: u32,
) -> Result<Past, Problem> {
    let issuer = which.issuer_of_patient_id.as_deref().filter(|issuer| !issuer.is_empty());
    let mut checks = Checks::new();
    checks.require(!patient_id.trim().is_empty(), "patient_id", "is empty");
    checks.patient_id("patient_id", patient_id);
    checks.patient_id("issuer_of_patient_id", issuer.unwrap_or_default());
    checks.finish_query()?;
    let database = state.database();
    let conditions = of_patient(patient_id, issuer);
    let search = SearchQuery { level: Level::Study, conditions, limit, ..SearchQuery::default() };
    let mut studies = database.search(&permit.scope, &search).await.map_err(errors::database)?.rows;
    studies.retain(|row| row.patient.patient_id == patient_id);
    let principal = &permit.caller.principal;
    let consultations = match principal.authorize(Action::ReadConsultation) {
        Ok(scope) => database.consultations_of_patient(&scope, patient_id, issuer, limit).await,
        Err(_) => Ok(Vec::new()),
    };
    let prescriptions = match principal.authorize(Action::ReadPrescription) {
        Ok(scope) => database.documents_of_patient(&scope, patient_id, issuer, limit).await,
        Err(_) => Ok(Vec::new()),
    };
    let reports = match principal.authorize(Action::ReadReport) {
        Ok(scope) => database.documents_of_patient(&scope, patient_id, issuer, limit).await,
        Err(_) => Ok(Vec::new()),
    };
    Ok(Past {
        studies,
        consultations: consultations.map_err(errors::database)?,
        prescriptions: prescriptions.map_err(errors::database)?,
        reports: reports.map_err(errors::database)?,
    })
}
