//! What is told to the outside: reminders, webhooks, e-mails, and the document that describes both.

pub(crate) mod asyncapi;
mod mail;
mod reminders;
mod webhooks;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tests::{
    platform::{Options, Platform},
    receiver::Receiver,
    session::Session,
};

/// Looks and waits that do not make tests wait.
fn impatient(options: Options) -> Options {
    options
        .with("MAXRAY_WORKER__POLL_INTERVAL_MS", "100")
        .with("MAXRAY_NOTIFICATIONS__WEBHOOKS__RETRY_FIRST_MS", "100")
        .with("MAXRAY_NOTIFICATIONS__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true")
        .with("MAXRAY_NOTIFICATIONS__WEBHOOKS__ATTEMPTS_MAX", "3")
}

/// Makes a webhook; its path and its secret.
async fn subscribe(admin: &Session, receiver: &Receiver, event_types: &[&str]) -> (String, String) {
    let body = json!({ "address": receiver.address(), "event_types": event_types });
    let made = admin.post_json("/webhooks", &body).await;
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("no {name} in {made}")).to_owned();
    (format!("/webhooks/{}", text("id")), text("secret"))
}

/// A new doctor's id.
async fn doctor(admin: &Session, name: &str) -> String {
    let made = admin.post_json("/doctors", &json!({ "name": name, "time_zone": "Africa/Accra" })).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// Books a patient with a doctor of that name, who is made for it; the consultation.
async fn book(admin: &Session, platform: &Session, name: &str, at: Option<DateTime<Utc>>) -> Value {
    let path = format!("/doctors/{}/consultation", doctor(admin, name).await);
    let mut body = json!({ "patient_id": format!("patient of {name}") });
    if let Some(at) = at {
        body["scheduled_at"] = json!(at);
    }
    platform.post_json(&path, &body).await
}

/// `/consultations/{id}/...`
fn path_of(consultation: &Value, command: &str) -> String {
    format!("/consultations/{}/{command}", consultation["id"].as_str().expect("an id"))
}

async fn people(platform: &Platform) -> (Session, Session) {
    (platform.user("operator", "admin").await, platform.user("bookings", "service").await)
}
