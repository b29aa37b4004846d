//! Clients that book: all at once, each for times that the others want, too.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{random::Random, session::json as answer_of};
use uuid::Uuid;

use super::{
    people::{Clinic, DoctorAtWork},
    text,
};

/// Clients, and what each of them books: 200 together.
const CLIENTS: usize = 40;
const BOOKINGS_EACH: usize = 5;
/// Fewer than there are bookings: patients meet themselves.
const PATIENTS: usize = 70;
/// Clocks go forward in Berlin in the night to 28 March 2027.
const PERIOD: (&str, &str) = ("2027-03-26T00:00:00Z", "2027-03-30T00:00:00Z");
/// So many of the first free times are what everybody wants.
const WANTED: usize = 6;
/// Attempts at one booking.
const ATTEMPTS_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Cancelled,
    Moved,
    Completed,
}

/// What was answered with success.
#[derive(Debug, Clone)]
pub(super) struct Booking {
    pub id: String,
    pub doctor_id: String,
    pub patient_id: String,
    pub starts_at: DateTime<Utc>,
    pub fate: Fate,
    /// Its reminder is due while the day goes on.
    pub is_soon: bool,
}

impl Booking {
    pub fn of(body: &Value) -> Self {
        Self {
            id: text(body, "id"),
            doctor_id: text(body, "doctor_id"),
            patient_id: text(body, "patient_id"),
            starts_at: text(body, "scheduled_at").parse().expect("a time"),
            fate: Fate::Kept,
            is_soon: false,
        }
    }

    /// `/consultations/{id}/...`
    pub fn path(&self, rest: &str) -> String {
        format!("/consultations/{}/{rest}", self.id)
    }
}

/// All clients at once.
pub(super) async fn race(clinic: &Clinic) -> Vec<Booking> {
    let clients = (0..CLIENTS).map(|client| async move {
        let mut random = Random::new(client as u64);
        let mut booked = Vec::new();
        let mut lost = 0;
        for number in 0..BOOKINGS_EACH {
            let patient = format!("P-{}", (client * BOOKINGS_EACH + number) % PATIENTS);
            let (booking, attempts) = book(clinic, &patient, &mut random).await;
            booked.push(booking);
            lost += attempts - 1;
        }
        (booked, lost)
    });
    let (booked, lost): (Vec<_>, Vec<usize>) = join_all(clients).await.into_iter().unzip();
    let lost: usize = lost.into_iter().sum();
    eprintln!("{lost} bookings were refused because somebody else was first");
    assert!(lost > 20, "only {lost} races were lost: nobody wanted what others wanted");
    booked.into_iter().flatten().collect()
}

/// Tries until a time is got, and counts the attempts.
async fn book(clinic: &Clinic, patient: &str, random: &mut Random) -> (Booking, usize) {
    for attempt in 1..=ATTEMPTS_MAX {
        let doctor = &clinic.doctors[random.below(clinic.doctors.len())];
        let at = wanted(clinic, doctor, random).await;
        let (body, key) = (json!({ "patient_id": patient, "scheduled_at": at }), Uuid::now_v7().to_string());
        let send = async || {
            let request = clinic.bookings.request(Method::POST, &doctor.path("consultation"));
            request.header("Idempotency-Key", &key).json(&body).send().await.expect("an answer")
        };
        let answer = send().await;
        if answer.status() == StatusCode::CONFLICT {
            continue;
        }
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
        let booking = Booking::of(&answer_of(answer).await);
        if random.below(4) == 0 {
            // A client that heard nothing asks again, and is told of the same booking.
            let again = Booking::of(&answer_of(send().await).await);
            assert_eq!(again.id, booking.id);
        }
        return (booking, attempt);
    }
    panic!("{patient} got no time in {ATTEMPTS_MAX} attempts");
}

/// One of the first free times.
async fn wanted(clinic: &Clinic, doctor: &DoctorAtWork, random: &mut Random) -> String {
    let path = format!("availability?from={}&to={}", PERIOD.0, PERIOD.1);
    let free = clinic.bookings.get_json(&doctor.path(&path)).await;
    let slots = free["slots"].as_array().expect("slots");
    assert!(slots.len() > WANTED, "{} has no time left", doctor.id);
    text(&slots[random.below(WANTED)], "starts_at")
}

/// Every seventh is cancelled, every ninth of the others moved to another time of the same doctor; all at once.
pub(super) async fn cancel_and_move(clinic: &Clinic, bookings: &mut [Booking]) {
    let changes = bookings.iter_mut().enumerate().map(|(number, booking)| async move {
        if number % 7 == 0 {
            clinic.bookings.post_json(&booking.path("cancel"), &json!({ "remark": "cannot come" })).await;
            booking.fate = Fate::Cancelled;
        } else if number % 9 == 0 {
            let moved = reschedule(clinic, booking, number as u64).await;
            *booking = Booking { fate: Fate::Moved, ..moved };
        }
    });
    join_all(changes).await;
}

async fn reschedule(clinic: &Clinic, booking: &Booking, seed: u64) -> Booking {
    let mut random = Random::new(seed);
    let doctor = clinic.doctors.iter().find(|doctor| doctor.id == booking.doctor_id).expect("a doctor");
    for _ in 0..ATTEMPTS_MAX {
        let body = json!({ "scheduled_at": wanted(clinic, doctor, &mut random).await });
        let request = clinic.bookings.request(Method::POST, &booking.path("reschedule")).json(&body);
        let answer = request.send().await.expect("an answer");
        if answer.status() != StatusCode::CONFLICT {
            return Booking::of(&answer_of(answer).await);
        }
    }
    panic!("{} could not be moved in {ATTEMPTS_MAX} attempts", booking.id);
}
