//! Who is turned away again and again is told to somebody.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Refusals from one address that raise an alarm.
pub const REFUSALS_MAX: u32 = 3;
/// Within this time; and the next alarm about the same address comes after it.
const WINDOW: Duration = Duration::from_mins(5);
/// Addresses remembered at once: they come from outside, and memory must not grow with them.
const ADDRESSES_MAX: usize = 4096;

/// Counts refusals by address.
#[derive(Debug, Default)]
pub struct Alarm(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Alarm {
    /// One more refusal; true when it is the one that has to be told.
    pub fn count(&self, address: IpAddr) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES_MAX {
            counts.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&address) {
            return false;
        }
        let (since, count) = counts.entry(address).or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() >= WINDOW {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count == REFUSALS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_third_refusal_from_one_address_is_told_once() {
        let alarm = Alarm::default();
        let (first, second) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert_eq!([0; 5].map(|_| alarm.count(first)), [false, false, true, false, false]);
        assert!(!alarm.count(second));
        tokio::time::advance(WINDOW).await;
        assert_eq!([0; 3].map(|_| alarm.count(first)), [false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_does_not_fill_the_memory() {
        let alarm = Alarm::default();
        for address in 0..2 * ADDRESSES_MAX as u32 {
            alarm.count(IpAddr::V4(address.into()));
        }
        assert_eq!(alarm.0.lock().expect("whole").len(), ADDRESSES_MAX);
    }
}
