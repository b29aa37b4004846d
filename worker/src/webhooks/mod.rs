//! Sends deliveries to webhooks. Each webhook has its own task, so that one that is slow keeps only itself waiting.

mod client;

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use database::{Attempt, DatabaseError, Delivery, DeliveryOutcome, Webhook};
use futures_util::{StreamExt as _, stream};
use service::{
    notifications::{WebhookSecret, WebhooksConfig},
    shutdown::Shutdown,
};
use tokio::{sync::Notify, task::JoinSet};
use uuid::Uuid;

use self::client::AttemptFailed;
pub use self::client::{WebhookClient, WebhookClientError};
use crate::WorkerState;

/// Webhooks that are sent to at once.
const WEBHOOKS_AT_ONCE: usize = 32;
/// Deliveries that are taken, and whose ends are noted, together.
const BATCH_DELIVERIES: u32 = 50;

/// Sends until the shutdown begins.
pub(crate) async fn run(state: &WorkerState, bell: &Notify, shutdown: &Shutdown) {
    let poll = Duration::from_millis(state.config.poll_interval_ms.max(10));
    let (mut busy, mut tasks) = (HashSet::new(), JoinSet::new());
    let mut failing = false;
    loop {
        match begin_work(state, &mut busy, &mut tasks, shutdown).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "webhooks cannot be sent to; trying again");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = tasks.join_next() => {
                match ended {
                    Ok(webhook) => { busy.remove(&webhook); }
                    // Its deliveries are due again when their lease is over.
                    Err(error) => {
                        tracing::error!(%error, "sending to a webhook broke off");
                        tasks.abort_all();
                        while tasks.join_next().await.is_some() {}
                        busy.clear();
                    }
                }
            }
            () = bell.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn begin_work(
    state: &WorkerState,
    busy: &mut HashSet<Uuid>,
    tasks: &mut JoinSet<Uuid>,
    shutdown: &Shutdown,
) -> Result<(), DatabaseError> {
    for webhook in state.archive.database().webhooks_with_work().await? {
        if tasks.len() < WEBHOOKS_AT_ONCE && busy.insert(webhook.id) {
            let (state, shutdown) = (state.clone(), shutdown.clone());
            tasks.spawn(async move {
                let id = webhook.id;
                if let Err(error) = deliver(&state, webhook, &shutdown).await {
                    tracing::warn!(webhook = %id, %error, "deliveries could not be noted; they will be sent again");
                }
                id
            });
        }
    }
    Ok(())
}

/// Sends one batch. What the shutdown cuts off is sent again at the next start.
async fn deliver(state: &WorkerState, webhook: Webhook, shutdown: &Shutdown) -> Result<(), DatabaseError> {
    let database = state.archive.database();
    let config = &state.notifications.webhooks;
    let batch = database.take_deliveries(Some(webhook.id), BATCH_DELIVERIES, lease(config)).await?;
    let secret = state.doctor_keys.webhook_secret_of(webhook.id);
    let sending = batch.iter().map(|delivery| send(state, &webhook, delivery, &secret)).collect::<Vec<_>>();
    let mut sent = stream::iter(sending).buffer_unordered(config.deliveries_parallel);
    let mut attempts = Vec::with_capacity(batch.len());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            attempt = sent.next() => match attempt {
                Some(attempt) => attempts.push(attempt),
                None => break,
            },
        }
    }
    drop(sent);
    let ended: HashSet<Uuid> = attempts.iter().map(|attempt: &Attempt| attempt.id).collect();
    let cut_off = batch.iter().filter(|delivery| !ended.contains(&delivery.id));
    attempts.extend(cut_off.map(|delivery| {
        let outcome = DeliveryOutcome::Retry(TimeDelta::zero(), "the server was stopped".to_owned());
        Attempt { id: delivery.id, status: None, outcome }
    }));
    database.settle_deliveries(&attempts).await
}

async fn send(
    state: &WorkerState,
    webhook: &Webhook,
    delivery: &Delivery,
    secret: &WebhookSecret,
) -> Attempt {
    let now = state.clock.now().timestamp();
    let result = state.webhooks.send(&webhook.address, delivery, now, secret).await;
    attempt(&state.notifications.webhooks, delivery, result.map(|status| status.as_u16()))
}

/// Longer than a batch can take: whoever took it is gone then.
fn lease(config: &WebhooksConfig) -> TimeDelta {
    let rounds = u64::from(BATCH_DELIVERIES).div_ceil(config.deliveries_parallel as u64) + 1;
    let lease = rounds.saturating_mul(config.request_timeout_ms).saturating_add(30_000).min(86_400_000);
    TimeDelta::milliseconds(i64::try_from(lease).unwrap_or_default())
}

fn attempt(config: &WebhooksConfig, delivery: &Delivery, result: Result<u16, AttemptFailed>) -> Attempt {
    let status = match &result {
        Ok(status) => Some(*status),
        Err(AttemptFailed::Status(status)) => Some(status.as_u16()),
        Err(AttemptFailed::Refused(_) | AttemptFailed::Unreachable(_)) => None,
    };
    let outcome = match result {
        Ok(_) => {
            metrics::counter!("maxray_webhook_deliveries_total", "outcome" => "delivered").increment(1);
            DeliveryOutcome::Delivered
        }
        Err(error) => {
            let attempts = u32::try_from(delivery.attempts).unwrap_or(u32::MAX);
            if attempts < config.attempts_max {
                metrics::counter!("maxray_webhook_deliveries_total", "outcome" => "failed").increment(1);
                DeliveryOutcome::Retry(config.wait_after(attempts), error.to_string())
            } else {
                metrics::counter!("maxray_webhook_deliveries_total", "outcome" => "dead").increment(1);
                tracing::warn!(delivery = %delivery.id, event = delivery.event_type, "a delivery is given up");
                DeliveryOutcome::Dead(error.to_string())
            }
        }
    };
    Attempt { id: delivery.id, status, outcome }
}
