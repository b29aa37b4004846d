//! `POST /consultations/{id}/room`: what a participant of a consultation joins it with.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use database::AuditRecord;
use model::{access::Extent, clinical::Consultation, text::hex};
use serde::{Deserialize, Serialize};
use service::{
    http::{json::Json, problem::Problem},
    identity::DoctorKeys,
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Side,
    config::RoomProvider,
    ice::{IceServer, ice_servers},
    ticket::Ticket,
    tokens::{self, Participant},
    window,
};
use crate::{
    audit, errors,
    input::{json::JsonOrNothing, path::PathParameters},
    policy::{Permit, UpdateConsultation},
    state::AppState,
};

/// Of a room's name, which nobody guesses.
const ROOM_NAME_BYTES: usize = 16;

/// For whom.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRoom {
    /// `doctor` for the doctor who asks; `visitor` for the patient, or whoever is with the patient: hand it to them. Left
    /// out, it is for whoever asks.
    #[schema(example = "visitor")]
    side: Option<Side>,
}

/// What a participant joins with.
#[derive(Serialize, ToSchema)]
#[schema(as = Room)]
pub struct RoomBody {
    /// Where the participant sits.
    side: Side,
    /// Good until then; who is in stays until the consultation is over.
    expires_at: DateTime<Utc>,
    /// How to join.
    #[serde(flatten)]
    way: Way,
}

/// How to join.
#[derive(Serialize, ToSchema)]
#[serde(tag = "provider", rename_all = "lowercase")]
pub enum Way {
    /// Two browsers find each other by the socket of `GET /rooms/{id}`.
    Webrtc {
        /// Where the socket is, on this server.
        #[schema(example = "/rooms/0198f0a0-0000-7000-8000-000000000001")]
        socket: String,
        /// The first message there is `{"type": "join", "ticket": ...}`.
        ticket: String,
        /// For `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
    },
    /// The room is on a LiveKit server.
    Livekit {
        /// The server.
        server: String,
        /// For `Room.connect`.
        token: String,
    },
    /// The room is on a Jitsi Meet server.
    Jitsi {
        /// The server.
        server: String,
        /// Name of the room.
        room: String,
        /// For its `jwt`.
        token: String,
    },
}

/// Open the room of a consultation
///
/// For its doctor, and for whoever made it, from some minutes before the agreed time until some after; always while it is in
/// progress. Picture and sound go from browser to browser, or over the server that the operator has chosen.
#[utoipa::path(
    post,
    path = "/consultations/{id}/room",
    tag = "consultations",
    security(("bearer" = ["update_consultation"])),
    params(("id" = Uuid, Path, description = "Consultation")),
    request_body = Option<OpenRoom>,
    responses(
        (status = 201, description = "What to join with", body = RoomBody),
        (status = 409, description = "The room is not open: the consultation is only proposed, not yet, or over",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn open_room(
    State(state): State<AppState>,
    permit: Permit<UpdateConsultation>,
    PathParameters(id): PathParameters<Uuid>,
    JsonOrNothing(request): JsonOrNothing<OpenRoom>,
) -> Result<(StatusCode, Json<RoomBody>), Problem> {
    let found = state.database().consultation(&permit.scope, id).await.map_err(errors::database)?;
    let consultation = found.ok_or_else(Problem::not_found)?;
    let side = side(&permit, &consultation, request.side)?;
    let now = state.clock.now();
    let until =
        window::open_until(&consultation, &state.config.room, now).map_err(window::Closed::problem)?;
    let record = AuditRecord::success(&permit.caller.actor(), "open_room").about(id).of_consultation(id);
    audit::written(&state, record.saying(side.as_str())).await?;
    let way = way(&state, &permit, (&consultation, side), (now, until))?;
    Ok((StatusCode::CREATED, Json(RoomBody { side, expires_at: until, way })))
}

/// Only its doctor sits in the doctor's seat.
fn side(
    permit: &Permit<UpdateConsultation>,
    consultation: &Consultation,
    asked: Option<Side>,
) -> Result<Side, Problem> {
    let own = match permit.scope.extent() {
        Extent::Doctor { doctor_id, .. } if doctor_id == consultation.doctor_id => Side::Doctor,
        _ => Side::Visitor,
    };
    match asked {
        Some(Side::Doctor) if own != Side::Doctor => {
            let message = "only the doctor of the consultation sits there";
            Err(Problem::unprocessable().field("side", message))
        }
        asked => Ok(asked.unwrap_or(own)),
    }
}

/// Another one for each doctor whom a consultation is given to: who has it no more still has a token for the room that
/// was, and nobody is put out there.
fn room_of(keys: &DoctorKeys, consultation: &Consultation) -> String {
    let whose = [consultation.id.into_bytes(), consultation.doctor_id.into_bytes()].concat();
    hex(&keys.code_over("MaxRay room name 2", &whose)[..ROOM_NAME_BYTES])
}

fn way(
    state: &AppState,
    permit: &Permit<UpdateConsultation>,
    (consultation, side): (&Consultation, Side),
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Way, Problem> {
    let (config, id) = (&state.config.room, consultation.id);
    let room = room_of(&state.doctor_keys, consultation);
    let of = Participant { room: &room, side, now, until };
    Ok(match config.provider {
        RoomProvider::Webrtc => {
            let made_by = permit.caller.principal.user_id;
            let ticket = Ticket { consultation: id, side, made_by, expires: until.timestamp() };
            Way::Webrtc {
                socket: format!("/rooms/{id}"),
                ticket: ticket.sign(&state.doctor_keys),
                ice_servers: ice_servers(config, until),
            }
        }
        RoomProvider::Livekit => {
            Way::Livekit { server: config.server.clone(), token: tokens::livekit(config, &of)? }
        }
        RoomProvider::Jitsi => {
            let token = tokens::jitsi(config, &of)?;
            Way::Jitsi { server: config.server.clone(), room, token }
        }
    })
}
