//! A user name and a password, proved in the same way at every door: the same limits, the same time for names that
//! nobody has, the same record of a failure.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::TimeDelta;
use database::{
    Allowance, AuditActor, AuditRecord, Database, DatabaseError, User, UserKind, folded_username,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinError,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    password::{generate_password, hash_password, verify_password},
    secret::sha256,
};

/// How long a sign-in waits for its turn to have the password checked.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often guessing may fail, and how many passwords are checked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInLimits {
    /// Failures of one user name in a minute.
    pub per_minute_per_user: u32,
    /// Failures of one user name in an hour.
    pub per_hour_per_user: u32,
    /// Failures from one address in a minute.
    pub per_minute_per_address: u32,
    /// Passwords checked at the same time; each takes 64 MiB.
    pub password_checks_max: usize,
}

/// Proves passwords; cheap to clone, and the same one for all doors, so that they share the turns.
#[derive(Clone)]
pub struct SignIn(Arc<Inner>);

struct Inner {
    database: Database,
    limits: SignInLimits,
    /// Bounds the memory that password checks take together.
    turns: Semaphore,
    /// The hash that stands in for an unknown user's, so that both take the same time.
    stand_in_hash: OnceLock<String>,
}

/// Who tries, for limits and records.
#[derive(Debug, Clone)]
pub struct Attempting {
    /// Where from, when that is known.
    pub address: Option<IpAddr>,
    /// The same for the audit trail.
    pub actor: AuditActor,
    /// What a failure is called there.
    pub action: &'static str,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// The same for a wrong password, an unknown name, and an account that may not sign in.
    #[error("the user name or the password is wrong")]
    Wrong,
    /// Too many attempts have failed.
    #[error("too many failed sign-ins")]
    TooMany {
        /// Seconds until the next one is possible.
        wait_seconds: u32,
    },
    /// Too many passwords are being checked.
    #[error("too many sign-ins at the same time")]
    Busy,
    /// The database does not answer as it should.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The check broke down.
    #[error("a password could not be checked: {0}")]
    Failed(#[from] JoinError),
}

/// The allowances of one attempt to prove who one is; given back when it succeeds.
#[derive(Debug)]
pub struct Attempt(Vec<Allowance>);

impl SignIn {
    /// Over the accounts of a database.
    pub fn new(database: Database, limits: SignInLimits) -> Self {
        let turns = Semaphore::new(limits.password_checks_max);
        Self(Arc::new(Inner { database, limits, turns, stand_in_hash: OnceLock::new() }))
    }

    /// The account, if the password is its own; failures are limited and recorded.
    ///
    /// # Errors
    /// See [`SignInRefused`].
    pub async fn prove_password(
        &self,
        username: &str,
        password: String,
        attempting: Attempting,
    ) -> Result<User, SignInRefused> {
        let password = Zeroizing::new(password);
        let attempt = self.attempt(username, attempting.address).await?;
        let user = self.0.database.find_user(username).await?;
        if !self.fits(user.as_ref(), password).await? {
            self.record_failure(user.map(|user| user.id), attempting).await?;
            return Err(SignInRefused::Wrong);
        }
        self.give_back(attempt).await?;
        user.ok_or(SignInRefused::Wrong)
    }

    /// Takes one attempt under a name from an address.
    ///
    /// # Errors
    /// [`SignInRefused::TooMany`], and failures of the database.
    pub async fn attempt(&self, name: &str, address: Option<IpAddr>) -> Result<Attempt, SignInRefused> {
        let attempt = Attempt(allowances(self.0.limits, name, address));
        let taken = self.0.database.take_attempt(&attempt.0).await?;
        taken.map_err(|wait_seconds| SignInRefused::TooMany { wait_seconds })?;
        Ok(attempt)
    }

    /// It succeeded, and only failures count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_back(&self, attempt: Attempt) -> Result<(), DatabaseError> {
        self.0.database.give_back_attempt(&attempt.0).await
    }

    /// Records that somebody, of that account or of none, could not prove it.
    ///
    /// # Errors
    /// When the audit trail cannot be written.
    pub async fn record_failure(
        &self,
        user_id: Option<Uuid>,
        attempting: Attempting,
    ) -> Result<(), DatabaseError> {
        let actor = AuditActor { user_id, ..attempting.actor };
        self.0.database.audit(AuditRecord::refused(&actor, attempting.action)).await
    }

    /// A turn for work on a password, for as long as it is held; `None` when the process ends.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turns.acquire().await.ok()
    }

    /// Checks the password on a blocking thread; for an unknown user against a hash that nothing fits.
    async fn fits(&self, user: Option<&User>, password: Zeroizing<String>) -> Result<bool, SignInRefused> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turn()).await;
        let Ok(Some(_turn)) = turn else { return Err(SignInRefused::Busy) };
        // Service accounts and people of another issuer have no password: as if they were unknown.
        let user = user.filter(|user| user.kind == UserKind::Person);
        let known = user.map(|user| user.password_hash.clone());
        let active = user.is_some_and(|user| user.active);
        let this = self.clone();
        let check = move || {
            // Made before it is known whether it is needed: the first sign-in after a start tells nothing either.
            let stand_in = this.0.stand_in_hash.get_or_init(make_stand_in_hash);
            let fits = verify_password(&password, known.as_deref().unwrap_or(stand_in));
            fits && known.is_some() && active
        };
        Ok(tokio::task::spawn_blocking(check).await?)
    }
}

fn make_stand_in_hash() -> String {
    generate_password().and_then(|password| hash_password(&password)).unwrap_or_default()
}

/// One allowance, whose owner is told apart by `purpose` and `name`.
pub fn allowance(purpose: &str, name: &str, burst: u32, period: TimeDelta) -> Allowance {
    Allowance { key: sha256(&format!("{purpose}\0{name}")), burst, period }
}

fn allowances(limits: SignInLimits, name: &str, address: Option<IpAddr>) -> Vec<Allowance> {
    // As the account is looked up: nobody gets more attempts by spelling its name in another way.
    let (name, network) = (folded_username(name), network(address));
    vec![
        allowance("name", &name, limits.per_minute_per_user, TimeDelta::minutes(1)),
        allowance("name in an hour", &name, limits.per_hour_per_user, TimeDelta::hours(1)),
        allowance("address", &network, limits.per_minute_per_address, TimeDelta::minutes(1)),
    ]
}

/// What counts as one address: an IPv6 host has a whole /64 for itself.
pub fn network(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => format!("{:x?}/64", &address.segments()[..4]),
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_network_is_one_address_and_names_fold() {
        let limits = SignInLimits {
            per_minute_per_user: 5,
            per_hour_per_user: 50,
            per_minute_per_address: 20,
            password_checks_max: 1,
        };
        let of = |name: &str, address: &str| allowances(limits, name, address.parse().ok());
        assert_eq!(of("Ann", "2001:db8::1"), of("ANN", "2001:db8::2"));
        assert_eq!(of("ann", "192.0.2.1"), of("a\0nn", "192.0.2.1"), "NUL is no letter of an account");
        assert_ne!(of("ann", "2001:db8::1")[2], of("ann", "2001:db8:0:1::1")[2]);
        assert_ne!(of("ann", "192.0.2.1")[2], of("ann", "192.0.2.2")[2]);
        assert_ne!(of("ann", "192.0.2.1")[0].key, of("ann", "192.0.2.1")[1].key);
    }
}
