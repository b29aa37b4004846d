//! `GET /rooms/{id}`: the socket (RFC 6455) over which the two browsers of a room find each other.

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
};
use database::{AuditActor, AuditRecord};
use model::access::Scope;
use service::http::problem::Problem;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use super::{
    Side,
    elsewhere::{Elsewhere, Hint},
    hall::{Presence, Told},
    ice::ice_servers,
    protocol::{Answer, Ending, MESSAGE_LENGTH_MAX_BYTES, Said},
    ticket::Ticket,
    window,
};
use crate::{audit, input::path::PathParameters, sessions::create_session::SourceAddress, state::AppState};

/// How long the first message may take.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long each that we send may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the browser may take to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the consultation and the account are looked at again, and the browser is asked whether it is there.
const RECHECK: Duration = Duration::from_secs(4);
/// A browser answers every ping, so that one that is there is never so silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Most messages in [`MESSAGES_WITHIN`]: a browser sends some dozens when it begins.
const MESSAGES_MAX: usize = 300;
const MESSAGES_WITHIN: Duration = Duration::from_secs(10);

/// Join a room
///
/// A web socket. The first message is `{"type": "join", "ticket": "..."}` with a ticket of `POST /consultations/{id}/room`;
/// docs/rooms.md has the others.
#[utoipa::path(
    get,
    path = "/rooms/{id}",
    tag = "consultations",
    params(("id" = Uuid, Path, description = "Consultation")),
    responses(
        (status = 101, description = "A web socket"),
        (status = 426, description = "Only a web socket is answered here", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn join_room(
    State(state): State<AppState>,
    source: SourceAddress,
    PathParameters(id): PathParameters<Uuid>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::new(StatusCode::UPGRADE_REQUIRED)
            .detail("open a web socket here, as new WebSocket(...) does")
    })?;
    let doorstep = state.hall.doorstep(source.0);
    let doorstep = doorstep.ok_or_else(|| Problem::unavailable("too many are coming in").retry_after(5))?;
    let upgrade = upgrade.max_message_size(MESSAGE_LENGTH_MAX_BYTES).max_frame_size(MESSAGE_LENGTH_MAX_BYTES);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let actor = source.actor();
        let ending = match show_ticket(&state, &mut socket, id).await {
            Ok(ticket) => match state.hall.place() {
                Some(_place) => {
                    drop(doorstep);
                    attend(&state, &mut socket, ticket, actor).await
                }
                None => Ending::Full,
            },
            Err(ending) => ending,
        };
        close(&mut socket, ending).await;
    }))
}

/// The first message.
async fn show_ticket(state: &AppState, socket: &mut WebSocket, room: Uuid) -> Result<Ticket, Ending> {
    let first = timeout(FIRST_MESSAGE_TIMEOUT, next(socket)).await.map_err(|_| Ending::Silent)??;
    let Heard::Said(Said::Join { ticket }) = first else { return Err(Ending::Malformed) };
    Ticket::check(&ticket, room, &state.doctor_keys, state.clock.now()).ok_or(Ending::NoTicket)
}

/// From the ticket to the last message.
async fn attend(state: &AppState, socket: &mut WebSocket, ticket: Ticket, actor: AuditActor) -> Ending {
    let room = ticket.consultation;
    let until = match still_open(state, &ticket).await {
        Ok(until) => until,
        Err(ending) => return ending,
    };
    let actor = AuditActor { user_id: Some(ticket.made_by), role: ticket.side.as_str().to_owned(), ..actor };
    let record = AuditRecord::success(&actor, "join_room").about(room).of_consultation(room);
    if audit::written(state, record).await.is_err() {
        return Ending::Failed;
    }
    let (presence, inbox, peer) = Presence::take(&state.hall, room, ticket.side);
    let (elsewhere, peer_elsewhere) =
        Elsewhere::take(state.redis.as_ref(), room, ticket.side, &presence).await;
    let ice_servers = ice_servers(&state.config.room, until);
    let joined = Answer::Joined { side: ticket.side, peer: peer || peer_elsewhere, ice_servers };
    let (heard, last) = (VecDeque::new(), Instant::now());
    let mut attendance = Attendance { state, ticket, presence, elsewhere, inbox, heard, last };
    let ending = match send(socket, &joined).await {
        Ok(()) => attendance.run(socket).await,
        Err(ending) => ending,
    };
    // Who was replaced has left it to somebody.
    if ending != Ending::Replaced {
        attendance.elsewhere.leave().await;
    }
    ending
}

