//! Where doctor and patient meet: a room for each consultation. MaxRay brings two browsers together (WebRTC, RFC 8825) by
//! passing on what they say to each other before they hear and see each other; picture and sound never come here. Or it
//! signs what lets them into a LiveKit or a Jitsi server. See docs/rooms.md.

pub mod config;
mod elsewhere;
mod hall;
mod ice;
pub mod join_room;
pub mod open_room;
mod protocol;
mod ticket;
mod tokens;
mod window;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use hall::Hall;

/// One of the two in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The doctor of the consultation.
    Doctor,
    /// The patient, or whoever is with the patient.
    Visitor,
}

impl Side {
    /// The word of JSON and of the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Visitor => "visitor",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Doctor => Self::Visitor,
            Self::Visitor => Self::Doctor,
        }
    }
}
