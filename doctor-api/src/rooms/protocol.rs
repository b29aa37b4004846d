//! What is said on the socket of a room, as JSON texts; see docs/rooms.md.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Side, ice::IceServer};

/// Longest message: offers of browsers with many codecs have some ten thousand bytes.
pub const MESSAGE_LENGTH_MAX_BYTES: usize = 64 << 10;

/// From a browser.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Said {
    /// The first message.
    Join {
        /// Of `POST /consultations/{id}/room`.
        ticket: String,
    },
    /// For the other browser alone: MaxRay does not look into it.
    Signal {
        /// An offer, an answer, a candidate.
        data: Value,
    },
}

/// To a browser.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    /// You are in.
    Joined {
        /// Where you sit.
        side: Side,
        /// Whether the other one is there.
        peer: bool,
        /// For `RTCPeerConnection`.
        ice_servers: Vec<IceServer>,
    },
    /// The other one has come: make an offer.
    PeerJoined,
    /// The other one has left.
    PeerLeft,
    /// From the other browser.
    Signal {
        /// As it was said.
        data: Value,
    },
}

/// Why the socket is closed (RFC 6455 7.4; from 4000 on they are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server stops: come again.
    Stopping,
    /// Something went wrong here: come again.
    Failed,
    /// The consultation, or its time, is over.
    Over,
    /// Somebody with a ticket for the same seat has come.
    Replaced,
    /// No message of this protocol.
    Malformed,
    /// The ticket is none, or good no more.
    NoTicket,
    /// Too many are in rooms: come again later.
    Full,
    /// Too many messages, or too slow to take them in.
    TooMuch,
    /// Nothing was heard for long.
    Silent,
}

impl Ending {
    /// The code and the reason of the closing frame.
    pub fn frame(self) -> (u16, &'static str) {
        match self {
            Self::Stopping => (1001, "the server stops"),
            Self::Failed => (1011, "something went wrong inside"),
            Self::Full => (1013, "too many are in rooms"),
            Self::Over => (4000, "the consultation or its time is over"),
            Self::Replaced => (4001, "joined from elsewhere"),
            Self::Malformed => (4002, "not a message of this protocol"),
            Self::NoTicket => (4003, "the ticket is not valid"),
            Self::TooMuch => (4008, "too many messages"),
            Self::Silent => (4009, "nothing was heard for long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_have_the_documented_form() {
        let said = |text: Value| serde_json::from_value::<Said>(text).ok();
        assert_eq!(said(json!({ "type": "join", "ticket": "t" })), Some(Said::Join { ticket: "t".into() }));
        let offer = json!({ "sdp": "v=0" });
        assert_eq!(said(json!({ "type": "signal", "data": offer })), Some(Said::Signal { data: offer }));
        for wrong in [
            json!({}),
            json!({ "type": "leave" }),
            json!({ "type": "join" }),
            json!([]),
            json!({ "type": "signal", "data": 1, "to": "all" }),
        ] {
            assert_eq!(said(wrong.clone()), None, "{wrong}");
        }
        let joined = Answer::Joined { side: Side::Visitor, peer: true, ice_servers: Vec::new() };
        let expected = json!({ "type": "joined", "side": "visitor", "peer": true, "ice_servers": [] });
        assert_eq!(serde_json::to_value(joined).expect("JSON"), expected);
        assert_eq!(serde_json::to_value(Answer::PeerLeft).expect("JSON"), json!({ "type": "peer_left" }));
    }
}
