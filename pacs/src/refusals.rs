//! How many records the associations that are turned away may cost. The first of a kind in a minute have one each; those that
//! follow are counted, and one record tells of them when the minute is over. Anybody can cause them without an account, and what is
//! recorded stays for ever.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::AeTitle;
use service::identity::network;
use tokio::time::Instant;

use crate::{access::Denied, backend::Peer};

/// Refusals of one kind that have a record each.
const ALONE_MAX: u32 = 10;
/// Within this time, which begins with the first of them.
const WINDOW: Duration = Duration::from_mins(1);
/// Kinds from one network that are told apart at once: titles are made up easily. Beyond it they are counted together.
const KINDS_MAX: usize = 16;
/// Networks that are told apart at once. Beyond it they are counted together.
const NETWORKS_MAX: usize = 1_000;

/// Calling AE title and reason; none: of all those that are not told apart.
type Kind = Option<(AeTitle, &'static str)>;

/// Counts the refusals of each network, title and reason.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, HashMap<Kind, Tally>>>);

#[derive(Debug)]
struct Tally {
    since: Instant,
    alone: u32,
    more: u32,
}

impl Tally {
    fn begin() -> Self {
        Self { since: Instant::now(), alone: 0, more: 0 }
    }

    /// What somebody is going to tell of is not over before that.
    fn is_over(&self) -> bool {
        self.more == 0 && self.since.elapsed() >= WINDOW
    }
}

/// How a refusal gets into the audit trail.
#[derive(Debug)]
pub enum Told {
    /// By a record of its own.
    Alone,
    /// It is the first that is only counted: who hears this tells of all of them in the end.
    Together(Crowd),
    /// It is counted.
    Counted,
}

/// Refusals that have one record together.
#[derive(Debug)]
pub struct Crowd {
    network: String,
    kind: Kind,
    /// When it is due.
    pub ends: Instant,
}

/// How many of them there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    count: u32,
    /// Of several titles, reasons or networks.
    is_mixed: bool,
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more within a minute", self.count)?;
        if self.is_mixed { f.write_str(", of other titles, reasons or addresses too") } else { Ok(()) }
    }
}

impl Refusals {
    /// One more.
    pub fn count(&self, peer: &Peer, denied: Denied) -> Told {
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS_MAX {
            networks.retain(|_, kinds| kinds.values().any(|tally| !tally.is_over()));
        }
        let network = network(Some(peer.address));
        let is_apart = networks.len() < NETWORKS_MAX || networks.contains_key(&network);
        let network = if is_apart { network } else { String::new() };
        let kinds = networks.entry(network.clone()).or_default();
        kinds.retain(|_, tally| !tally.is_over());
        let kind = Some((peer.calling_ae_title.clone(), denied.as_str()));
        let is_apart = kinds.len() < KINDS_MAX || kinds.contains_key(&kind);
        let kind = kind.filter(|_| is_apart);
        let tally = kinds.entry(kind.clone()).or_insert_with(Tally::begin);
        if tally.alone < ALONE_MAX {
            tally.alone += 1;
            return Told::Alone;
        }
        tally.more = tally.more.saturating_add(1);
        if tally.more > 1 {
            return Told::Counted;
        }
        Told::Together(Crowd { network, kind, ends: tally.since + WINDOW })
    }

    /// How many have come since a crowd began; the next one has a record of its own again.
    pub fn end(&self, crowd: &Crowd) -> More {
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = networks.get_mut(&crowd.network).and_then(|kinds| kinds.remove(&crowd.kind));
        More {
            count: ended.map_or(0, |tally| tally.more),
            is_mixed: crowd.network.is_empty() || crowd.kind.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use uuid::Uuid;

    use super::*;

    fn peer(address: [u8; 4], title: &str) -> Peer {
        Peer {
            association_id: Uuid::now_v7(),
            address: IpAddr::from(address),
            calling_ae_title: AeTitle::parse(title).expect("a title"),
            called_ae_title: AeTitle::parse("MAXRAY").expect("a title"),
            certificate: None,
            person: None,
        }
    }

    fn alone(refusals: &Refusals, peer: &Peer, times: u32) -> bool {
        (0..times).all(|_| matches!(refusals.count(peer, Denied::UnknownTitle), Told::Alone))
    }

    #[tokio::test(start_paused = true)]
    async fn those_beyond_a_number_are_counted_for_each_address_title_and_reason() {
        let refusals = Refusals::default();
        let (one, two) = (peer([192, 0, 2, 1], "CR1"), peer([192, 0, 2, 1], "CR2"));
        assert!(alone(&refusals, &one, ALONE_MAX) && alone(&refusals, &two, 1));
        let Told::Together(crowd) = refusals.count(&one, Denied::UnknownTitle) else {
            panic!("one too many")
        };
        assert!(matches!(refusals.count(&one, Denied::UnknownTitle), Told::Counted));
        assert!(matches!(refusals.count(&one, Denied::Disabled), Told::Alone));
        assert!(alone(&refusals, &peer([192, 0, 2, 2], "CR1"), 1));
        assert_eq!(refusals.end(&crowd).to_string(), "2 more within a minute");
        assert!(alone(&refusals, &one, 1));
        tokio::time::advance(WINDOW).await;
        assert!(alone(&refusals, &two, ALONE_MAX), "a minute later");
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_titles_and_many_addresses_are_counted_together() {
        let refusals = Refusals::default();
        let counted = |made: &[Told]| made.iter().filter(|told| !matches!(told, Told::Alone)).count();
        let titles: Vec<Told> = (0..100)
            .map(|number| refusals.count(&peer([192, 0, 2, 1], &format!("T{number}")), Denied::UnknownTitle))
            .collect();
        assert_eq!(counted(&titles), 100 - KINDS_MAX - ALONE_MAX as usize);
        let crowd = titles.iter().find_map(|told| match told {
            Told::Together(crowd) => Some(crowd),
            Told::Alone | Told::Counted => None,
        });
        assert!(
            refusals.end(crowd.expect("a crowd")).to_string().contains("74 more within a minute, of other")
        );
        for number in 0..2 * NETWORKS_MAX as u32 {
            refusals.count(&peer(number.to_be_bytes(), "CR1"), Denied::UnknownTitle);
        }
        assert!(refusals.0.lock().expect("whole").len() <= NETWORKS_MAX + 1);
    }
}
