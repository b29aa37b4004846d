//! How many requests a sign-in may make: so that a program that runs wild, or a stolen token that fetches whatever it
//! reaches, does not take the archive from all others.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::access::{Grant, Principal, Role};
use uuid::Uuid;

/// Sign-ins that are remembered before those that have asked for nothing of late are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Who is at the limit is refused many times a second: the log has one line of it in this time.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// What a sign-in may still ask for.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    /// Requests, also parts of one.
    left: f64,
    /// When that was true.
    at: Instant,
    /// When the operator was last told that it is used up.
    told: Option<Instant>,
}

/// Requests of each sign-in: so many at once, and so many more each second.
#[derive(Debug)]
pub(super) struct RequestRate {
    per_second: f64,
    burst: f64,
    /// By session, or by what else is counted for itself.
    allowances: Mutex<HashMap<Uuid, Allowance>>,
}

impl RequestRate {
    /// `None` when there is no limit.
    pub(super) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let rate = Self {
            per_second: per_second.into(),
            burst: burst.max(per_second).into(),
            allowances: Mutex::default(),
        };
        (per_second > 0).then_some(rate)
    }

    /// Counts a request. Other programs ask for many persons and are not limited. Each sign-in is counted for itself, so that who
    /// finds a thief in the account can end its session; so are a device and a share link, with all who hold it. The image sessions
    /// of an account, of which it can make any number, are counted together.
    ///
    /// # Errors
    /// The seconds after which it may ask again.
    pub(super) fn take(&self, who: &Principal, now: Instant) -> Result<(), u32> {
        let counted = match who.grant {
            None if who.role == Role::Service => return Ok(()),
            None | Some(Grant::Device) => who.session_id.unwrap_or(who.user_id),
            Some(Grant::Consultation(_)) => who.user_id,
            Some(Grant::Share(share)) => share,
        };
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        if allowances.len() >= REMEMBERED_MAX && !allowances.contains_key(&counted) {
            allowances.retain(|_, allowance| self.left(allowance, now) < self.burst);
        }
        let new = Allowance { left: self.burst, at: now, told: None };
        let allowance = allowances.entry(counted).or_insert(new);
        let left = self.left(allowance, now);
        (allowance.left, allowance.at) = (left, now);
        if left >= 1.0 {
            allowance.left = left - 1.0;
            return Ok(());
        }
        metrics::counter!("maxray_http_requests_limited_total").increment(1);
        if allowance.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY) {
            allowance.told = Some(now);
            tracing::warn!(account = %who.user_id, "an account asks for more than identity.requests_per_second allows");
        }
        Err(((1.0 - left) / self.per_second).ceil() as u32)
    }

    fn left(&self, allowance: &Allowance, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(allowance.at).as_secs_f64() * self.per_second;
        (allowance.left + gained).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer() -> Principal {
        Principal::new(Uuid::now_v7(), Role::Viewer, None)
    }

    #[test]
    fn a_burst_then_so_many_a_second_for_each_sign_in() {
        let rate = RequestRate::new(2, 5).expect("a limit");
        let (one, other, now) = (viewer(), viewer(), Instant::now());
        assert!((0..5).all(|_| rate.take(&one, now).is_ok()));
        assert_eq!(rate.take(&one, now), Err(1));
        assert_eq!(rate.take(&other, now), Ok(()), "nobody pays for another one");
        let session = |grant| Principal { grant, session_id: Some(Uuid::now_v7()), ..one.clone() };
        for grant in [None, Some(Grant::Device), Some(Grant::Share(Uuid::now_v7()))] {
            assert_eq!(rate.take(&session(grant), now), Ok(()), "{grant:?} is counted for itself");
        }
        let consultation = || session(Some(Grant::Consultation(Uuid::now_v7())));
        assert_eq!(rate.take(&consultation(), now), Err(1), "image sessions are counted together");
        // Refused requests cost nothing.
        let later = now + Duration::from_secs(1);
        assert_eq!([rate.take(&one, later), rate.take(&one, later)], [Ok(()), Ok(())]);
        assert_eq!(rate.take(&one, later), Err(1));
        // Nobody saves up more than the burst.
        let much_later = now + Duration::from_hours(1);
        assert_eq!((0..9).filter(|_| rate.take(&one, much_later).is_ok()).count(), 5);
    }

    #[test]
    fn other_programs_are_not_limited_and_nobody_is_without_a_limit() {
        let rate = RequestRate::new(1, 1).expect("a limit");
        let (service, now) = (Principal::new(Uuid::now_v7(), Role::Service, None), Instant::now());
        assert!((0..50).all(|_| rate.take(&service, now).is_ok()));
        assert!(RequestRate::new(0, 100).is_none());
    }

    #[test]
    fn who_has_asked_for_nothing_of_late_is_forgotten() {
        let rate = RequestRate::new(1, 10).expect("a limit");
        let (now, busy) = (Instant::now(), viewer());
        for _ in 1..REMEMBERED_MAX {
            let _ = rate.take(&viewer(), now);
        }
        let later = now + Duration::from_mins(1);
        assert!((0..10).all(|_| rate.take(&busy, later).is_ok()));
        assert_eq!(rate.take(&viewer(), later), Ok(()));
        assert_eq!(rate.allowances.lock().expect("whole").len(), 2);
        assert_eq!(rate.take(&busy, later), Err(1), "who is at the limit is remembered");
    }
}
