//! Which looks were recorded lately, so that one record tells of all frames of a study that a viewer asks for.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use model::access::Grant;
use service::http::bearer::Authenticated;
use uuid::Uuid;

/// A viewer reads a study frame by frame: within this time one record tells of all of them.
pub(super) const REPEAT_AFTER: Duration = Duration::from_mins(5);
/// Lookers and studies whose last record is remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Who looks. Tokens of share links and of viewers carry the account of the doctor who made them, and a stolen token that of
/// its owner: so the sign-in, what the token was made for, and where it is used from are told apart, too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Looker {
    user_id: Uuid,
    session_id: Option<Uuid>,
    grant: Option<Grant>,
    source_address: String,
}

impl From<&Authenticated> for Looker {
    fn from(who: &Authenticated) -> Self {
        Self {
            user_id: who.principal.user_id,
            session_id: who.principal.session_id,
            grant: who.principal.grant,
            source_address: who.source_address.clone(),
        }
    }
}

/// Who, kind of look, study.
pub(super) type Key = (Looker, &'static str, String);

/// The looks of the last minutes, and when they were recorded.
#[derive(Default)]
pub(super) struct Seen(HashMap<Key, Instant>);

impl Seen {
    pub(super) fn lately(&self, key: &Key, now: Instant) -> bool {
        self.0.get(key).is_some_and(|at| is_fresh(*at, now))
    }

    pub(super) fn remember(&mut self, key: Key, now: Instant) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, at| is_fresh(*at, now));
            if self.0.len() >= REMEMBERED_MAX {
                self.0.clear();
            }
        }
        self.0.insert(key, now);
    }
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    now.duration_since(at) < REPEAT_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: u128, study: &str) -> Key {
        let looker = Looker {
            user_id: Uuid::from_u128(user),
            session_id: None,
            grant: None,
            source_address: "192.0.2.1".to_owned(),
        };
        (looker, "read_study", study.to_owned())
    }

    #[test]
    fn one_record_in_five_minutes() {
        let mut seen = Seen::default();
        let start = Instant::now();
        assert!(!seen.lately(&key(1, "1.2"), start));
        seen.remember(key(1, "1.2"), start);
        assert!(seen.lately(&key(1, "1.2"), start + Duration::from_secs(299)));
        assert!(!seen.lately(&key(1, "1.3"), start));
        assert!(!seen.lately(&key(2, "1.2"), start));
        assert!(!seen.lately(&key(1, "1.2"), start + REPEAT_AFTER));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut seen = Seen::default();
        let start = Instant::now();
        for study in 0..=REMEMBERED_MAX {
            seen.remember(key(1, &study.to_string()), start);
        }
        assert!(seen.0.len() <= REMEMBERED_MAX);
    }
}
