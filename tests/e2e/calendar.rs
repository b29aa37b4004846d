//! A doctor's calendar, read by another program; calendars of other programs, read as time off.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use model::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Options, Platform},
    python,
    session::{PASSWORD, Session},
};

/// What another program reads in it, all in UTC: clocks go forward on 28 March.
const READ: &str = "\
Dr. Ádá; Lovelace, 愛達
CONFIRMED 2027-03-22T08:00:00+00:00 2027-03-22T08:30:00+00:00
CONFIRMED 2027-03-29T07:00:00+00:00 2027-03-29T07:30:00+00:00
CANCELLED 2027-03-29T08:00:00+00:00 2027-03-29T08:30:00+00:00
Hours 2027-03-15T08:00:00+00:00 3:30:00
Hours 2027-03-22T08:00:00+00:00 3:30:00
Hours 2027-03-29T07:00:00+00:00 3:30:00
Hours 2027-04-05T07:00:00+00:00 3:30:00
Hours 2027-04-12T07:00:00+00:00 3:30:00
Hours 2027-03-26T21:00:00+00:00 2:00:00
Hours 2027-04-02T20:00:00+00:00 2:00:00
Hours 2027-04-09T20:00:00+00:00 2:00:00
Time off 2027-04-01T00:00:00+00:00 2027-04-02T00:00:00+00:00
";

/// Ada's id and session: she has hours, a day off and three bookings, one of them cancelled.
async fn doctor_with_a_schedule(platform: &Platform, admin: &Session) -> (String, Session) {
    let account = json!({ "username": "ada", "password": PASSWORD });
    let profile =
        json!({ "name": "Dr. Ádá; Lovelace, 愛達", "time_zone": "Europe/Berlin", "account": account });
    let id = admin.post_json("/doctors", &profile).await["id"].as_str().expect("an id").to_owned();
    let ada = platform.sign_in("ada", PASSWORD).await;
    let put = async |what: &str, body: serde_json::Value| {
        let path = format!("/doctors/{id}/availability/{what}");
        let request = ada.request(Method::PUT, &path).header("If-Match", "\"0\"").json(&body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.text().await);
    };
    let weekly = json!([
        { "weekday": "monday", "from": "09:00", "to": "12:30" },
        { "weekday": "friday", "from": "22:00", "to": "24:00", "valid_from": "2027-03-20", "valid_until": "2027-04-10" }
    ]);
    put("rules", json!({ "weekly": weekly })).await;
    let off = json!({ "kind": "time_off", "from": "2027-04-01T00:00:00Z", "to": "2027-04-02T00:00:00Z", "note": "surgery" });
    put("exceptions", json!({ "exceptions": [off] })).await;
    let bookings = platform.user("bookings", "service").await;
    let path = format!("/doctors/{id}/consultation");
    for (patient, at) in [
        ("PAT-1", "2027-03-22T08:00:00Z"),
        ("PAT-2", "2027-03-29T07:00:00Z"),
        ("PAT-3", "2027-03-29T08:00:00Z"),
    ] {
        let body = json!({ "patient_id": patient, "patient_name": "Doe^Jane", "reason": "cough", "scheduled_at": at });
        let made = bookings.post_json(&path, &body).await;
        if patient == "PAT-3" {
            let cancel = format!("/consultations/{}/cancel", made["id"].as_str().expect("an id"));
            bookings.post_json(&cancel, &json!({})).await;
        }
    }
    (id, ada)
}

