//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

use axum::{
    body::Bytes,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Request, header},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use futures_util::FutureExt;
use jiff::tz::TimeZone;
use model::schedule::{Exception, ExceptionKind, check_exceptions};
use serde::de::DeserializeOwned;
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    availability::{
        calendar::{CalendarContent, write_calendar},
        import,
    },
    consultations::{
        create_consultation::BookConsultation, link_study::StudyToLink, list_consultations::ConsultationQuery,
    },
    doctors::{DoctorProfile, create_doctor::CreateDoctor, list_doctors::DoctorQuery},
    input::{etag, json, query::QueryParameters},
    patients::list_studies::PatientQuery,
    sessions::create_session::Credentials,
    xrays::{check_picture, get_preview::PreviewQuery, list_xrays::XrayQuery},
};

/// Longest answer to a body that is refused, in bytes of JSON.
const REFUSAL_LENGTH_MAX_BYTES: usize = 4 * 1024;

/// Any bytes as the body, the query and the conditions of a REST request.
///
/// # Panics
/// When a refusal is not the client's fault, is long, or repeats control characters.
pub fn rest_request(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    check(json::parse::<BookConsultation>(&body));
    check(json::parse::<StudyToLink>(&body));
    check(json::parse::<CreateDoctor>(&body));
    check(json::parse::<DoctorProfile>(&body));
    check(json::parse::<Credentials>(&body));
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let headers =
            HeaderMap::from_iter([(header::IF_MATCH, value.clone()), (header::IF_NONE_MATCH, value)]);
        if let Ok(version) = etag::expected_version(&headers) {
            let tag = etag::version_tag(version);
            assert!(etag::is_known(&headers, &tag), "one version for If-Match, another for If-None-Match");
        }
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    query::<ConsultationQuery>(text);
    query::<DoctorQuery>(text);
    query::<PatientQuery>(text);
    query::<PreviewQuery>(text);
    query::<XrayQuery>(text);
}

/// Any bytes as a picture that is uploaded.
///
/// # Panics
/// When what is taken has not the samples, or the size, that it says.
pub fn uploaded_picture(input: &[u8]) {
    check_picture(input);
}

/// Any bytes as a calendar that a doctor imports.
///
/// # Panics
/// When a time lies outside of what was asked for, or is another one after it was exported and imported again.
pub fn calendar(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let home = TimeZone::get("Europe/Berlin").expect("a zone");
    let day = |day| NaiveDate::from_ymd_opt(2027, 3, day).expect("a day").and_time(NaiveTime::MIN).and_utc();
    let (from, until) = (day(1), day(31));
    match import::exceptions(text, home.clone(), (from, until)) {
        Err(refused) => check_message(&refused.message()),
        Ok(found) => {
            assert!(found.len() <= 500 && check_exceptions(&found).is_empty(), "{found:?}");
            assert!(found.iter().all(|one| one.to > from && one.from < until), "{found:?}");
            let exported = export(&found, (from, until));
            let mut expected = found;
            for one in &mut expected {
                one.note.clear();
            }
            let again = import::exceptions(&exported, home.clone(), (from, until)).expect("our own calendar");
            assert_eq!(sorted(again), sorted(expected));
        }
    }
    match import::weekly_hours(text, home) {
        Err(refused) => check_message(&refused.message()),
        Ok(hours) => assert!(!hours.is_empty()),
    }
}

/// In an order that does not ask which kind came first.
fn sorted(mut exceptions: Vec<Exception>) -> Vec<Exception> {
    exceptions.sort_by_key(|one| (one.from, one.to, one.kind == ExceptionKind::TimeOff));
    exceptions.dedup();
    exceptions
}

fn export(exceptions: &[Exception], (from, until): (DateTime<Utc>, DateTime<Utc>)) -> String {
    write_calendar(&CalendarContent {
        name: "fuzz",
        doctor_id: Uuid::nil(),
        time_zone: "Europe/Berlin",
        consultations: &[],
        weekly: &[],
        exceptions,
        from,
        until,
        now: from,
    })
}

fn check_message(message: &str) {
    assert!(message.len() < 300 && !message.chars().any(char::is_control), "{message}");
}

fn query<T: DeserializeOwned>(text: &str) {
    let Ok(request) = Request::get(format!("/?{text}")).body(()) else { return };
    let (mut parts, ()) = request.into_parts();
    let parsed = QueryParameters::<T>::from_request_parts(&mut parts, &()).now_or_never();
    check(parsed.expect("a query is read without waiting"));
}

fn check<T>(parsed: Result<T, Problem>) {
    let Err(problem) = parsed else { return };
    assert!((400..500).contains(&problem.status), "{problem:?}");
    for error in &problem.errors {
        assert!(!error.field.chars().any(char::is_control), "{problem:?}");
        assert!(!error.message.chars().any(char::is_control), "{problem:?}");
    }
    let answer = serde_json::to_vec(&problem).expect("a problem is JSON");
    assert!(answer.len() <= REFUSAL_LENGTH_MAX_BYTES, "{} bytes of refusal", answer.len());
}

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_rest_request() {
        replay::replay("rest_request", rest_request);
    }

    #[test]
    fn corpus_calendar() {
        replay::replay("calendar", calendar);
    }

    #[test]
    fn corpus_uploaded_picture() {
        replay::replay("uploaded_picture", uploaded_picture);
    }
}
