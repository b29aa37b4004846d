//! `GET /events`: server-sent events (WHATWG HTML 9.2). Each has the outbox sequence as its id, so that a listener
//! that comes back with Last-Event-ID misses nothing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_stream::stream;
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{
        Sse,
        sse::{Event as SentEvent, KeepAlive},
    },
};
use database::{DatabaseError, ForgottenEvents};
use futures_util::Stream;
use model::event::EventEnvelope;
use serde_json::json;
use service::http::problem::Problem;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{places::Place, visibility::Visibility};
use crate::{
    errors,
    policy::{Permit, ReadEvents},
    state::AppState,
};

/// Events read from the outbox at once.
const REPLAY_PAGE: u32 = 500;
/// How often the token is looked at again, and the outbox for events that did not come through this process.
const RECHECK: Duration = Duration::from_secs(4);
/// Name of what a listener is told who comes back after too long.
const EVENTS_FORGOTTEN: &str = "events.forgotten";
/// The header of the token begins so.
const BEARER_LENGTH: usize = "Bearer ".len();

/// Listen to events
///
/// Each event is named by its type (`instance.stored`, `preview.made`, `study.linked` ...); its data is a JSON object
/// with `sequence`, `event_id`, `at`, `type` and the identifiers of what it is about. Delivery is at least once: drop
/// an `event_id` that you have seen. The stream ends when the token expires: come back with a new one and with
/// Last-Event-ID. When events after that one have been forgotten, the stream begins with an `events.forgotten`, which has
/// no id: read again what you show. A doctor whose consultation is given to another one hears `consultation.given_away`, and nothing
/// of it from then on. One account has 32 streams at once, unless the settings say otherwise.
#[utoipa::path(
    get,
    path = "/events",
    tag = "events",
    security(("bearer" = ["read_events"])),
    params(("Last-Event-ID" = Option<i64>, Header, description = "Id of the last event that you have seen")),
    responses(
        (status = 200, description = "A stream that does not end by itself", body = String,
         content_type = "text/event-stream"),
        (status = 400, description = "Last-Event-ID is no number", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "Too many streams of this account, or requests of this sign-in: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn listen(
    State(state): State<AppState>,
    permit: Permit<ReadEvents>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<SentEvent, Infallible>>>, Problem> {
    let place = state.event_places.place_for(permit.caller.principal.user_id)?;
    // Before the outbox is read: what happens between the two comes twice and is dropped, nothing is missed.
    let live = state.events.subscribe();
    let (last, forgotten) = match last_event_id(&headers)? {
        Some(last) => {
            let forgotten = state.database().forgotten_events().await.map_err(errors::database)?;
            (last, Some(forgotten).filter(|forgotten| last < forgotten.sequence))
        }
        None => (state.database().outbox_last().await.map_err(errors::database)?, None),
    };
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.get(BEARER_LENGTH..)).unwrap_or_default().trim().to_owned();
    let visibility = Visibility::new(state.database().clone(), &permit.caller.principal);
    let keep_alive = KeepAlive::new().interval(Duration::from_millis(state.config.event_keep_alive_ms));
    let listener = Listener { state, token, visibility, forgotten, last, live, _place: place };
    Ok(Sse::new(listener.stream()).keep_alive(keep_alive))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
    let refused = || Problem::bad_request("Last-Event-ID is the id of an event, which is a number");
    id.filter(|id| *id >= 0).map(Some).ok_or_else(refused)
}

struct Listener {
    state: AppState,
    token: String,
    visibility: Visibility,
    /// What the listener cannot be brought any more.
    forgotten: Option<ForgottenEvents>,
    /// Sequence of the last event that was looked at.
    last: i64,
    live: broadcast::Receiver<Arc<EventEnvelope>>,
    _place: Place,
}

impl Listener {
    fn stream(mut self) -> impl Stream<Item = Result<SentEvent, Infallible>> {
        stream! {
            if let Some(event) = self.forgotten.take().and_then(tell_forgotten) {
                yield Ok(event);
            }
            let mut recheck = interval_at(Instant::now() + RECHECK, RECHECK);
            recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !self.state.shutdown.has_begun() && self.state.authenticator.authenticate(&self.token).await.is_ok() {
                let page = match self.missed().await {
                    Ok(page) => page,
                    Err(error) => return end(&error),
                };
                let caught_up = page.len() < REPLAY_PAGE as usize;
                for envelope in page {
                    match self.show(&envelope).await {
                        Ok(Some(event)) => yield Ok(event),
                        Ok(None) => {}
                        Err(error) => return end(&error),
                    }
                }
                if !caught_up {
                    continue;
                }
                loop {
                    let received = tokio::select! {
                        received = self.live.recv() => received,
                        _ = recheck.tick() => break,
                        () = self.state.shutdown.cancelled() => return,
                    };
                    match received {
                        Ok(envelope) => match self.show(&envelope).await {
                            Ok(Some(event)) => yield Ok(event),
                            Ok(None) => {}
                            Err(error) => return end(&error),
                        },
                        Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => return,
                    }
                }
            }
        }
    }

    async fn missed(&self) -> Result<Vec<EventEnvelope>, DatabaseError> {
        self.state.database().outbox_after(self.last, REPLAY_PAGE).await
    }

    /// The event as it is sent, unless it came already or is not for this listener.
    async fn show(&mut self, envelope: &EventEnvelope) -> Result<Option<SentEvent>, DatabaseError> {
        if envelope.sequence <= self.last {
            return Ok(None);
        }
        let visible = self.visibility.allows(&envelope.event).await?;
        self.last = envelope.sequence;
        if !visible {
            return Ok(None);
        }
        let sent = SentEvent::default().id(envelope.sequence.to_string()).event(envelope.event.name());
        Ok(sent.json_data(envelope).ok())
    }
}

/// Without an id: the listener's place stays where it is.
fn tell_forgotten(forgotten: ForgottenEvents) -> Option<SentEvent> {
    let data = json!({ "type": EVENTS_FORGOTTEN, "happened_before": forgotten.happened_before });
    SentEvent::default().event(EVENTS_FORGOTTEN).json_data(data).ok()
}

/// The listener comes back with Last-Event-ID, so nothing is lost.
fn end(error: &DatabaseError) {
    tracing::warn!(%error, "an event stream ends early");
}
