//! `GET /doctors`: profiles by specialty, language, name and free time.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use database::{DoctorFilter, ScheduleRow};
use model::clinical::Doctor;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::DoctorBody;
use crate::{
    availability,
    consultations::create_consultation::DURATION_MAX_MINUTES,
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{Permit, ReadDoctor},
    state::AppState,
};

/// Doctors looked at for who is free at a time; narrow the search by specialty or language for more.
const CANDIDATES_MAX: u32 = 1_000;
/// Longest text to search for in characters.
const SEARCH_LENGTH_MAX: usize = 200;

/// Which profiles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DoctorQuery {
    /// Has this specialty, in words or as a code.
    specialty: Option<String>,
    /// Speaks this language (BCP 47).
    language: Option<String>,
    /// The name contains this text; case and accents do not count.
    q: Option<String>,
    /// Takes consultations, or does not.
    active: Option<bool>,
    /// Is free at this time (RFC 3339), for as long as a slot of the doctor's takes.
    available_at: Option<DateTime<Utc>>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List doctors
#[utoipa::path(
    get,
    path = "/doctors",
    tag = "doctors",
    security(("bearer" = ["read_doctor"])),
    params(DoctorQuery),
    responses((status = 200, description = "A page of profiles, by name", body = Page<DoctorBody>))
)]
pub async fn list_doctors(
    State(state): State<AppState>,
    _permit: Permit<ReadDoctor>,
    QueryParameters(query): QueryParameters<DoctorQuery>,
) -> Result<Json<Page<DoctorBody>>, Problem> {
    let mut checks = Checks::new();
    for (name, value) in [("specialty", &query.specialty), ("language", &query.language), ("q", &query.q)] {
        checks.line(name, value.as_deref().unwrap_or_default(), SEARCH_LENGTH_MAX);
    }
    checks.time("available_at", query.available_at);
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = DoctorFilter {
        specialty: query.specialty,
        language: query.language,
        q: query.q,
        active: query.active,
        limit: page.fetch(),
        offset: page.offset,
    };
    let Some(at) = query.available_at else {
        let doctors = state.database().doctors(&filter).await.map_err(errors::database)?;
        return Ok(Json(page.page(doctors, DoctorBody::from)));
    };
    let free = free_at(&state, filter, at, page).await?;
    Ok(Json(page.page(free, DoctorBody::from)))
}

/// Those of the doctors who are free at a time. Who is free is reckoned for each, so the page is looked for among the
/// first doctors of the filter.
async fn free_at(
    state: &AppState,
    filter: DoctorFilter,
    at: DateTime<Utc>,
    page: PageRequest,
) -> Result<Vec<Doctor>, Problem> {
    let active = filter.active.unwrap_or(true);
    let filter = DoctorFilter { active: Some(active), limit: CANDIDATES_MAX, offset: 0, ..filter };
    let doctors = state.database().doctors(&filter).await.map_err(errors::database)?;
    let ids: Vec<Uuid> = doctors.iter().map(|doctor| doctor.id).collect();
    let schedules = state.database().schedules(&ids).await.map_err(errors::database)?;
    let schedules: HashMap<Uuid, ScheduleRow> = schedules.into_iter().collect();
    let until = at + TimeDelta::seconds(1);
    let longest = TimeDelta::minutes(i64::from(DURATION_MAX_MINUTES));
    let ids: Vec<Uuid> = schedules.keys().copied().collect();
    let busy = availability::busy(state, &ids, (at - longest, until)).await?;
    let now = state.clock.now();
    let (mut free, mut to_leave_out) = (Vec::new(), page.offset);
    for doctor in doctors {
        let Some(schedule) = schedules.get(&doctor.id) else { continue };
        let length = TimeDelta::minutes(i64::from(schedule.rules.slot_minutes));
        let slots =
            availability::free((&doctor, schedule), busy.of(doctor.id), (at - length, until), length, now);
        if !slots.iter().any(|slot| slot.starts_at <= at && at < slot.ends_at) {
            continue;
        }
        if to_leave_out > 0 {
            to_leave_out -= 1;
        } else {
            free.push(doctor);
        }
        if free.len() >= page.fetch() as usize {
            break;
        }
    }
    Ok(free)
}