#[tokio::test]
async fn a_calendar_is_read_by_others_and_names_no_patient() {
    let platform = Platform::start(Options::default()).await;
    let admin = platform.user("operator", "admin").await;
    let (id, ada) = doctor_with_a_schedule(&platform, &admin).await;
    let path = format!("/doctors/{id}/calendar.ics?from=2027-03-15T00:00:00Z&to=2027-04-15T00:00:00Z");
    let answer = ada.get(&path).await;
    assert_eq!(answer.headers()["content-type"], "text/calendar; charset=utf-8");
    let text = answer.text().await.expect("text");
    for word in ["PAT-", "Doe", "Jane", "cough", "surgery"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let file = platform.scratch().join("calendar.ics");
    std::fs::write(&file, &text).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/calendar_check.py");
    let read = python::run(&script, &[file.to_str().expect("a path"), "2027-04-15T00:00:00+00:00"]);
    assert_eq!(read, READ);
    let rules: Vec<&str> = text.lines().filter(|line| line.starts_with("RRULE:")).collect();
    let with_an_end = "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20270410T215959Z";
    assert_eq!(rules, ["RRULE:FREQ=WEEKLY;BYDAY=MO", with_an_end]);

    let bookings = platform.user("other-bookings", "service").await;
    let of_service = bookings.get(&path).await.text().await.expect("text");
    assert!(of_service.contains("SUMMARY:Hours") && !of_service.contains("Time off"), "{of_service}");
    for refused in ["from=x", "from=2027-03-15T00:00:00Z&to=2027-03-14T00:00:00Z", "to=2100-01-01T00:00:00Z"]
    {
        let status = ada.get(&format!("/doctors/{id}/calendar.ics?{refused}")).await.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    }
    let other = json!({ "username": "ben", "password": PASSWORD });
    admin.post_json("/doctors", &json!({ "name": "Ben", "account": other })).await;
    let ben = platform.sign_in("ben", PASSWORD).await;
    assert_eq!(ben.get(&path).await.status(), StatusCode::NOT_FOUND, "another doctor's");
}

/// What the doctor's calendar in another program takes of the next year, by another program's reckoning.
fn reckoned(file: &Path, from: DateTime<Utc>, zone: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/python/calendar_times.py");
    let until = from + TimeDelta::days(366);
    let file = file.to_str().expect("a path");
    let read = python::run(&script, &[file, &from.to_rfc3339(), &until.to_rfc3339(), zone]);
    read.lines().map(str::to_owned).collect()
}

/// Replaces the exceptions, whatever their version is.
async fn import(session: &Session, id: &str, calendar: Vec<u8>) -> Value {
    let path = format!("/doctors/{id}/availability/exceptions");
    let tag = session.get(&path).await.headers()["etag"].clone();
    let request = session.request(Method::PUT, &path).header("If-Match", tag);
    let answer =
        request.header("Content-Type", "text/calendar").body(calendar).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.text().await);
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn calendars_of_other_programs_become_time_off() {
    const ZONE: &str = "Africa/Lagos";
    let platform = Platform::start(Options::default()).await;
    let admin = platform.user("operator", "admin").await;
    let account = json!({ "username": "ada", "password": PASSWORD });
    let doctor = json!({ "name": "Ada", "time_zone": ZONE, "account": account });
    let id = admin.post_json("/doctors", &doctor).await["id"].as_str().expect("an id").to_owned();
    let ada = platform.sign_in("ada", PASSWORD).await;
    for name in ["apple", "google", "outlook"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("e2e/calendars/{name}.ics"));
        let before = Clock::system().now();
        let kept = import(&ada, &id, std::fs::read(&file).expect("a calendar")).await;
        let show = |one: &Value| {
            let text = |field: &str| one[field].as_str().expect("text").to_owned();
            format!("{} {} {}", text("from"), text("to"), text("note"))
        };
        let kept: Vec<String> = kept["exceptions"].as_array().expect("a list").iter().map(show).collect();
        assert!(kept.len() > 30, "{name}: {kept:?}");
        assert_eq!(kept, reckoned(&file, before, ZONE), "{name}");
    }
}

#[tokio::test]
async fn our_own_calendar_comes_back_as_it_went() {
    let platform = Platform::start(Options::default()).await;
    let admin = platform.user("operator", "admin").await;
    let (id, ada) = doctor_with_a_schedule(&platform, &admin).await;
    let path = format!("/doctors/{id}/calendar.ics?from=2027-03-15T00:00:00Z&to=2027-04-15T00:00:00Z");
    let text = ada.get(&path).await.text().await.expect("text");
    let kept = import(&ada, &id, text.clone().into_bytes()).await;
    let off = json!({ "kind": "time_off", "from": "2027-04-01T00:00:00Z", "to": "2027-04-02T00:00:00Z", "note": "" });
    assert_eq!(kept["exceptions"], json!([off]), "bookings and hours are not time off");
    let rules = format!("/doctors/{id}/availability/rules");
    let request = ada.request(Method::PUT, &rules).header("If-Match", "\"1\"");
    let answer = request.header("Content-Type", "text/calendar").body(text).send().await.expect("an answer");
    let kept: Value = answer.json().await.expect("JSON");
    let weekly = json!([
        { "weekday": "monday", "from": "09:00", "to": "12:30", "valid_from": null, "valid_until": null },
        { "weekday": "friday", "from": "22:00", "to": "24:00", "valid_from": "2027-03-20", "valid_until": "2027-04-10" }
    ]);
    assert_eq!(kept["weekly"], weekly);
}
