//! Seats that are taken at other nodes, when nodes share a Redis: a key of each seat says who sits there, and ends by itself when
//! nobody says so again. What is said in between is a hint: who is there is looked up now and then, so that a Redis that was away,
//! or was emptied, costs seconds.

use std::{future::pending, sync::LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::redis::{Ear, Redis, Script};
use uuid::Uuid;

use super::{
    Side,
    hall::{Presence, Told},
};

/// What is said about rooms.
const ABOUT: &str = "rooms";
/// After so long a seat is empty whose node says nothing any more; it says so every four seconds.
const SEAT_LIFETIME_MS: &str = "15000";
/// Looks that find the other seat empty before it is believed: an emptied Redis is filled again within one, by each in his turn.
const MISSED_MAX: u8 = 2;

/// Takes the seat of the first key, or keeps it when it is empty or ours. Gives who had it, and who has the other one.
static SIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local had = redis.call('GET', KEYS[1]) or ''
         if ARGV[3] == 'take' or had == '' or had == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
         return {had, redis.call('GET', KEYS[2]) or ''}",
    )
});
/// Leaves the seat, when it is ours, and says whether it was.
static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
    )
});

/// What nodes tell each other about a seat.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    room: Uuid,
    side: Side,
    seat: Uuid,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Taken,
    Left,
    Signal(Value),
}

/// How a seat of this node stands to the rest; without Redis there is no rest.
pub struct Elsewhere(Option<Sitting>);

struct Sitting {
    redis: Redis,
    ear: Ear,
    room: Uuid,
    side: Side,
    /// This one, among all that this side ever had.
    seat: Uuid,
    /// Who has the other seat, as far as is known.
    peer: Option<Uuid>,
    missed: u8,
}

impl Elsewhere {
    /// Takes the seat from whoever has it elsewhere. With whether the other one is there.
    pub async fn take(redis: Option<&Redis>, room: Uuid, side: Side) -> (Self, bool) {
        let Some(redis) = redis else { return (Self(None), false) };
        let ear = redis.ear(ABOUT);
        let mut seat =
            Sitting { redis: redis.clone(), ear, room, side, seat: Uuid::now_v7(), peer: None, missed: 0 };
        if let Some((_, peer)) = seat.sit("take").await {
            seat.peer = peer;
        }
        seat.say(What::Taken);
        let peer = seat.peer.is_some();
        (Self(Some(seat)), peer)
    }

    /// The next thing that this seat is to be told of what happens elsewhere.
    pub async fn hear(&mut self, presence: &Presence) -> Told {
        match &mut self.0 {
            Some(seat) => seat.hear(presence).await,
            None => pending().await,
        }
    }

    /// What this seat was told by its own node.
    pub fn is_told(&mut self, told: &Told) {
        // Whoever is there, or was, is of this node.
        if let (Some(seat), Told::PeerJoined | Told::PeerLeft) = (&mut self.0, told) {
            (seat.peer, seat.missed) = (None, 0);
        }
    }

    /// Says that the seat is still taken, and looks who has the other one.
    pub async fn look(&mut self, presence: &Presence) -> Option<Told> {
        self.0.as_mut()?.look(presence).await
    }

    /// Tells it to the other one, at whatever node.
    pub fn say(&self, signal: Value) {
        if let Some(seat) = &self.0 {
            seat.say(What::Signal(signal));
        }
    }

    /// Leaves the seat to nobody, unless somebody has taken it.
    pub async fn leave(self) {
        let Some(seat) = self.0 else { return };
        let left: Result<u8, _> = seat.redis.run(&LEAVE, &seat.keys()[..1], &[&seat.seat.to_string()]).await;
        if left != Ok(0) {
            seat.say(What::Left);
        }
    }
}

impl Sitting {
    async fn hear(&mut self, presence: &Presence) -> Told {
        loop {
            // What was missed is found by looking.
            let Some(word) = self.ear.next::<Word>().await else { continue };
            if word.room == self.room
                && let Some(told) = self.take_in(word, presence)
            {
                return told;
            }
        }
    }

    fn take_in(&mut self, word: Word, presence: &Presence) -> Option<Told> {
        let is_other = word.side == self.side.other();
        match word.what {
            What::Taken if is_other => {
                presence.other_is_elsewhere();
                let is_new = self.peer != Some(word.seat);
                (self.peer, self.missed) = (Some(word.seat), 0);
                is_new.then_some(Told::PeerJoined)
            }
            What::Taken if word.seat != self.seat => {
                presence.give_up();
                Some(Told::Replaced)
            }
            What::Left if is_other && self.peer == Some(word.seat) => {
                self.peer = None;
                Some(Told::PeerLeft)
            }
            What::Signal(signal) if is_other && self.peer == Some(word.seat) => Some(Told::Signal(signal)),
            _ => None,
        }
    }

    async fn look(&mut self, presence: &Presence) -> Option<Told> {
        let (had, peer) = self.sit("keep").await?;
        if had.is_some_and(|had| had != self.seat) {
            presence.give_up();
            return Some(Told::Replaced);
        }
        if presence.other_is_here() {
            // Of whom this node tells.
            (self.peer, self.missed) = (None, 0);
            return None;
        }
        match peer {
            None if self.peer.is_some() => {
                // When ours was gone, too, Redis was emptied, and the other one says so again within the next look.
                self.missed = if had.is_some() { self.missed + 1 } else { 0 };
                if self.missed < MISSED_MAX {
                    return None;
                }
                (self.peer, self.missed) = (None, 0);
                Some(Told::PeerLeft)
            }
            Some(_) if peer != self.peer => {
                (self.peer, self.missed) = (peer, 0);
                // One of two begins: who was there. Whoever comes late, even to an empty Redis, waits.
                if had.is_some() {
                    return Some(Told::PeerJoined);
                }
                self.say(What::Taken);
                None
            }
            _ => {
                self.missed = 0;
                None
            }
        }
    }

    /// Who had this seat, and who has the other one; none without an answer.
    async fn sit(&self, how: &str) -> Option<(Option<Uuid>, Option<Uuid>)> {
        let seat = self.seat.to_string();
        let found = self.redis.run(&SIT, &self.keys(), &[&seat, SEAT_LIFETIME_MS, how]).await;
        let (had, peer): (String, String) = found.ok()?;
        Some((had.parse().ok(), peer.parse().ok()))
    }

    /// Of this seat and of the other one; the braces keep both in one part of a Redis Cluster.
    fn keys(&self) -> [String; 2] {
        let key = |side: Side| self.redis.key(&format!("room:{{{}}}:{}", self.room, side.as_str()));
        [key(self.side), key(self.side.other())]
    }

    fn say(&self, what: What) {
        self.redis.say(ABOUT, &Word { room: self.room, side: self.side, seat: self.seat, what });
    }
}
