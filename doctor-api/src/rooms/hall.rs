//! The rooms in which somebody is. Each has two seats; what one says is told to the other. In memory of this process: both have
//! to come to the same one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use super::Side;

/// Sockets that have shown no ticket, at once.
const DOORSTEPS_MAX: usize = 128;
/// Messages that wait for a browser that is slow; more, and it is taken for gone.
const WAITING_MAX: usize = 64;

/// What a seat is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The other one has come.
    PeerJoined,
    /// The other one has left.
    PeerLeft,
    /// What the other one said.
    Signal(serde_json::Value),
    /// Somebody with a ticket for this seat has come: perhaps the same one, after the network was gone.
    Replaced,
}

struct Seat {
    number: u64,
    told: mpsc::Sender<Told>,
}

#[derive(Default)]
struct Room {
    doctor: Option<Seat>,
    visitor: Option<Seat>,
}

impl Room {
    fn seat(&mut self, side: Side) -> &mut Option<Seat> {
        match side {
            Side::Doctor => &mut self.doctor,
            Side::Visitor => &mut self.visitor,
        }
    }

    /// Whoever does not take it in is taken for gone: the inbox ends.
    fn tell(&mut self, side: Side, told: Told) {
        let seat = self.seat(side);
        if seat.as_ref().is_some_and(|seat| seat.told.try_send(told).is_err()) {
            *seat = None;
        }
    }
}

/// All rooms of this process.
pub struct Hall {
    rooms: Mutex<HashMap<Uuid, Room>>,
    numbers: AtomicU64,
    places: Arc<Semaphore>,
    /// Of sockets that have shown no ticket: strangers fill these and no others.
    doorsteps: Arc<Semaphore>,
}

impl Hall {
    pub fn new(connections_max: usize) -> Self {
        Self {
            rooms: Mutex::default(),
            numbers: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(connections_max)),
            doorsteps: Arc::new(Semaphore::new(DOORSTEPS_MAX)),
        }
    }

    /// Room for one more whose ticket is not known yet.
    pub fn doorstep(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.doorsteps).try_acquire_owned().ok()
    }

    /// Room for one more with a ticket.
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    fn with<T>(&self, room: Uuid, act: impl FnOnce(&mut Room) -> T) -> T {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = rooms.entry(room).or_default();
        let done = act(entry);
        if entry.doctor.is_none() && entry.visitor.is_none() {
            rooms.remove(&room);
        }
        done
    }
}

/// Somebody in a seat; leaves it when dropped.
pub struct Presence {
    hall: Arc<Hall>,
    room: Uuid,
    side: Side,
    number: u64,
}

impl Presence {
    /// Takes a seat, from whoever sat there. With what is told to it, and whether the other one is there.
    pub fn take(hall: &Arc<Hall>, room: Uuid, side: Side) -> (Self, mpsc::Receiver<Told>, bool) {
        let (told, inbox) = mpsc::channel(WAITING_MAX);
        let number = hall.numbers.fetch_add(1, Ordering::Relaxed);
        let peer = hall.with(room, |room| {
            room.tell(side, Told::Replaced);
            *room.seat(side) = Some(Seat { number, told });
            room.tell(side.other(), Told::PeerJoined);
            room.seat(side.other()).is_some()
        });
        (Self { hall: Arc::clone(hall), room, side, number }, inbox, peer)
    }

    /// Tells it to the other one, if anybody is there.
    pub fn say(&self, signal: serde_json::Value) {
        self.hall.with(self.room, |room| room.tell(self.side.other(), Told::Signal(signal)));
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.hall.with(self.room, |room| {
            let seat = room.seat(self.side);
            // Somebody else may sit there by now.
            if seat.as_ref().is_none_or(|seat| seat.number == self.number) {
                *seat = None;
                room.tell(self.side.other(), Told::PeerLeft);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(inbox: &mut mpsc::Receiver<Told>) -> Option<Told> {
        inbox.try_recv().ok()
    }

    #[test]
    fn two_are_told_of_each_other_and_nobody_else_is() {
        let hall = Arc::new(Hall::new(8));
        let (room, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (doctor, mut heard, peer) = Presence::take(&hall, room, Side::Doctor);
        assert!(!peer);
        let (elsewhere, mut nothing, _) = Presence::take(&hall, other, Side::Visitor);
        let (visitor, mut inbox, peer) = Presence::take(&hall, room, Side::Visitor);
        assert!(peer);
        assert_eq!(next(&mut heard), Some(Told::PeerJoined));
        doctor.say(json!("offer"));
        assert_eq!(next(&mut inbox), Some(Told::Signal(json!("offer"))));
        drop(visitor);
        assert_eq!(next(&mut heard), Some(Told::PeerLeft));
        doctor.say(json!("to nobody"));
        assert_eq!((next(&mut heard), next(&mut nothing)), (None, None));
        drop((doctor, elsewhere));
        assert!(hall.rooms.lock().expect("unpoisoned").is_empty(), "nothing is kept of empty rooms");
    }

    #[test]
    fn who_comes_again_takes_the_seat_and_the_old_one_does_not_empty_it() {
        let hall = Arc::new(Hall::new(8));
        let room = Uuid::from_u128(1);
        let (doctor, mut heard, _) = Presence::take(&hall, room, Side::Doctor);
        let (old, mut old_inbox, _) = Presence::take(&hall, room, Side::Visitor);
        let (_new, mut inbox, peer) = Presence::take(&hall, room, Side::Visitor);
        assert!(peer);
        assert_eq!(next(&mut old_inbox), Some(Told::Replaced));
        drop(old);
        assert_eq!(
            [next(&mut heard), next(&mut heard), next(&mut heard)],
            [Some(Told::PeerJoined), Some(Told::PeerJoined), None]
        );
        doctor.say(json!(1));
        assert_eq!(next(&mut inbox), Some(Told::Signal(json!(1))));
    }

    #[test]
    fn who_does_not_take_it_in_is_gone() {
        let hall = Arc::new(Hall::new(8));
        let room = Uuid::from_u128(1);
        let (doctor, _heard, _) = Presence::take(&hall, room, Side::Doctor);
        let (_slow, mut inbox, _) = Presence::take(&hall, room, Side::Visitor);
        for number in 0..=WAITING_MAX {
            doctor.say(json!(number));
        }
        let mut told = 0;
        while next(&mut inbox).is_some() {
            told += 1;
        }
        assert_eq!((told, inbox.is_closed()), (WAITING_MAX, true));
    }
}
