//! Who works there: five doctors in four time zones, one of whose clocks go forward while appointments are made, and a service that
//! books.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{
    platform::Platform,
    receiver::Receiver,
    session::{PASSWORD, Session},
};

use super::text;

/// Name and time zone of each doctor.
const DOCTORS: [(&str, &str); 5] = [
    ("ada", "Europe/Berlin"),
    ("ben", "America/New_York"),
    ("chi", "Africa/Lagos"),
    ("dev", "Asia/Kolkata"),
    ("eva", "Europe/Berlin"),
];
/// What the clinic's other program wants to be told.
const EVENT_TYPES: [&str; 8] = [
    "instance.stored",
    "study.linked",
    "consultation.scheduled",
    "consultation.changed",
    "consultation.ended",
    "reminder.due",
    "prescription.finalized",
    "report.finalized",
];

/// Those who take part.
pub(super) struct Clinic {
    /// A program that books and hears of everything.
    pub bookings: Session,
    pub doctors: Vec<DoctorAtWork>,
}

pub(super) struct DoctorAtWork {
    pub id: String,
    pub time_zone: &'static str,
    pub session: Session,
}

impl DoctorAtWork {
    /// `/doctors/{id}/...`
    pub fn path(&self, rest: &str) -> String {
        format!("/doctors/{}/{rest}", self.id)
    }
}

pub(super) async fn open_clinic(platform: &Platform, receiver: &Receiver) -> Clinic {
    let (admin, bookings) =
        (platform.user("operator", "admin").await, platform.user("bookings", "service").await);
    let mut doctors = Vec::new();
    for (name, time_zone) in DOCTORS {
        let account = json!({ "username": name, "password": PASSWORD });
        let profile = json!({ "name": name, "time_zone": time_zone, "account": account });
        let id = text(&admin.post_json("/doctors", &profile).await, "id");
        let session = platform.sign_in(name, PASSWORD).await;
        let doctor = DoctorAtWork { id, time_zone, session };
        set_hours(&doctor).await;
        doctors.push(doctor);
    }
    admin.post_json("/webhooks", &json!({ "address": receiver.address(), "event_types": EVENT_TYPES })).await;
    Clinic { bookings, doctors }
}

/// Eight to six on every day, with an hour for lunch.
async fn set_hours(doctor: &DoctorAtWork) {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let hours = days.into_iter().flat_map(|day| {
        [("08:00", "12:00"), ("13:00", "18:00")]
            .map(|(from, to)| json!({ "weekday": day, "from": from, "to": to }))
    });
    let rules = json!({ "slot_minutes": 30, "weekly": hours.collect::<Vec<_>>() });
    let path = doctor.path("availability/rules");
    let request = doctor.session.request(Method::PUT, &path).header("If-Match", "\"0\"").json(&rules);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
}
