//! E-mails of the true program to doctors.

use chrono::TimeDelta;
use model::clock::Clock;
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    session::Session,
    smtp::SmtpServer,
    wait,
};

use super::{impatient, path_of, people};

fn with_mail(options: Options, server: &SmtpServer) -> Options {
    impatient(options)
        .with("MAXRAY_NOTIFICATIONS__MAIL__SMTP_URL", &server.url())
        .with("MAXRAY_NOTIFICATIONS__MAIL__FROM", "MaxRay <maxray@example.org>")
        .with("MAXRAY_NOTIFICATIONS__MAIL__LINK", "https://clinic.example.org/consultations/")
        .with("MAXRAY_NOTIFICATIONS__MAIL__RETRY_FIRST_MS", "100")
        .with("MAXRAY_NOTIFICATIONS__REMINDER_MINUTES_BEFORE", "[1]")
}

/// A doctor's id.
async fn doctor(admin: &Session, profile: Value) -> String {
    admin.post_json("/doctors", &profile).await["id"].as_str().expect("an id").to_owned()
}

async fn book(bookings: &Session, doctor: &str, patient_id: &str, in_seconds: i64) -> Value {
    let at = Clock::system().now() + TimeDelta::seconds(in_seconds);
    let body = json!({ "patient_id": patient_id, "patient_name": "Doe^Jane", "reason": "cough", "scheduled_at": at });
    bookings.post_json(&format!("/doctors/{doctor}/consultation"), &body).await
}

#[tokio::test]
async fn a_doctor_is_written_to_on_sqlite() {
    a_doctor_is_written_to(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_doctor_is_written_to_on_postgres() {
    a_doctor_is_written_to(Engine::Postgres).await;
}

async fn a_doctor_is_written_to(engine: Engine) {
    let server = SmtpServer::start().await;
    let platform = Platform::start(with_mail(Options::on(engine), &server)).await;
    let (admin, bookings) = people(&platform).await;
    let ada = json!({ "name": "Ada", "time_zone": "Asia/Kolkata", "contact": "ada@example.org" });
    let (ada, ben) =
        (doctor(&admin, ada).await, doctor(&admin, json!({ "name": "Ben", "contact": "+233 20" })).await);
    let consultation = book(&bookings, &ada, "PAT-1", 70).await;
    book(&bookings, &ben, "PAT-2", 70).await;
    let reminded = server.wait_for(2).await;
    assert!(reminded[0].data.contains("Subject: Consultation booked: "), "{}", reminded[0].data);
    assert!(reminded[1].data.contains("Subject: Reminder of a consultation: "), "{}", reminded[1].data);
    let later = json!({ "scheduled_at": "2027-05-03T04:00:00Z" });
    bookings.post_json(&path_of(&consultation, "reschedule"), &later).await;
    let changed = server.wait_for(3).await.remove(2);
    assert!(changed.data.contains("Subject: Consultation changed: 3 May 2027, 09:30"), "{}", changed.data);
    assert!(changed.data.contains("Monday, 3 May 2027, 09:30 (Asia/Kolkata)"), "{}", changed.data);
    bookings.post_json(&path_of(&consultation, "cancel"), &json!({})).await;
    let mails = server.wait_for(4).await;
    assert!(mails[3].data.contains("Subject: Consultation cancelled: "), "{}", mails[3].data);
    let id = consultation["id"].as_str().expect("an id");
    for mail in &mails {
        assert_eq!(mail.to.to_ascii_lowercase(), "rcpt to:<ada@example.org>");
        assert!(
            mail.from.to_ascii_lowercase().starts_with("mail from:<maxray@example.org>"),
            "{}",
            mail.from
        );
        assert!(
            mail.data.replace("=\n", "").contains(&format!("https://clinic.example.org/consultations/{id}"))
        );
        assert!(mail.data.contains("Auto-Submitted: auto-generated"), "{}", mail.data);
        for word in ["PAT-1", "Doe", "Jane", "cough"] {
            assert!(!mail.data.contains(word), "{word}: {}", mail.data);
        }
    }
    let log = platform.log();
    assert!(!log.contains("ada@example.org"), "the log names a doctor's address");
}

#[tokio::test]
async fn who_loses_a_consultation_and_who_gets_it_are_written_to() {
    let server = SmtpServer::start().await;
    let platform = Platform::start(with_mail(Options::default(), &server)).await;
    let (admin, bookings) = people(&platform).await;
    let ada = doctor(&admin, json!({ "name": "Ada", "email": "ada@example.org" })).await;
    let ben = doctor(&admin, json!({ "name": "Ben", "email": "ben@example.org" })).await;
    let consultation = book(&bookings, &ada, "PAT-1", 7_200).await;
    server.wait_for(1).await;
    bookings.post_json(&path_of(&consultation, "reassign"), &json!({ "doctor_id": ben })).await;
    let mut mails = server.wait_for(3).await.split_off(1);
    mails.sort_by_key(|mail| mail.to.to_ascii_lowercase());
    let expected = [
        ("rcpt to:<ada@example.org>", "Subject: Consultation given to another doctor: "),
        ("rcpt to:<ben@example.org>", "Subject: Consultation given to you: "),
    ];
    assert_eq!(mails.len(), expected.len());
    for (mail, (to, subject)) in mails.iter().zip(expected) {
        assert_eq!(mail.to.to_ascii_lowercase(), to);
        assert!(mail.data.contains(subject), "{}", mail.data);
        for word in ["PAT-1", "Doe", "Jane", "cough"] {
            assert!(!mail.data.contains(word), "{word}: {}", mail.data);
        }
    }
}

#[tokio::test]
async fn what_the_mail_server_refuses_is_sent_later_or_given_up() {
    let server = SmtpServer::start().await;
    let mut platform = Platform::start(with_mail(Options::default(), &server)).await;
    let (admin, bookings) = people(&platform).await;
    let ada = doctor(&admin, json!({ "name": "Ada", "email": "ada@example.org" })).await;
    server.refuse(Some("451 not now"));
    book(&bookings, &ada, "PAT-1", 7_200).await;
    wait::until("two attempts", async || (server.refused() >= 2).then_some(())).await;
    platform.stop().await;
    server.refuse(None);
    platform.restart().await;
    let mail = server.wait_for(1).await.remove(0);
    assert!(mail.data.contains("Consultation booked"), "{}", mail.data);

    server.refuse(Some("550 nobody of that name"));
    let refused = server.refused();
    let bookings = bookings.moved_to(&platform);
    book(&bookings, &ada, "PAT-2", 14_400).await;
    wait::until("it is given up", async || {
        (platform.metric(r#"maxray_mails_total{outcome="dead"}"#).await > 0.0).then_some(())
    })
    .await;
    assert_eq!(server.refused(), refused + 1, "a final refusal is final");
    assert_eq!(server.mails().len(), 1);
}
