//! `GET /patients/{patient_id}/history`: studies, consultations, prescriptions and reports in the order of their time.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use database::SearchRow;
use model::clinical::{ClinicalDocument, Prescription, Report};
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::past::{Past, WhichPatient, past};
use crate::{
    audit,
    consultations::ConsultationBody,
    input::{check::Checks, page::PageRequest, path::PathParameters, query::QueryParameters},
    policy::{Permit, ReadStudy},
    state::AppState,
    xrays::view::StudySummary,
};

/// Which part.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PatientHistoryQuery {
    /// Issuer of Patient ID (0010,0021): two sites may use the same Patient ID. Prescriptions and reports that name none are of
    /// each.
    issuer_of_patient_id: Option<String>,
    /// Most entries.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A patient's past.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatientHistory {
    /// The newest first.
    items: Vec<PatientHistoryItem>,
    /// There is more than was asked for.
    more: bool,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatientHistoryItem {
    /// When: the consultation's start and the signature of a prescription or report (RFC 3339); a study's date and time without an
    /// offset, as the clock of the machine showed them, for machines seldom say in which time zone they stand. In the
    /// order of the list they count as UTC, so that neighbours within a day may stand the other way round.
    #[schema(example = "2026-05-03T09:00:00Z")]
    at: Option<String>,
    /// What.
    #[serde(flatten)]
    what: PatientHistoryKind,
}

/// What happened; one of the fields is there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PatientHistoryKind {
    /// A study was made.
    Study {
        /// The study.
        study: StudySummary,
    },
    /// A meeting.
    Consultation {
        /// The consultation.
        consultation: ConsultationBody,
    },
    /// A prescription.
    Prescription {
        /// The prescription.
        prescription: PrescriptionSummary,
    },
    /// A report.
    Report {
        /// The report.
        report: ReportSummary,
    },
}

/// A prescription in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrescriptionSummary {
    /// Identity.
    id: Uuid,
    /// By whom.
    doctor_id: Uuid,
    /// In which consultation.
    consultation_id: Uuid,
    /// `draft`, `finalized`, `cancelled` or `superseded`.
    status: &'static str,
    /// The medicines, in words.
    medications: Vec<String>,
}

impl From<Prescription> for PrescriptionSummary {
    fn from(prescription: Prescription) -> Self {
        Self {
            id: prescription.id,
            doctor_id: prescription.doctor_id,
            consultation_id: prescription.consultation_id,
            status: prescription.status.as_str(),
            medications: prescription.content.items.into_iter().map(|item| item.medication.text).collect(),
        }
    }
}

/// A report in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportSummary {
    /// Identity.
    id: Uuid,
    /// By whom.
    doctor_id: Uuid,
    /// In which consultation.
    consultation_id: Uuid,
    /// `draft`, `finalized`, `cancelled` or `superseded`.
    status: &'static str,
    /// Study Instance UIDs (0020,000D) of what was read.
    study_instance_uids: Vec<String>,
    /// What it means.
    impression: String,
    /// Somebody has to act at once.
    critical: bool,
}

impl From<Report> for ReportSummary {
    fn from(report: Report) -> Self {
        Self {
            id: report.id,
            doctor_id: report.doctor_id,
            consultation_id: report.consultation_id,
            status: report.status.as_str(),
            study_instance_uids: report.content.study_instance_uids,
            impression: report.content.impression,
            critical: report.content.critical,
        }
    }
}

/// Read a patient's history
///
/// As far as it is yours: a doctor sees the own consultations and drafts, signed prescriptions and reports, and the
/// studies in reach.
#[utoipa::path(
    get,
    path = "/patients/{patient_id}/history",
    tag = "patients",
    security(("bearer" = ["read_study"])),
    params(("patient_id" = String, Path, description = "Patient ID (0010,0020)"), PatientHistoryQuery),
    responses((status = 200, description = "What happened, the newest first", body = PatientHistory))
)]
pub async fn read_patient_history(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    PathParameters(patient_id): PathParameters<String>,
    QueryParameters(query): QueryParameters<PatientHistoryQuery>,
) -> Result<Json<PatientHistory>, Problem> {
    let mut checks = Checks::new();
    let page = PageRequest::new(query.limit, None, &state.config, &mut checks);
    checks.finish_query()?;
    let which = WhichPatient { issuer_of_patient_id: query.issuer_of_patient_id };
    let past = past(&state, &permit, (&patient_id, &which), page.fetch()).await?;
    if past.is_empty() {
        return Err(Problem::not_found());
    }
    audit::looked(&state, &permit.caller, past.looked("read_patient_history")).await?;
    let mut items = in_order(past);
    let more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    Ok(Json(PatientHistory { items, more }))
}

/// The newest first.
fn in_order(past: Past) -> Vec<PatientHistoryItem> {
    let studies = past.studies.into_iter().map(|row| {
        let (at, study) = (made_at(&row), row.into());
        let shown = at.map(|at| at.format("%Y-%m-%dT%H:%M:%S").to_string());
        (at, PatientHistoryItem { at: shown, what: PatientHistoryKind::Study { study } })
    });
    let known = |at: DateTime<Utc>, what| {
        let shown = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        (Some(at.naive_utc()), PatientHistoryItem { at: Some(shown), what })
    };
    let consultations = past
        .consultations
        .into_iter()
        .map(|one| known(one.scheduled_at, PatientHistoryKind::Consultation { consultation: one.into() }));
    let prescriptions = past
        .prescriptions
        .into_iter()
        .map(|one| known(written_at(&one), PatientHistoryKind::Prescription { prescription: one.into() }));
    let reports = past
        .reports
        .into_iter()
        .map(|one| known(written_at(&one), PatientHistoryKind::Report { report: one.into() }));
    let mut items: Vec<_> = studies.chain(consultations).chain(prescriptions).chain(reports).collect();
    items.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    items.into_iter().map(|(_, item)| item).collect()
}

/// When it was signed, or else begun.
fn written_at<C>(document: &ClinicalDocument<C>) -> DateTime<Utc> {
    document.signed.as_ref().map_or(document.created_at, |signed| signed.finalized_at)
}

/// Study Date and Study Time (PS3.5 6.2, DA and TM) as the machine's clock showed them; what cannot be read sorts last.
fn made_at(row: &SearchRow) -> Option<NaiveDateTime> {
    let date = NaiveDate::parse_from_str(&row.study.study_date, "%Y%m%d").ok()?;
    let digits: String = row.study.study_time.chars().take_while(char::is_ascii_digit).take(6).collect();
    let time = NaiveTime::parse_from_str(&format!("{digits:0<6}"), "%H%M%S").unwrap_or_default();
    Some(date.and_time(time))
}