/// Until when the room of a ticket is open, when it is.
async fn still_open(state: &AppState, ticket: &Ticket) -> Result<chrono::DateTime<chrono::Utc>, Ending> {
    let database = state.database();
    let found = database.consultation(&Scope::internal(), ticket.consultation).await;
    let consultation = found.map_err(|_| Ending::Failed)?.ok_or(Ending::Over)?;
    let account = database.user(ticket.made_by).await.map_err(|_| Ending::Failed)?;
    let account = account.filter(|account| account.active).ok_or(Ending::NoTicket)?;
    // Given to another doctor, it is the other's room, and the patient gets a new ticket of the other.
    let of_another = account.doctor_id.is_some_and(|doctor| doctor != consultation.doctor_id);
    if of_another || (ticket.side == Side::Doctor && account.doctor_id.is_none()) {
        return Err(Ending::NoTicket);
    }
    window::open_until(&consultation, &state.config.room, state.clock.now()).map_err(|_| Ending::Over)
}

/// Somebody in a room.
struct Attendance<'a> {
    state: &'a AppState,
    ticket: Ticket,
    presence: Presence,
    elsewhere: Elsewhere,
    inbox: mpsc::Receiver<Told>,
    /// When the last messages came.
    heard: VecDeque<Instant>,
    /// When anything came, answers to pings too.
    last: Instant,
}

impl Attendance<'_> {
    async fn run(&mut self, socket: &mut WebSocket) -> Ending {
        let mut recheck = interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                // What happened here first was before what is heard from elsewhere of the same seat.
                biased;
                () = self.state.shutdown.cancelled() => Err(Ending::Stopping),
                told = self.inbox.recv() => self.tell(socket, told).await,
                hint = self.elsewhere.hear(&self.presence) => match hint {
                    Hint::Tell(told) => tell(socket, Some(told)).await,
                    Hint::Look => self.look(socket).await,
                },
                _ = recheck.tick() => self.recheck(socket).await,
                heard = next(socket) => heard.and_then(|heard| self.hear(heard)),
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Ending> {
        self.last = Instant::now();
        let Heard::Said(said) = heard else { return Ok(()) };
        let Said::Signal { data } = said else { return Err(Ending::Malformed) };
        self.heard.retain(|at| at.elapsed() < MESSAGES_WITHIN);
        if self.heard.len() >= MESSAGES_MAX {
            return Err(Ending::TooMuch);
        }
        self.heard.push_back(self.last);
        if self.presence.other().is_some() {
            self.presence.say(data);
        } else {
            self.elsewhere.say(data);
        }
        Ok(())
    }

    async fn tell(&mut self, socket: &mut WebSocket, told: Option<Told>) -> Result<(), Ending> {
        if let Some(told) = &told {
            self.elsewhere.is_told(told);
        }
        tell(socket, told).await
    }

    async fn recheck(&mut self, socket: &mut WebSocket) -> Result<(), Ending> {
        if self.last.elapsed() > SILENCE_MAX {
            return Err(Ending::Silent);
        }
        still_open(self.state, &self.ticket).await?;
        self.look(socket).await?;
        send_message(socket, Message::Ping(bytes::Bytes::new())).await
    }

    async fn look(&mut self, socket: &mut WebSocket) -> Result<(), Ending> {
        match self.elsewhere.look(&self.presence).await {
            Some(told) => tell(socket, Some(told)).await,
            None => Ok(()),
        }
    }
}

async fn tell(socket: &mut WebSocket, told: Option<Told>) -> Result<(), Ending> {
    match told {
        Some(Told::PeerJoined) => send(socket, &Answer::PeerJoined).await,
        Some(Told::PeerLeft) => send(socket, &Answer::PeerLeft).await,
        Some(Told::Signal(data)) => send(socket, &Answer::Signal { data }).await,
        Some(Told::Replaced) => Err(Ending::Replaced),
        None => Err(Ending::TooMuch),
    }
}

enum Heard {
    Said(Said),
    /// A ping or its answer.
    Nothing,
}

async fn next(socket: &mut WebSocket) -> Result<Heard, Ending> {
    match socket.recv().await {
        Some(Ok(Message::Text(text))) => {
            serde_json::from_str(&text).map(Heard::Said).map_err(|_| Ending::Malformed)
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Nothing),
        Some(Ok(Message::Binary(_)) | Err(_)) => Err(Ending::Malformed),
        Some(Ok(Message::Close(_))) | None => Err(Ending::Silent),
    }
}

async fn send(socket: &mut WebSocket, answer: &Answer) -> Result<(), Ending> {
    let text = serde_json::to_string(answer).map_err(|_| Ending::Failed)?;
    send_message(socket, Message::Text(text.into())).await
}

async fn send_message(socket: &mut WebSocket, message: Message) -> Result<(), Ending> {
    match timeout(MESSAGE_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ending::Silent),
        Err(_) => Err(Ending::TooMuch),
    }
}

/// Tells why; whoever is gone does not hear it. What is still on its way is taken in and let fall: bytes that nobody reads would
/// reset the connection, and the reason with it.
async fn close(socket: &mut WebSocket, ending: Ending) {
    let (code, reason) = ending.frame();
    let frame = CloseFrame { code, reason: reason.into() };
    if send_message(socket, Message::Close(Some(frame))).await.is_ok() {
        let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
    }
}
