//! E-mails to doctors about their consultations, when a mail server is configured. They take the way of webhooks: rows of
//! deliveries, repeated, given up.

mod letter;
mod mailer;

use std::time::Duration;

use chrono::TimeDelta;
use database::{Attempt, DatabaseError, Delivery, DeliveryOutcome};
use model::{
    access::Scope,
    clinical::Doctor,
    event::{Event, EventEnvelope},
};
use service::{notifications::MailConfig, shutdown::Shutdown};
use tokio::sync::Notify;

pub use self::mailer::{Mailer, MailerError};
use self::{letter::letter_about, mailer::MailFailed};
use crate::WorkerState;

/// Names of the events that doctors get e-mails of.
pub(crate) const MAILED: [&str; 5] = [
    "consultation.scheduled",
    "consultation.changed",
    "consultation.ended",
    "consultation.given_away",
    "reminder.due",
];
/// E-mails that are taken, and whose ends are noted, together.
const BATCH_MAILS: u32 = 20;

/// Sends until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, bell: &Notify, shutdown: &Shutdown) {
    let Some(mailer) = &state.mailer else { return };
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let mut failing = false;
    loop {
        let more = match round(state, mailer, shutdown).await {
            Ok(sent) => {
                failing = false;
                sent > 0
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "e-mails cannot be sent; trying again");
                }
                failing = true;
                false
            }
        };
        if shutdown.has_begun() {
            return;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = bell.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Sends one batch, and gives how many it took. What the shutdown cuts off is sent again at the next start.
async fn round(state: &WorkerState, mailer: &Mailer, shutdown: &Shutdown) -> Result<usize, DatabaseError> {
    let database = state.archive.database();
    if !database.has_mail_due().await? {
        return Ok(0);
    }
    let config = &state.notifications.mail;
    let batch = database.take_deliveries(None, BATCH_MAILS, lease(config)).await?;
    let mut attempts = Vec::with_capacity(batch.len());
    for delivery in &batch {
        let outcome = tokio::select! {
            () = shutdown.cancelled() => DeliveryOutcome::Retry(TimeDelta::zero(), "the server was stopped".to_owned()),
            outcome = deliver(state, mailer, delivery) => outcome.unwrap_or_else(|error| {
                // What was sent before in this batch is noted all the same.
                DeliveryOutcome::Retry(config.wait_after(1), error.to_string())
            }),
        };
        attempts.push(Attempt { id: delivery.id, status: None, outcome });
    }
    database.settle_deliveries(&attempts).await?;
    Ok(batch.len())
}

/// Longer than a batch can take.
fn lease(config: &MailConfig) -> TimeDelta {
    let lease = u64::from(BATCH_MAILS + 1).saturating_mul(config.request_timeout_ms).min(86_400_000);
    TimeDelta::milliseconds(i64::try_from(lease).unwrap_or_default())
}

async fn deliver(
    state: &WorkerState,
    mailer: &Mailer,
    delivery: &Delivery,
) -> Result<DeliveryOutcome, DatabaseError> {
    let Ok(envelope) = serde_json::from_str::<EventEnvelope>(&delivery.body) else {
        return Ok(DeliveryOutcome::Dead("the event cannot be read".to_owned()));
    };
    let Some((doctor, letter)) = compose(state, mailer, &envelope.event).await? else {
        return Ok(DeliveryOutcome::Delivered);
    };
    let Some(address) = mailer::address_of(&doctor) else { return Ok(DeliveryOutcome::Delivered) };
    let result = mailer.send(address, &letter, envelope.event_id).await;
    Ok(outcome(&state.notifications.mail, delivery, result))
}

/// What to say to whom about an event; nothing when nothing is to be said any more.
async fn compose(
    state: &WorkerState,
    mailer: &Mailer,
    event: &Event,
) -> Result<Option<(Doctor, letter::Letter)>, DatabaseError> {
    let (Event::ConsultationScheduled { consultation_id, doctor_id, .. }
    | Event::ConsultationChanged { consultation_id, doctor_id, .. }
    | Event::ConsultationEnded { consultation_id, doctor_id, .. }
    | Event::ConsultationGivenAway { consultation_id, doctor_id, .. }
    | Event::ReminderDue { consultation_id, doctor_id, .. }) = event
    else {
        return Ok(None);
    };
    let database = state.archive.database();
    let consultation = database.consultation(&Scope::internal(), *consultation_id).await?;
    // Given to another doctor meanwhile, it is the other's, who hears of it by another event; given back, nothing is gone.
    let given_away = matches!(event, Event::ConsultationGivenAway { .. });
    let Some(consultation) = consultation.filter(|found| (found.doctor_id == *doctor_id) != given_away)
    else {
        return Ok(None);
    };
    let Some(doctor) = database.doctor(*doctor_id).await? else { return Ok(None) };
    let now = state.clock.now();
    let letter = letter_about(event, &consultation, &doctor.time_zone, &mailer.link_to(consultation.id), now);
    Ok(letter.map(|letter| (doctor, letter)))
}

fn outcome(config: &MailConfig, delivery: &Delivery, result: Result<(), MailFailed>) -> DeliveryOutcome {
    let count =
        |outcome: &'static str| metrics::counter!("maxray_mails_total", "outcome" => outcome).increment(1);
    let attempts = u32::try_from(delivery.attempts).unwrap_or(u32::MAX);
    match result {
        Ok(()) => {
            count("sent");
            DeliveryOutcome::Delivered
        }
        Err(error) if error.is_final || attempts >= config.attempts_max => {
            count("dead");
            tracing::warn!(delivery = %delivery.id, event = delivery.event_type, %error, "an e-mail is given up");
            DeliveryOutcome::Dead(error.to_string())
        }
        Err(error) => {
            count("failed");
            DeliveryOutcome::Retry(config.wait_after(attempts), error.to_string())
        }
    }
}
