//! `GET /xrays`: the X-rays of a study or of a patient.

use axum::extract::State;
use chrono::{NaiveDate, NaiveTime};
use database::{Attribute, Condition, Level, Matching, SearchQuery, SearchRow, XrayConditions, XrayMetadata};
use model::{StudyInstanceUid, access::Action};
use serde::{Deserialize, Serialize};
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    update_xray::SaidOfXray,
    view::{PatientBody, SeriesBody, XraySummary},
};
use crate::{
    audit::{self, Looked},
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{Permit, ReadStudy},
    state::AppState,
};

/// Longest body part in characters (PS3.5 6.2, CS).
const BODY_PART_LENGTH_MAX: usize = 16;

/// Which X-rays; one of `study_instance_uid`, `patient_id` and `consultation_id` is needed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct XrayQuery {
    /// Study Instance UID (0020,000D).
    study_instance_uid: Option<String>,
    /// Patient ID (0010,0020).
    patient_id: Option<String>,
    /// Of the studies that are linked to this consultation.
    consultation_id: Option<Uuid>,
    /// Of this body part as people say (`said.body_part`); where nobody does, Body Part Examined (0018,0015).
    body_part: Option<String>,
    /// Made on this day of UTC or later as people say (`said.captured_at`); where nobody does, Study Date (0008,0020).
    from: Option<NaiveDate>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// An X-ray of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedXray {
    /// The X-ray.
    #[serde(flatten)]
    xray: XraySummary,
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
    /// Study Date (0008,0020), YYYYMMDD.
    study_date: String,
    /// Study Description (0008,1030).
    study_description: String,
    /// What people say of it.
    said: SaidOfXray,
    /// Its series.
    series: SeriesBody,
    /// Whose it is.
    patient: PatientBody,
}

/// List X-rays
#[utoipa::path(
    get,
    path = "/xrays",
    tag = "xrays",
    security(("bearer" = ["read_study"])),
    params(XrayQuery),
    responses((status = 200, description = "A page of X-rays, the newest study first; by series and instance number",
               body = Page<ListedXray>))
)]
pub async fn list_xrays(
    State(state): State<AppState>,
    permit: Permit<ReadStudy>,
    QueryParameters(query): QueryParameters<XrayQuery>,
) -> Result<Json<Page<ListedXray>>, Problem> {
    let mut checks = Checks::new();
    let narrowed =
        query.study_instance_uid.is_some() || query.patient_id.is_some() || query.consultation_id.is_some();
    checks.require(narrowed, "study_instance_uid", "is needed, or else patient_id or consultation_id");
    checks.line("body_part", query.body_part.as_deref().unwrap_or_default(), BODY_PART_LENGTH_MAX);
    checks.time("from", query.from.map(|from| from.and_time(NaiveTime::MIN).and_utc()));
    if let Some(Err(error)) = query.study_instance_uid.as_deref().map(StudyInstanceUid::parse) {
        checks.refuse("study_instance_uid", error.to_string());
    }
    if let Some(patient_id) = &query.patient_id {
        checks.require(!patient_id.is_empty(), "patient_id", "is empty");
        checks.patient_id("patient_id", patient_id);
    }
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let search = SearchQuery {
        level: Level::Instance,
        conditions: conditions(&state, &permit, &query).await?,
        limit: page.limit,
        offset: page.offset,
        ..SearchQuery::default()
    };
    let of_xrays = XrayConditions { body_part: query.body_part.clone(), from: query.from };
    let found = state.database().search_xrays(&permit.scope, &search, &of_xrays).await;
    let found = found.map_err(errors::database)?;
    let study = found.rows.first().map(|row| row.study.study_instance_uid.as_str());
    let study = study.or(query.study_instance_uid.as_deref()).unwrap_or_default();
    let what = Looked {
        action: "list_xrays",
        study_instance_uid: study,
        subject: String::new(),
        consultation_id: None,
    };
    audit::looked(&state, &permit.caller, what).await?;
    // The index folds case; two patients may differ in nothing else.
    let same_patient = |row: &SearchRow| {
        query.patient_id.as_ref().is_none_or(|patient_id| row.patient.patient_id == *patient_id)
    };
    let ids: Vec<Uuid> = found.rows.iter().filter_map(|row| Some(row.instance.as_ref()?.id)).collect();
    let mut said = state.database().xray_metadata_of(&ids).await.map_err(errors::database)?;
    let show = |row: SearchRow| {
        let of = row.instance.as_ref().and_then(|instance| said.remove(&instance.id));
        show(row, of.unwrap_or_default())
    };
    let items = found.rows.into_iter().filter(same_patient).filter_map(show).collect();
    Ok(Json(Page { items, limit: page.limit, offset: page.offset, more: found.more }))
}

async fn conditions(
    state: &AppState,
    permit: &Permit<ReadStudy>,
    query: &XrayQuery,
) -> Result<Vec<Condition>, Problem> {
    let equals = [
        (Attribute::StudyInstanceUID, query.study_instance_uid.clone()),
        (Attribute::PatientID, query.patient_id.clone()),
    ];
    let equals = equals.into_iter().filter_map(|(attribute, value)| {
        value.map(|value| Condition { attribute, matching: Matching::Equals(value) })
    });
    let mut conditions: Vec<Condition> = equals.collect();
    if let Some(id) = query.consultation_id {
        // Whoever may see no consultations finds none.
        let linked = match permit.caller.principal.authorize(Action::ReadConsultation) {
            Ok(scope) => state.database().linked_studies(&scope, id).await.map_err(errors::database)?,
            Err(_) => Vec::new(),
        };
        let uids = linked.into_iter().map(|link| link.study.study.study_instance_uid.into()).collect();
        let matching = Matching::UidList(uids);
        conditions.push(Condition { attribute: Attribute::StudyInstanceUID, matching });
    }
    Ok(conditions)
}

fn show(row: SearchRow, said: XrayMetadata) -> Option<ListedXray> {
    Some(ListedXray {
        xray: row.instance?.into(),
        study_instance_uid: row.study.study_instance_uid.into(),
        study_date: row.study.study_date,
        study_description: row.study.study_description,
        said: said.into(),
        series: row.series?.attributes.into(),
        patient: row.patient.into(),
    })
}
