//! How long a peer may keep us waiting: ARTIM (PS3.8 9.1.5), idle time, and a minimum rate against peers that
//! trickle. Only time spent waiting for the peer counts, not time that the archive takes.

use std::time::Duration;

use tokio::time::Instant;

/// Time limits of one association.
#[derive(Debug, Clone, Copy)]
pub struct PaceLimits {
    /// No byte between two messages for this long: over.
    pub idle: Duration,
    /// Inside a message the rate is looked at after each window of waiting.
    pub rate_window: Duration,
    /// Bytes that a window must bring.
    pub window_bytes_min: u64,
}

/// Why the wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// ARTIM: no complete A-ASSOCIATE-RQ, or no answer, in time.
    Artim,
    /// Nothing came between messages.
    Idle,
    /// Less than the minimum rate inside a message.
    TooSlow,
    /// The peer does not take what we send.
    Write,
}

impl Overdue {
    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artim => "artim_timeout",
            Self::Idle => "idle_timeout",
            Self::TooSlow => "too_slow",
            Self::Write => "write_timeout",
        }
    }
}

/// What is being waited for.
#[derive(Debug)]
enum Wait {
    Until(Instant),
    Message,
    Rest { waited: Duration, bytes: u64 },
}

/// Keeps the time for one connection.
#[derive(Debug)]
pub struct Pace {
    limits: PaceLimits,
    wait: Wait,
}

impl Pace {
    /// Everything has to be there by `deadline`.
    pub fn until(deadline: Instant, limits: PaceLimits) -> Self {
        Self { limits, wait: Wait::Until(deadline) }
    }

    /// A new message may begin.
    pub fn await_message(&mut self) {
        self.wait = Wait::Message;
    }

    /// A message has begun.
    pub fn message_begun(&mut self) {
        if !matches!(self.wait, Wait::Rest { .. }) {
            self.wait = Wait::Rest { waited: Duration::ZERO, bytes: 0 };
        }
    }

    /// How long the next read may take, and what it means when it takes longer.
    pub fn patience(&self) -> (Duration, Overdue) {
        match self.wait {
            Wait::Until(deadline) => (deadline.saturating_duration_since(Instant::now()), Overdue::Artim),
            Wait::Message => (self.limits.idle, Overdue::Idle),
            Wait::Rest { waited, .. } => (self.limits.rate_window.saturating_sub(waited), Overdue::TooSlow),
        }
    }

    /// Takes note of a read that took `waited` and brought `count` bytes; none when it was cut short.
    pub fn note(&mut self, took: Duration, count: usize) -> Result<(), Overdue> {
        match &mut self.wait {
            Wait::Until(_) if count > 0 => Ok(()),
            Wait::Until(_) => Err(Overdue::Artim),
            Wait::Message if count > 0 => {
                self.wait = Wait::Rest { waited: Duration::ZERO, bytes: count as u64 };
                Ok(())
            }
            Wait::Message => Err(Overdue::Idle),
            Wait::Rest { waited, bytes } => {
                *waited += took;
                *bytes += count as u64;
                if *waited < self.limits.rate_window {
                    return Ok(());
                }
                if *bytes < self.limits.window_bytes_min {
                    return Err(Overdue::TooSlow);
                }
                self.wait = Wait::Rest { waited: Duration::ZERO, bytes: 0 };
                Ok(())
            }
        }
    }
}
