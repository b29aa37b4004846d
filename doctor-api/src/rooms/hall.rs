//! The rooms in which somebody is. Each has two seats; what one says is told to the other. In memory of this process: without
//! what `elsewhere.rs` adds both have to come to the same one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use service::identity::network;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use super::Side;

/// Sockets that have shown no ticket, at once.
const DOORSTEPS_MAX: usize = 128;
/// Of them from one address: a browser shows its ticket at once, so that a whole clinic behind one address needs no more, and a
/// stranger there shuts out nobody else.
const DOORSTEPS_PER_ADDRESS_MAX: usize = 8;
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
    /// Among all that anybody ever had.
    id: Uuid,
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

    /// Whoever does not take it in is taken for gone: the inbox ends, and the other one is told.
    fn tell(&mut self, side: Side, told: Told) {
        let seat = self.seat(side);
        if seat.as_ref().is_some_and(|seat| seat.told.try_send(told).is_err()) {
            *seat = None;
            self.tell(side.other(), Told::PeerLeft);
        }
    }
}

/// All rooms of this process.
pub struct Hall {
    rooms: Mutex<HashMap<Uuid, Room>>,
    places: Arc<Semaphore>,
    /// Of sockets that have shown no ticket: strangers fill these and no others.
    doorsteps: Arc<Semaphore>,
    /// How many of them each address has.
    waiting: Mutex<HashMap<String, usize>>,
}

impl Hall {
    pub fn new(connections_max: usize) -> Self {
        Self {
            rooms: Mutex::default(),
            places: Arc::new(Semaphore::new(connections_max)),
            doorsteps: Arc::new(Semaphore::new(DOORSTEPS_MAX)),
            waiting: Mutex::default(),
        }
    }

    /// Room for one more from there whose ticket is not known yet.
    pub fn doorstep(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Doorstep> {
        let permit = Arc::clone(&self.doorsteps).try_acquire_owned().ok()?;
        let network = network(address);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(network.clone()).or_default();
        if *count >= DOORSTEPS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        drop(waiting);
        Some(Doorstep { hall: Arc::clone(self), network, _permit: permit })
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

/// Somebody whose ticket is not known yet; makes room when dropped.
pub struct Doorstep {
    hall: Arc<Hall>,
    network: String,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Doorstep {
    fn drop(&mut self) {
        let mut waiting = self.hall.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.network);
            }
        }
    }
}

/// Somebody in a seat; leaves it when dropped.
pub struct Presence {
    hall: Arc<Hall>,
    room: Uuid,
    side: Side,
    id: Uuid,
}

impl Presence {
    /// Takes a seat, from whoever sat there. With what is told to it, and whether the other one is there.
    pub fn take(hall: &Arc<Hall>, room: Uuid, side: Side) -> (Self, mpsc::Receiver<Told>, bool) {
        let (told, inbox) = mpsc::channel(WAITING_MAX);
        let id = Uuid::now_v7();
        let peer = hall.with(room, |room| {
            room.tell(side, Told::Replaced);
            *room.seat(side) = Some(Seat { id, told });
            room.tell(side.other(), Told::PeerJoined);
            room.seat(side.other()).is_some()
        });
        (Self { hall: Arc::clone(hall), room, side, id }, inbox, peer)
    }

    /// Tells it to the other one, if anybody is there.
    pub fn say(&self, signal: serde_json::Value) {
        self.hall.with(self.room, |room| room.tell(self.side.other(), Told::Signal(signal)));
    }

    /// This seat, among all that anybody ever had.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The seat of the other one, when it is at this node.
    pub fn other(&self) -> Option<Uuid> {
        self.hall.with(self.room, |room| room.seat(self.side.other()).as_ref().map(|seat| seat.id))
    }

    /// Somebody has taken the other seat at another node: whoever has it here has it no more.
    pub fn other_is_elsewhere(&self) {
        self.hall.with(self.room, |room| {
            room.tell(self.side.other(), Told::Replaced);
            *room.seat(self.side.other()) = None;
        });
    }

    /// Somebody has taken this seat at another node: nobody here is told that it is empty.
    pub fn give_up(&self) {
        self.hall.with(self.room, |room| {
            let seat = room.seat(self.side);
            if seat.as_ref().is_some_and(|seat| seat.id == self.id) {
                *seat = None;
            }
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.hall.with(self.room, |room| {
            let seat = room.seat(self.side);
            // Somebody else may sit there by now.
            if seat.as_ref().is_some_and(|seat| seat.id == self.id) {
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
    use crate::rooms::protocol::Ending;

    fn next(inbox: &mut mpsc::Receiver<Told>) -> Option<Told> {
        inbox.try_recv().ok()
    }

    #[test]
    fn a_stranger_fills_the_doorsteps_of_one_address_and_no_others() {
        let hall = Arc::new(Hall::new(8));
        let address = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        let here = address("192.0.2.1");
        let mut strangers: Vec<Doorstep> = std::iter::from_fn(|| hall.doorstep(here)).collect();
        assert_eq!(strangers.len(), DOORSTEPS_PER_ADDRESS_MAX);
        assert!(hall.doorstep(address("192.0.2.2")).is_some(), "others come in");
        drop(strangers.pop());
        assert!(hall.doorstep(here).is_some(), "who is through makes room");
        // Whoever has an IPv6 network has all of its addresses.
        let wide = |host: usize| hall.doorstep(address(&format!("2001:db8::{host:x}")));
        assert_eq!((1..=20).filter_map(wide).collect::<Vec<_>>().len(), DOORSTEPS_PER_ADDRESS_MAX);
        drop(strangers);
        assert!(hall.waiting.lock().expect("unpoisoned").is_empty(), "nothing is kept of who is gone");
        let many = |number: usize| hall.doorstep(address(&format!("198.51.100.{number}")));
        assert_eq!((0..250).filter_map(many).collect::<Vec<_>>().len(), DOORSTEPS_MAX);
    }

    #[test]
    fn who_comes_when_all_places_are_taken_is_told_to_come_again() {
        let hall = Hall::new(1);
        let place = hall.place();
        assert!(place.is_some() && hall.place().is_none());
        assert_eq!(Ending::Full.frame().0, 1013, "RFC 6455: try again later");
        drop(place);
        assert!(hall.place().is_some());
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
