//! Seats that are taken at other nodes, when nodes share a Redis: a key of each seat says who sits there, and ends by itself when
//! nobody says so again. What nodes say in between makes them look there at once; without it they look every four seconds, so that
//! a Redis that was away, or was emptied, costs seconds.

use std::{future::pending, sync::LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::redis::{Ear, Redis, RedisFailed, Script};
use uuid::Uuid;

use super::{
    Side,
    hall::{Presence, Told},
};

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
/// Leaves the seat and says so, when it is ours. In one step: the node may be about to stop.
static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         redis.call('PUBLISH', ARGV[2], ARGV[3])
         return redis.call('DEL', KEYS[1])",
    )
});

/// What nodes tell each other about a seat of a room.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
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

/// What follows from a word.
pub enum Hint {
    /// The seat is to be told.
    Tell(Told),
    /// [`Elsewhere::look`]: words of different nodes come in any order, and Redis knows.
    Look,
}

/// How a seat of this node stands to the rest; without Redis there is no rest.
pub struct Elsewhere(Option<Sitting>);

struct Sitting {
    redis: Redis,
    ear: Ear,
    room: Uuid,
    side: Side,
    seat: Uuid,
    /// Redis has said yes to it.
    is_seated: bool,
    /// Who has the other seat at another node, as far as is known.
    peer: Option<Uuid>,
    /// Whoever had it there before somebody of this node did.
    former: Option<Uuid>,
    missed: u8,
}

impl Elsewhere {
    /// Takes the seat from whoever has it elsewhere. With whether the other one is there.
    pub async fn take(redis: Option<&Redis>, room: Uuid, side: Side, presence: &Presence) -> (Self, bool) {
        let Some(redis) = redis else { return (Self(None), false) };
        let (ear, seat) = (redis.ear(&about(room)), presence.id());
        let (redis, is_seated) = (redis.clone(), false);
        let mut sitting =
            Sitting { redis, ear, room, side, seat, is_seated, peer: None, former: None, missed: 0 };
        // Whoever comes last waits for the other one to begin.
        let _nothing = sitting.look(presence).await;
        let is_peer_there = sitting.peer.is_some();
        (Self(Some(sitting)), is_peer_there)
    }

    /// The next thing that follows from what other nodes say.
    pub async fn hear(&mut self, presence: &Presence) -> Hint {
        match &mut self.0 {
            Some(sitting) => sitting.hear(presence).await,
            None => pending().await,
        }
    }

    /// What this seat was told by its own node.
    pub fn is_told(&mut self, told: &Told) {
        let Some(sitting) = &mut self.0 else { return };
        // Whoever is there, or was, is of this node.
        if let Told::PeerJoined | Told::PeerLeft = told {
            sitting.former = sitting.peer.take().or(sitting.former);
            sitting.missed = 0;
        }
    }

    /// Says that the seat is still taken, and looks who has the other one.
    pub async fn look(&mut self, presence: &Presence) -> Option<Told> {
        self.0.as_mut()?.look(presence).await
    }

    /// Tells it to the other one, when there is one at another node.
    pub fn say(&self, signal: Value) {
        if let Some(sitting) = self.0.as_ref().filter(|sitting| sitting.peer.is_some()) {
            sitting.say(What::Signal(signal));
        }
    }

    /// Leaves the seat to nobody, unless somebody has taken it.
    pub async fn leave(&mut self) {
        let Some(sitting) = self.0.take() else { return };
        let word = sitting.redis.word(&about(sitting.room), &sitting.word(What::Left));
        let (seat, channel) = (sitting.seat.to_string(), sitting.redis.channel());
        // Without an answer the seat is empty when its time is over.
        let _left: Result<u8, RedisFailed> =
            sitting.redis.run(&LEAVE, &sitting.keys()[..1], &[&seat, &channel, &word]).await;
    }
}

impl Sitting {
    async fn hear(&mut self, presence: &Presence) -> Hint {
        loop {
            let Some(word) = self.ear.next::<Word>().await else { return Hint::Look };
            if let Some(hint) = self.take_in(word, presence) {
                return hint;
            }
        }
    }

    fn take_in(&mut self, word: Word, presence: &Presence) -> Option<Hint> {
        let is_other = word.side == self.side.other();
        match word.what {
            What::Taken if word.seat != self.seat && self.peer != Some(word.seat) => Some(Hint::Look),
            What::Left if is_other && self.peer == Some(word.seat) => {
                self.peer = None;
                Some(Hint::Tell(Told::PeerLeft))
            }
            What::Signal(signal) if is_other && presence.other().is_none() => {
                // Who speaks is there, also when Redis did not say so.
                let speaks = *self.peer.get_or_insert(word.seat) == word.seat;
                speaks.then_some(Hint::Tell(Told::Signal(signal)))
            }
            _ => None,
        }
    }

    async fn look(&mut self, presence: &Presence) -> Option<Told> {
        let (had, found) = self.sit().await?;
        let is_first = !std::mem::replace(&mut self.is_seated, true);
        if !is_first && had.is_some_and(|had| had != self.seat) {
            presence.give_up();
            return Some(Told::Replaced);
        }
        if let Some(here) = presence.other() {
            // Of whom this node tells, unless somebody has taken that seat elsewhere since.
            if is_first || found.is_none_or(|found| found == here || Some(found) == self.former) {
                (self.peer, self.missed) = (None, 0);
                if is_first {
                    self.say(What::Taken);
                }
                return None;
            }
            presence.other_is_elsewhere();
        }
        // Whoever comes late, even to an empty Redis, waits for the other one to begin.
        let is_late = is_first || had.is_none();
        if is_first || is_late && found != self.peer {
            (self.peer, self.missed) = (found.or(self.peer), 0);
            self.say(What::Taken);
            return None;
        }
        self.compare(had, found)
    }

    /// What is to be told of who has the other seat now.
    fn compare(&mut self, had: Option<Uuid>, found: Option<Uuid>) -> Option<Told> {
        match found {
            None if self.peer.is_some() => {
                // When ours was gone, too, Redis was emptied, and the other one says so again within the next look.
                self.missed = if had.is_some() { self.missed + 1 } else { 0 };
                if self.missed < MISSED_MAX {
                    return None;
                }
                (self.peer, self.missed) = (None, 0);
                Some(Told::PeerLeft)
            }
            Some(_) if found != self.peer => {
                (self.peer, self.missed) = (found, 0);
                Some(Told::PeerJoined)
            }
            _ => {
                self.missed = 0;
                None
            }
        }
    }

    /// Who had this seat, and who has the other one; none without an answer.
    async fn sit(&self) -> Option<(Option<Uuid>, Option<Uuid>)> {
        let (seat, how) = (self.seat.to_string(), if self.is_seated { "keep" } else { "take" });
        let found = self.redis.run(&SIT, &self.keys(), &[&seat, SEAT_LIFETIME_MS, how]).await;
        let (had, other): (String, String) = found.ok()?;
        Some((had.parse().ok(), other.parse().ok()))
    }

    /// Of this seat and of the other one.
    fn keys(&self) -> [String; 2] {
        let key = |side: Side| self.redis.key(&format!("room:{}:{}", self.room, side.as_str()));
        [key(self.side), key(self.side.other())]
    }

    fn word(&self, what: What) -> Word {
        Word { side: self.side, seat: self.seat, what }
    }

    fn say(&self, what: What) {
        self.redis.say(&about(self.room), &self.word(what));
    }
}

/// What is said about a room.
fn about(room: Uuid) -> String {
    format!("room:{room}")
}
