//! What must be true when the day is over, asked of the server and of what was told to the clinic's other program.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use tests::{receiver::Receiver, wait};

use super::{
    bookings::{Booking, Fate},
    people::Clinic,
    text,
};

/// From when until when.
type Span = (DateTime<Utc>, DateTime<Utc>);

/// What was done.
pub(super) struct Day {
    pub bookings: Vec<Booking>,
    pub studies: Vec<String>,
    pub prescriptions: Vec<String>,
}

pub(super) async fn check(clinic: &Clinic, receiver: &Receiver, day: Day) {
    assert!(day.bookings.len() > 200, "{}", day.bookings.len());
    let kept = consultations(clinic).await;
    check_bookings(&day, &kept);
    check_times(clinic, &kept);
    let reminders = day.bookings.iter().filter(|one| one.is_soon && one.fate == Fate::Kept).count();
    receiver.wait_for("reminder.due", reminders).await;
    let told = told(clinic, receiver).await;
    check_events(&day, &told);
}

/// Every consultation of every doctor, by its id.
async fn consultations(clinic: &Clinic) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for doctor in &clinic.doctors {
        let page = clinic.bookings.get_json(&doctor.path("consultations?limit=1000")).await;
        for one in page["items"].as_array().expect("a list") {
            all.insert(text(one, "id"), one.clone());
        }
    }
    all
}

/// What was answered is what is there, and nothing else.
fn check_bookings(day: &Day, kept: &BTreeMap<String, Value>) {
    assert_eq!(kept.len(), day.bookings.len(), "consultations that nobody booked, or that are lost");
    for booking in &day.bookings {
        let one = kept.get(&booking.id).unwrap_or_else(|| panic!("{booking:?} is lost"));
        let status = match booking.fate {
            Fate::Kept | Fate::Moved => "booked",
            Fate::Cancelled => "cancelled",
            Fate::Completed => "completed",
        };
        assert_eq!(text(one, "status"), status, "{one}");
        assert_eq!(
            (text(one, "doctor_id"), text(one, "patient_id")),
            (booking.doctor_id.clone(), booking.patient_id.clone())
        );
        assert_eq!(text(one, "scheduled_at").parse::<DateTime<Utc>>().expect("a time"), booking.starts_at);
    }
}

/// No doctor and no patient is in two appointments at once, and those of the slots keep to hours as the doctor's clock shows them.
fn check_times(clinic: &Clinic, kept: &BTreeMap<String, Value>) {
    let mut taken: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for one in kept.values().filter(|one| text(one, "status") == "booked") {
        let span = (time(one, "scheduled_at"), time(one, "ends_at"));
        for person in [text(one, "doctor_id"), text(one, "patient_id")] {
            taken.entry(person).or_default().push(span);
        }
        if text(one, "patient_id").starts_with("P-") {
            assert_eq!(span.1 - span.0, TimeDelta::minutes(30), "{one}");
            let doctor =
                clinic.doctors.iter().find(|doctor| doctor.id == text(one, "doctor_id")).expect("a doctor");
            let zone = TimeZone::get(doctor.time_zone).expect("a zone");
            let local = zone.to_datetime(Timestamp::from_second(span.0.timestamp()).expect("a time"));
            assert!(
                (8..12).contains(&local.hour()) || (13..18).contains(&local.hour()),
                "{local} is out of hours"
            );
            assert!([0, 30].contains(&local.minute()), "{local} begins no slot");
        }
    }
    for (person, mut spans) in taken {
        spans.sort();
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{person} is in two appointments at once: {pair:?}");
        }
    }
}

fn time(body: &Value, field: &str) -> DateTime<Utc> {
    text(body, field).parse().expect("a time")
}

/// What the webhook was told, once each event that the server says happened.
async fn told(clinic: &Clinic, receiver: &Receiver) -> Vec<Value> {
    let happened = happened(clinic).await;
    assert!(happened.len() > 300, "{} events", happened.len());
    wait::until("every event at the webhook", async || {
        let come: BTreeSet<String> =
            receiver.received().iter().map(|one| text(&one.json(), "event_id")).collect();
        happened.is_subset(&come).then_some(())
    })
    .await;
    let told: Vec<Value> = receiver.received().iter().map(tests::receiver::Received::json).collect();
    let ids: BTreeSet<String> = told.iter().map(|one| text(one, "event_id")).collect();
    assert_eq!(ids.len(), told.len(), "an event was told twice to a receiver that always answered");
    assert_eq!(ids, happened);
    told
}

/// The ids of the events of the webhook's types, out of the stream from its very beginning until the last that has happened.
async fn happened(clinic: &Clinic) -> BTreeSet<String> {
    const TYPES: [&str; 5] =
        ["instance.stored", "study.linked", "reminder.due", "prescription.finalized", "report.finalized"];
    let request = clinic.bookings.request(reqwest::Method::GET, "/events").header("Last-Event-ID", "0");
    let mut stream = request.send().await.expect("an answer").bytes_stream();
    let (mut read, mut ids) = (String::new(), BTreeSet::new());
    // What is there comes at once; then there is silence.
    while let Ok(Some(part)) = tokio::time::timeout(std::time::Duration::from_secs(3), stream.next()).await {
        read.push_str(&String::from_utf8_lossy(&part.expect("a stream that does not break")));
        while let Some((message, rest)) =
            read.split_once("\n\n").map(|(one, rest)| (one.to_owned(), rest.to_owned()))
        {
            read = rest;
            let Some(data) = message.lines().find_map(|line| line.strip_prefix("data:")) else { continue };
            let event: Value = serde_json::from_str(data.trim()).expect("JSON");
            let name = text(&event, "type");
            if TYPES.contains(&name.as_str()) || name.starts_with("consultation.") {
                assert!(ids.insert(text(&event, "event_id")), "{event} came twice");
            }
        }
    }
    ids
}

/// Each thing that was done is told once, and nothing that was not.
fn check_events(day: &Day, told: &[Value]) {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in told {
        let about =
            ["consultation_id", "study_instance_uid"].into_iter().find_map(|field| event[field].as_str());
        let about = about.unwrap_or_else(|| panic!("{event} is about nothing")).to_owned();
        *counts.entry((text(event, "type"), about)).or_default() += 1;
    }
    let mut expected: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut expect =
        |name: &str, about: &str| *expected.entry((name.to_owned(), about.to_owned())).or_default() += 1;
    for booking in &day.bookings {
        expect("consultation.scheduled", &booking.id);
        match booking.fate {
            Fate::Kept if booking.is_soon => expect("reminder.due", &booking.id),
            Fate::Kept => {}
            Fate::Moved => expect("consultation.changed", &booking.id),
            Fate::Cancelled => expect("consultation.ended", &booking.id),
            Fate::Completed => {
                expect("consultation.ended", &booking.id);
                expect("study.linked", &booking.id);
                expect("prescription.finalized", &booking.id);
                expect("report.finalized", &booking.id);
            }
        }
    }
    for study in &day.studies {
        expect("instance.stored", study);
    }
    let differs: Vec<_> = expected.iter().filter(|(what, count)| counts.get(what) != Some(count)).collect();
    assert!(differs.is_empty(), "not told as often as it happened: {differs:?}");
    let more: Vec<_> = counts.keys().filter(|what| !expected.contains_key(what)).collect();
    assert!(more.is_empty(), "told, and nobody did it: {more:?}");
    let signed: BTreeSet<&str> = told.iter().filter_map(|event| event["prescription_id"].as_str()).collect();
    assert_eq!(signed, day.prescriptions.iter().map(String::as_str).collect());
}
