//! Whether the disk has power, and the one lock that every call goes through.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Loss, Lost, disk::Disk};
use crate::random::Random;

/// The disk and its power.
#[derive(Debug)]
pub(super) struct Power {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    supply: Supply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Supply {
    On,
    /// Calls hang.
    Cut,
    /// Calls fail: whoever made them is dead or dying.
    Released,
}

impl Power {
    pub(super) fn on(disk: Disk) -> Self {
        Self { state: Mutex::new(State { disk, supply: Supply::On }), changed: Condvar::new() }
    }

    /// One call: it happens entirely before the cut, or not at all and hangs.
    pub(super) fn call<T>(&self, call: impl FnOnce(&mut Disk) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut state = self.lock();
        while state.supply == Supply::Cut {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.supply == Supply::Released {
            return Err(Errno::IO);
        }
        call(&mut state.disk)
    }

    pub(super) fn settle(&self) {
        self.lock().disk.settle();
    }

    pub(super) fn cut(&self) {
        self.lock().supply = Supply::Cut;
    }

    pub(super) fn release(&self) {
        self.lock().supply = Supply::Released;
        self.changed.notify_all();
    }

    pub(super) fn lose(&self, loss: Loss, random: &mut Random) -> Lost {
        let mut state = self.lock();
        let (left, lost) = std::mem::replace(&mut state.disk, Disk::new(0, 0)).cut(loss, random);
        *state = State { disk: left, supply: Supply::On };
        lost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
