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

/// Doctors whose calendars are read at once.
const CANDIDATES_AT_ONCE: u32 = if cfg!(test) { 3 } else { 1_000 };
/// Doctors looked at for who is free at a time; narrow the search by specialty or language for more.
const CANDIDATES_MAX: u32 = 10 * CANDIDATES_AT_ONCE;
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
///
/// For `available_at` the first 10,000 doctors by name that match the rest are looked at. Where there are others, `more` is true also on a
/// page that is not full: narrow the search.
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
    let (free, others) = free_at(&state, &filter, at, page).await?;
    let mut answer = page.page(free, DoctorBody::from);
    answer.more |= others;
    Ok(Json(answer))
}

/// Those of the doctors who are free at a time, and whether there are others that were not looked at. Who is free is reckoned for each,
/// so the page is looked for until it is full.
async fn free_at(
    state: &AppState,
    filter: &DoctorFilter,
    at: DateTime<Utc>,
    page: PageRequest,
) -> Result<(Vec<Doctor>, bool), Problem> {
    let active = Some(filter.active.unwrap_or(true));
    let (mut free, mut to_leave_out) = (Vec::new(), page.offset);
    for offset in (0..CANDIDATES_MAX).step_by(CANDIDATES_AT_ONCE as usize) {
        // One more shows whether there are others.
        let limit = CANDIDATES_AT_ONCE + 1;
        let filter = DoctorFilter { active, limit, offset: u64::from(offset), ..filter.clone() };
        let mut doctors = state.database().doctors(&filter).await.map_err(errors::database)?;
        let others = doctors.len() > CANDIDATES_AT_ONCE as usize;
        doctors.truncate(CANDIDATES_AT_ONCE as usize);
        let calendars = Calendars::read(state, &doctors, at).await?;
        for doctor in doctors {
            if !calendars.is_free(&doctor) {
                continue;
            }
            if to_leave_out > 0 {
                to_leave_out -= 1;
            } else {
                free.push(doctor);
            }
            if free.len() >= page.fetch() as usize {
                return Ok((free, false));
            }
        }
        if !others {
            return Ok((free, false));
        }
    }
    Ok((free, true))
}

/// The hours of doctors, and what is taken of them around a time.
struct Calendars {
    schedules: HashMap<Uuid, ScheduleRow>,
    busy: availability::Busy,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Calendars {
    async fn read(state: &AppState, doctors: &[Doctor], at: DateTime<Utc>) -> Result<Self, Problem> {
        let ids: Vec<Uuid> = doctors.iter().map(|doctor| doctor.id).collect();
        let schedules = state.database().schedules(&ids).await.map_err(errors::database)?;
        let schedules: HashMap<Uuid, ScheduleRow> = schedules.into_iter().collect();
        let longest = TimeDelta::minutes(i64::from(DURATION_MAX_MINUTES));
        let ids: Vec<Uuid> = schedules.keys().copied().collect();
        let busy = availability::busy(state, &ids, (at - longest, until(at))).await?;
        Ok(Self { schedules, busy, at, now: state.clock.now() })
    }

    /// Whether a slot of the doctor's that is free holds the time.
    fn is_free(&self, doctor: &Doctor) -> bool {
        let Some(schedule) = self.schedules.get(&doctor.id) else { return false };
        let length = TimeDelta::minutes(i64::from(schedule.rules.slot_minutes));
        let period = (self.at - length, until(self.at));
        let busy = self.busy.of(doctor.id);
        let slots = availability::free((doctor, schedule), busy, period, length, self.now);
        slots.iter().any(|slot| slot.starts_at <= self.at && self.at < slot.ends_at)
    }
}

/// The end of a period in which a slot may begin that holds a time.
fn until(at: DateTime<Utc>) -> DateTime<Utc> {
    at + TimeDelta::seconds(1)
}
