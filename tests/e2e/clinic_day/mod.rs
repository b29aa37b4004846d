//! A day of a clinic through the doors that everybody uses: bookings that race for the same times over a change of clocks,
//! X-rays that come meanwhile, visits with notes, prescriptions and reports, cancellations, reminders. A checker looks at what is left: no
//! two appointments of a doctor or a patient at once, none outside of hours, every reminder and every event once.

mod bookings;
mod checker;
mod people;

use chrono::TimeDelta;
use model::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    receiver::Receiver,
    scu,
    session::Session,
    synthetic::Synthetic,
};

use self::{
    bookings::{Booking, Fate, cancel_and_move, race},
    checker::{Day, check},
    people::{Clinic, open_clinic},
};

/// Studies that come during the day, one for each of as many patients.
const STUDIES: usize = 60;
/// Visits of patients whose studies came.
const VISITS: usize = 12;

#[tokio::test]
async fn a_day_of_a_clinic_on_sqlite() {
    a_day(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_day_of_a_clinic_on_postgres() {
    a_day(Engine::Postgres).await;
}

async fn a_day(engine: Engine) {
    let options = Options::on(engine)
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
        .with("MAXRAY_NOTIFICATIONS__REMINDER_MINUTES_BEFORE", "[1440, 60, 1]")
        .with("MAXRAY_NOTIFICATIONS__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true");
    let platform = Platform::start(options).await;
    let receiver = Receiver::start().await;
    let clinic = open_clinic(&platform, &receiver).await;
    // Their reminder is due in some seconds, while the day goes on.
    let soon = book_soon(&clinic).await;
    let (mut bookings, sent) = tokio::join!(race(&clinic), send_studies(&platform));
    cancel_and_move(&clinic, &mut bookings).await;
    bookings.extend(soon);
    let mut prescriptions = Vec::new();
    for (number, study) in sent.iter().take(VISITS).enumerate() {
        let (visit, prescription) = visit(&clinic, number, study).await;
        bookings.push(visit);
        prescriptions.push(prescription);
    }
    let studies = sent.into_iter().map(|study| study.study_instance_uid).collect();
    check(&clinic, &receiver, Day { bookings, studies, prescriptions }).await;
}

/// One appointment of each doctor in 80 seconds: one is cancelled, one moved to another day, the others stay.
async fn book_soon(clinic: &Clinic) -> Vec<Booking> {
    let at = Clock::system().now() + TimeDelta::seconds(80);
    let mut bookings = Vec::new();
    for (number, doctor) in clinic.doctors.iter().enumerate() {
        let body =
            json!({ "patient_id": format!("SOON-{number}"), "scheduled_at": at, "duration_minutes": 5 });
        let made = clinic.bookings.post_json(&doctor.path("consultation"), &body).await;
        let mut booking = Booking::of(&made);
        booking.is_soon = true;
        match number {
            0 => {
                clinic
                    .bookings
                    .post_json(&booking.path("cancel"), &json!({ "remark": "feels better" }))
                    .await;
                booking.fate = Fate::Cancelled;
            }
            1 => {
                let later = json!({ "scheduled_at": at + TimeDelta::days(40), "duration_minutes": 5 });
                let moved = clinic.bookings.post_json(&booking.path("reschedule"), &later).await;
                booking = Booking { fate: Fate::Moved, ..Booking::of(&moved) };
            }
            _ => {}
        }
        bookings.push(booking);
    }
    bookings
}

/// Four machines send at once.
async fn send_studies(platform: &Platform) -> Vec<Synthetic> {
    let studies: Vec<Synthetic> =
        (0..STUDIES).map(|number| Synthetic::cr(&format!("X-{number}"), 128, 96)).collect();
    let peer = platform.dicom();
    let senders = studies.chunks(STUDIES.div_ceil(4)).map(|part| {
        let files: Vec<Vec<u8>> = part.iter().map(Synthetic::part10).collect();
        tokio::task::spawn_blocking(move || scu::send_files(peer, &files).expect("an association"))
    });
    for sender in senders.collect::<Vec<_>>() {
        let statuses = sender.await.expect("a machine that does not panic");
        assert!(statuses.iter().all(|status| *status == 0), "{statuses:?}");
    }
    studies
}

/// A patient comes now: the doctor reads the X-ray and the history, writes a note, signs a prescription and a report, and ends the visit. Gives the
/// prescription's id.
async fn visit(clinic: &Clinic, number: usize, study: &Synthetic) -> (Booking, String) {
    let doctor = &clinic.doctors[number % clinic.doctors.len()];
    let begun = json!({ "patient_id": study.patient_id, "reason": "cough" });
    let begun = clinic.bookings.post_json(&doctor.path("consultation"), &begun).await;
    let mut booking = Booking::of(&begun);
    let own = &doctor.session;
    own.post_json(&booking.path("studies"), &json!({ "study_instance_uid": study.study_instance_uid })).await;
    let studies = own.get_json(&booking.path("studies")).await;
    assert_eq!(studies["studies"][0]["study_instance_uid"], json!(study.study_instance_uid), "{studies}");
    // No other doctor finds anything of it.
    let other = &clinic.doctors[(number + 1) % clinic.doctors.len()].session;
    for path in [format!("/consultations/{}", booking.id), format!("/patients/{}", study.patient_id)] {
        assert_eq!(other.get(&path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let note = json!({ "note": "Infiltrate on the left", "diagnosis": "Pneumonia" });
    let written =
        own.request(Method::PUT, &booking.path("notes")).header("If-Match", "\"0\"").json(&note).send();
    let written = written.await.expect("an answer");
    assert!(written.status().is_success(), "{:?}", written.text().await);
    let prescription = prescribe(own, doctor.path("prescription"), &booking).await;
    report(own, doctor.path("report"), &booking, study).await;
    own.post_json(&booking.path("complete"), &json!({})).await;
    booking.fate = Fate::Completed;
    (booking, prescription)
}

async fn prescribe(doctor: &Session, path: String, booking: &Booking) -> String {
    let item = json!({
        "medication": { "text": "Amoxicillin" }, "dose": { "value": 500, "unit": "mg" }, "route": "oral",
        "frequency": { "text": "three times a day" }, "duration_days": 7,
        "quantity": { "value": 21, "unit": "{capsule}" }
    });
    let draft = doctor.post_json(&path, &json!({ "consultation_id": booking.id, "items": [item] })).await;
    let id = text(&draft, "id");
    let signed = doctor.post_json(&format!("/prescriptions/{id}/finalize"), &json!({})).await;
    assert_eq!(signed["status"], json!("finalized"), "{signed}");
    id
}

async fn report(doctor: &Session, path: String, booking: &Booking, study: &Synthetic) {
    let draft = json!({
        "consultation_id": booking.id, "study_instance_uids": [study.study_instance_uid],
        "findings": "Infiltrate on the left", "impression": "Pneumonia"
    });
    let id = text(&doctor.post_json(&path, &draft).await, "id");
    let signed = doctor.post_json(&format!("/reports/{id}/finalize"), &json!({})).await;
    assert_eq!(signed["status"], json!("finalized"), "{signed}");
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}
