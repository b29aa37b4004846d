//! Hours and time off that come as a calendar.

use axum::http::StatusCode;
use serde_json::json;

use super::{Clinic, clinic, mornings};
use crate::tests::house::{Answer, request};

/// A body as a calendar, and the answer.
async fn put_calendar(clinic: &Clinic, rest: &str, tag: &str, calendar: &str) -> Answer {
    let mut request = request("PUT", &clinic.path(rest), &clinic.ada, None);
    request.headers_mut().insert("if-match", tag.parse().expect("a header"));
    request.headers_mut().insert("content-type", "text/calendar; charset=utf-8".parse().expect("a header"));
    *request.body_mut() = calendar.to_owned().into();
    clinic.house.call(request).await
}

fn calendar(event: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\n{event}\nEND:VEVENT\nEND:VCALENDAR\n")
}

#[tokio::test]
async fn a_calendar_says_when_a_doctor_is_there_and_when_not() {
    let clinic = clinic().await;
    assert_eq!(clinic.put("/rules", "\"0\"", mornings()).await.status, StatusCode::OK);
    let hours = calendar(
        "DTSTART;TZID=Europe/Berlin:20270101T090000\nDTEND;TZID=Europe/Berlin:20270101T100000\n\
         RRULE:FREQ=WEEKLY;BYDAY=SU,MO\nCATEGORIES:AVAILABILITY\nTRANSP:TRANSPARENT",
    );
    let kept = put_calendar(&clinic, "/rules", "\"1\"", &hours).await;
    assert_eq!(kept.status, StatusCode::OK, "{:?}", kept.body);
    let kept = kept.json();
    assert_eq!(
        (kept["slot_minutes"].as_i64(), kept["weekly"][1]["weekday"].as_str()),
        (Some(30), Some("monday"))
    );
    let week = "?from=2027-03-27T00:00:00Z&to=2027-03-30T00:00:00Z";
    assert_eq!(clinic.starts(week).await.len(), 4);
    let away =
        calendar("DTSTART:20270322T090000\nDURATION:PT30M\nRRULE:FREQ=WEEKLY\nSUMMARY:Rounds\\, with all");
    let kept = put_calendar(&clinic, "/exceptions", "\"0\"", &away).await;
    assert_eq!(kept.status, StatusCode::OK, "{:?}", kept.body);
    assert_eq!(kept.header("etag"), "\"1\"");
    let first = &kept.json()["exceptions"][0];
    assert_eq!(
        (first["kind"].as_str(), first["note"].as_str()),
        (Some("time_off"), Some("Rounds, with all"))
    );
    let left = ["2027-03-28T09:00:00+02:00", "2027-03-28T09:30:00+02:00", "2027-03-29T09:30:00+02:00"];
    assert_eq!(clinic.starts(week).await, left);
}

#[tokio::test]
async fn hours_come_back_from_our_own_calendar_as_they_went() {
    let clinic = clinic().await;
    let hours = |weekday: &str, (from, to): (&str, &str), valid: (Option<&str>, Option<&str>)| {
        let (valid_from, valid_until) = valid;
        json!({
            "weekday": weekday, "from": from, "to": to, "valid_from": valid_from, "valid_until": valid_until
        })
    };
    let weekly = json!([
        hours("monday", ("09:00", "12:30"), (None, None)),
        hours("tuesday", ("08:00", "24:00"), (Some("2020-01-01"), None)),
        hours("wednesday", ("09:00", "12:30"), (None, Some("2031-12-31"))),
        hours("thursday", ("09:00", "12:30"), (Some("2026-01-01"), Some("2026-06-30"))),
        hours("friday", ("09:00", "12:30"), (Some("2030-01-01"), None)),
        // Clocks show no such time on the first Sunday of the period.
        hours("sunday", ("02:00", "02:30"), (None, None)),
    ]);
    let rules = json!({ "slot_minutes": 20, "weekly": weekly });
    assert_eq!(clinic.put("/rules", "\"0\"", rules).await.status, StatusCode::OK);
    let path = format!("/doctors/{}/calendar.ics", clinic.doctor);
    let period = "from=2027-03-22T00:00:00Z&to=2027-04-15T00:00:00Z";
    let exported = clinic.house.get(&format!("{path}?{period}"), &clinic.ada).await;
    let text = String::from_utf8(exported.body.to_vec()).expect("UTF-8");
    assert!(text.contains("RRULE:FREQ=WEEKLY;BYDAY=MO\r\n"), "{text}");
    assert_eq!(text.matches("UNTIL=").count(), 2, "{text}");
    // The change of clocks after the period, for hours that go on.
    assert!(text.contains("DTSTART:20301027T030000"), "{text}");
    let kept = put_calendar(&clinic, "/rules", "\"1\"", &text).await;
    assert_eq!(kept.status, StatusCode::OK, "{:?}", kept.body);
    assert_eq!((&kept.json()["weekly"], &kept.json()["slot_minutes"]), (&weekly, &json!(20)));
}

#[tokio::test]
async fn a_calendar_that_is_none_changes_nothing() {
    let clinic = clinic().await;
    for rest in ["/rules", "/exceptions"] {
        let text = calendar("DTSTART:soon\nRRULE:FREQ=WEEKLY\nCATEGORIES:AVAILABILITY");
        let broken = put_calendar(&clinic, rest, "\"0\"", &text).await;
        assert_eq!(
            (broken.status, broken.refused()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["calendar".to_owned()])
        );
        let message = broken.json()["errors"][0]["message"].as_str().expect("a message").to_owned();
        assert!(message.starts_with("line 5: "), "{message}");
        let late = put_calendar(
            &clinic,
            rest,
            "\"7\"",
            &calendar(
                "DTSTART:20270301T080000\nDURATION:PT1H\n\
            RRULE:FREQ=WEEKLY\nCATEGORIES:AVAILABILITY",
            ),
        )
        .await;
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
        let mut other = request("PUT", &clinic.path(rest), &clinic.ada, Some(json!({})));
        other.headers_mut().insert("content-type", "text/plain".parse().expect("a header"));
        assert_eq!(clinic.house.call(other).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(clinic.house.get(&clinic.path(rest), &clinic.ada).await.header("etag"), "\"0\"");
    }
}
