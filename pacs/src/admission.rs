//! How many associations at once: in total, with one calling AE title, and from one address.
//! And how often something may be done in a stretch of time.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::AeTitle;
use tokio::time::Instant;

use crate::config::PacsConfig;

/// Counts the associations that are running.
#[derive(Debug)]
pub struct Admission {
    total_max: u32,
    per_ae_max: u32,
    per_address_max: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_ae: HashMap<AeTitle, u32>,
    by_address: HashMap<IpAddr, u32>,
}

/// The right to run one association; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    calling_ae_title: AeTitle,
    address: IpAddr,
}

impl Admission {
    /// With the limits of the configuration.
    pub fn new(config: &PacsConfig) -> Arc<Self> {
        Arc::new(Self {
            total_max: config.associations_max,
            per_ae_max: config.associations_per_ae_max,
            per_address_max: config.associations_per_address_max,
            counts: Mutex::default(),
        })
    }

    /// One more, unless a limit is reached. `own_max` is the AE's own; 0 for that of everybody.
    pub fn admit(
        self: &Arc<Self>,
        calling_ae_title: &AeTitle,
        address: IpAddr,
        own_max: u32,
    ) -> Option<Permit> {
        let per_ae_max = if own_max == 0 { self.per_ae_max } else { own_max };
        let mut counts = self.lock();
        let full = counts.total >= self.total_max
            || counts.by_ae.get(calling_ae_title).is_some_and(|count| *count >= per_ae_max)
            || counts.by_address.get(&address).is_some_and(|count| *count >= self.per_address_max);
        if full {
            return None;
        }
        counts.total += 1;
        *counts.by_ae.entry(calling_ae_title.clone()).or_default() += 1;
        *counts.by_address.entry(address).or_default() += 1;
        Some(Permit { admission: Arc::clone(self), calling_ae_title: calling_ae_title.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Whole numbers stay right whoever panicked while holding them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= 1;
        decrement(&mut counts.by_ae, &self.calling_ae_title);
        decrement(&mut counts.by_address, &self.address);
    }
}

/// Zeros are taken out: titles and addresses come from outside, and the maps must not grow with them.
fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// So many times in each window of time, and no more.
#[derive(Debug)]
pub struct Budget {
    times: u32,
    window: Duration,
    spent: Mutex<(Instant, u32)>,
}

impl Budget {
    /// Nothing spent yet.
    pub fn new(times: u32, window: Duration) -> Self {
        Self { times, window, spent: Mutex::new((Instant::now(), 0)) }
    }

    /// True when once more is within the budget.
    pub fn take(&self) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0.elapsed() >= self.window {
            *spent = (Instant::now(), 0);
        }
        spent.1 = spent.1.saturating_add(1);
        spent.1 <= self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(total: u32, per_ae: u32, per_address: u32) -> Arc<Admission> {
        Admission::new(&PacsConfig {
            associations_max: total,
            associations_per_ae_max: per_ae,
            associations_per_address_max: per_address,
            ..PacsConfig::default()
        })
    }

    fn title(text: &str) -> AeTitle {
        AeTitle::parse(text).expect("title")
    }

    #[test]
    fn each_limit_holds_and_is_given_back() {
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for (admission, second) in [
            (admission(1, 9, 9), ("B", there)),
            (admission(9, 1, 9), ("A", there)),
            (admission(9, 9, 1), ("B", here)),
        ] {
            let first = admission.admit(&title("A"), here, 0).expect("room");
            assert!(admission.admit(&title(second.0), second.1, 0).is_none());
            drop(first);
            assert!(admission.admit(&title(second.0), second.1, 0).is_some());
            let counts = admission.lock();
            assert_eq!((counts.total, counts.by_ae.len(), counts.by_address.len()), (0, 0, 0));
        }
    }

    #[test]
    fn an_ae_may_have_a_limit_of_its_own() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let admission = admission(9, 2, 9);
        let first = admission.admit(&title("A"), here, 1).expect("room");
        assert!(admission.admit(&title("A"), here, 1).is_none());
        assert!(admission.admit(&title("A"), here, 3).is_some());
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_comes_back() {
        let budget = Budget::new(2, Duration::from_mins(1));
        assert_eq!([budget.take(), budget.take(), budget.take()], [true, true, false]);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(budget.take());
    }
}
