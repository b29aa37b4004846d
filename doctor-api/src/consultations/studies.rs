//! The studies of a consultation: those that are linked to it with their X-rays, and the patient's others.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use database::{Attribute, Condition, Level, LinkedStudy, Matching, SearchQuery, SearchRow, StoredInstance};
use model::{access::Scope, clinical::Consultation};
use serde::Serialize;
use service::http::problem::Problem;
use utoipa::ToSchema;

use super::findings::{Findings, StudyFinding, findings_of};
use crate::{
    errors,
    performed_steps::{PerformedStepBody, steps_of},
    policy::Caller,
    state::AppState,
    xrays::view::{StudySummary, XraySummary},
};

/// Most studies of the patient that are offered for linking.
const CANDIDATES_MAX: u32 = 100;

/// A study linked to a consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsultationStudy {
    /// The study.
    #[serde(flatten)]
    study: StudySummary,
    /// When it was linked.
    linked_at: DateTime<Utc>,
    /// The signed reports on it in your reach, the newest first.
    findings: Vec<StudyFinding>,
    /// What modalities said that they did for it (MPPS), the newest first.
    performed_steps: Vec<PerformedStepBody>,
    /// Its series, by number.
    series: Vec<SeriesWithXrays>,
    /// More X-rays than are listed here: get them from `/xrays?study_instance_uid=`.
    truncated: bool,
}

/// A study of the patient that is not linked to the consultation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OtherStudy {
    /// The study.
    #[serde(flatten)]
    study: StudySummary,
    /// The signed reports on it in your reach, the newest first.
    findings: Vec<StudyFinding>,
}

/// A series with its X-rays.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesWithXrays {
    /// Series Instance UID (0020,000E).
    series_instance_uid: String,
    /// Modality (0008,0060).
    modality: String,
    /// Series Number (0020,0011).
    series_number: Option<i32>,
    /// Its X-rays, by number.
    xrays: Vec<XraySummary>,
}

/// Those that are linked, the newest link first, and the patient's others in reach, the newest first.
pub(super) async fn studies_of(
    state: &AppState,
    (caller, scope): (&Caller, &Scope),
    consultation: &Consultation,
) -> Result<(Vec<ConsultationStudy>, Vec<OtherStudy>), Problem> {
    let id = consultation.id;
    let linked = async { state.database().linked_studies(scope, id).await.map_err(errors::database) };
    let (linked, of_patient, mut findings) = tokio::try_join!(
        linked,
        studies_of_patient(state, scope, consultation),
        findings_of(state, caller, consultation)
    )?;
    let others = without(of_patient, &linked);
    let uids = linked.iter().map(|link| link.study.study.study_instance_uid.as_str());
    let mut steps = steps_of(state, scope, uids).await?;
    let mut studies = Vec::with_capacity(linked.len());
    for link in linked {
        studies.push(with_xrays(state, scope, link, (&mut findings, &mut steps)).await?);
    }
    let others = others.into_iter().map(|study| {
        let findings = findings.take(&study.study_instance_uid);
        OtherStudy { study, findings }
    });
    Ok((studies, others.collect()))
}

/// The patient's studies in reach.
async fn studies_of_patient(
    state: &AppState,
    scope: &Scope,
    consultation: &Consultation,
) -> Result<Vec<SearchRow>, Problem> {
    if consultation.patient_id.is_empty() {
        return Ok(Vec::new());
    }
    let search = SearchQuery {
        level: Level::Study,
        conditions: vec![Condition {
            attribute: Attribute::PatientID,
            matching: Matching::Equals(consultation.patient_id.clone()),
        }],
        limit: CANDIDATES_MAX,
        ..SearchQuery::default()
    };
    let found = state.database().search(scope, &search).await.map_err(errors::database)?;
    // The index folds case; linking compares exactly.
    let is_patient = |row: &SearchRow| {
        let issuer = &consultation.issuer_of_patient_id;
        row.patient.patient_id == consultation.patient_id
            && (issuer.is_empty() || row.patient.issuer_of_patient_id == *issuer)
    };
    Ok(found.rows.into_iter().filter(is_patient).collect())
}

/// Those that are not linked yet.
fn without(rows: Vec<SearchRow>, linked: &[LinkedStudy]) -> Vec<StudySummary> {
    let linked: HashSet<&str> =
        linked.iter().map(|link| link.study.study.study_instance_uid.as_str()).collect();
    let is_linked = |row: &SearchRow| linked.contains(row.study.study_instance_uid.as_str());
    rows.into_iter().filter(|row| !is_linked(row)).map(StudySummary::from).collect()
}

async fn with_xrays(
    state: &AppState,
    scope: &Scope,
    link: LinkedStudy,
    (findings, steps): (&mut Findings, &mut HashMap<String, Vec<PerformedStepBody>>),
) -> Result<ConsultationStudy, Problem> {
    let uid = &link.study.study.study_instance_uid;
    let mut instances = state.database().instances(scope, uid, None, None).await.map_err(errors::database)?;
    let listed_max = state.config.xrays_per_study_max;
    let truncated = instances.len() > listed_max;
    instances.truncate(listed_max);
    let findings = findings.take(uid.as_str());
    let performed_steps = steps.remove(uid.as_str()).unwrap_or_default();
    Ok(ConsultationStudy {
        study: link.study.into(),
        linked_at: link.linked_at,
        findings,
        performed_steps,
        series: by_series(instances),
        truncated,
    })
}

/// Instances come in the order of their series.
fn by_series(instances: Vec<StoredInstance>) -> Vec<SeriesWithXrays> {
    let mut series: Vec<SeriesWithXrays> = Vec::new();
    for instance in instances {
        let uid = instance.series_instance_uid.as_str();
        if series.last().is_none_or(|last| last.series_instance_uid != uid) {
            series.push(SeriesWithXrays {
                series_instance_uid: uid.to_owned(),
                modality: instance.modality.clone(),
                series_number: instance.series_number,
                xrays: Vec::new(),
            });
        }
        if let Some(last) = series.last_mut() {
            last.xrays.push(instance.into());
        }
    }
    series
}
