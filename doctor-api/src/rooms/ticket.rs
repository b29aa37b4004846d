//! What lets somebody into a room who may have no account: who it is for and until when, and a code over both (HMAC-SHA-256).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use service::identity::DoctorKeys;
use uuid::Uuid;

use super::Side;

/// Longest ticket that is looked at.
const TICKET_LENGTH_MAX_BYTES: usize = 1024;
const PURPOSE: &str = "MaxRay room ticket 1";

/// The right to sit on one side of one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The consultation.
    pub consultation: Uuid,
    /// Where to sit.
    pub side: Side,
    /// The account that made it.
    pub made_by: Uuid,
    /// Good until then, in seconds since 1970.
    pub expires: i64,
}

impl Ticket {
    /// As text. JSON of this type cannot fail; if it did the text would be good for nothing.
    pub fn sign(&self, keys: &DoctorKeys) -> String {
        let said = serde_json::to_vec(self).unwrap_or_default();
        let code = keys.code_over(PURPOSE, &said);
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(said), BASE64_URL_SAFE_NO_PAD.encode(code))
    }

    /// The ticket, when it was made here for this room and is still good.
    pub fn check(text: &str, consultation: Uuid, keys: &DoctorKeys, now: DateTime<Utc>) -> Option<Self> {
        let (said, code) = text.split_once('.').filter(|_| text.len() <= TICKET_LENGTH_MAX_BYTES)?;
        let said = BASE64_URL_SAFE_NO_PAD.decode(said).ok()?;
        let code = BASE64_URL_SAFE_NO_PAD.decode(code).ok()?;
        if !keys.is_code_over(PURPOSE, &said, &code) {
            return None;
        }
        let ticket: Self = serde_json::from_slice(&said).ok()?;
        (ticket.consultation == consultation && now.timestamp() < ticket.expires).then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_for_one_room_one_side_and_one_time() {
        let keys = DoctorKeys::ephemeral().expect("keys");
        let (room, now) = (Uuid::from_u128(1), DateTime::UNIX_EPOCH);
        let ticket =
            Ticket { consultation: room, side: Side::Visitor, made_by: Uuid::from_u128(2), expires: 60 };
        let text = ticket.sign(&keys);
        let check = |text: &str, room, seconds| {
            Ticket::check(text, room, &keys, now + chrono::TimeDelta::seconds(seconds))
        };
        assert_eq!(check(&text, room, 59), Some(ticket.clone()));
        assert_eq!(check(&text, room, 60), None, "over");
        assert_eq!(check(&text, Uuid::from_u128(9), 0), None, "another room");
        let others = DoctorKeys::ephemeral().expect("keys");
        assert_eq!(Ticket::check(&text, room, &others, now), None, "made elsewhere");
        // The other side with the same code.
        let doctor = Ticket { side: Side::Doctor, ..ticket };
        let (said, code) = (doctor.sign(&keys), text.split_once('.').expect("two halves").1.to_owned());
        let forged = format!("{}.{code}", said.split_once('.').expect("two halves").0);
        assert_eq!(check(&forged, room, 0), None);
        for nonsense in ["", ".", "a.b", &text[1..], &text[..text.len() - 1], &"x".repeat(5000)] {
            assert_eq!(check(nonsense, room, 0), None, "{nonsense}");
        }
    }
}
