//! How often guessing may fail: by name, by address, and by name in an hour. Kept in the database, so that neither a
//! restart nor another node forgets. It slows, and never locks an account for good.

use std::net::IpAddr;

use axum::http::StatusCode;
use chrono::TimeDelta;
use database::Allowance;
use model::text::fold;
use service::{http::problem::Problem, identity::sha256};

use crate::{config::DoctorApiConfig, errors, state::AppState};

/// The allowances of one attempt to prove who one is; given back when it succeeds.
pub struct Attempt(Vec<Allowance>);

impl Attempt {
    /// Takes the attempt, or answers 429.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub async fn take(state: &AppState, name: &str, address: Option<IpAddr>) -> Result<Self, Problem> {
        let attempt = Self(allowances(&state.config, name, address));
        take(state, &attempt.0, "too many failed sign-ins").await?;
        Ok(attempt)
    }

    /// It succeeded, and only failures count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_back(self, state: &AppState) -> Result<(), Problem> {
        state.database().give_back_attempt(&self.0).await.map_err(errors::database)
    }
}

/// Takes one from each allowance, or answers 429.
///
/// # Errors
/// 429 with the time to wait.
pub async fn take(state: &AppState, allowances: &[Allowance], why: &str) -> Result<(), Problem> {
    let taken = state.database().take_attempt(allowances).await.map_err(errors::database)?;
    taken.map_err(|wait| Problem::new(StatusCode::TOO_MANY_REQUESTS).detail(why).retry_after(wait))
}

/// One allowance, whose owner is told apart by `purpose` and `name`.
pub fn allowance(purpose: &str, name: &str, burst: u32, period: TimeDelta) -> Allowance {
    Allowance { key: sha256(&format!("{purpose}\0{name}")), burst, period }
}

fn allowances(config: &DoctorApiConfig, name: &str, address: Option<IpAddr>) -> Vec<Allowance> {
    let (name, network) = (fold(name), network(address));
    vec![
        allowance("name", &name, config.sign_ins_per_minute_per_user, TimeDelta::minutes(1)),
        allowance("name in an hour", &name, config.sign_ins_per_hour_per_user, TimeDelta::hours(1)),
        allowance("address", &network, config.sign_ins_per_minute_per_address, TimeDelta::minutes(1)),
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
        let config = DoctorApiConfig::default();
        let of = |name: &str, address: &str| allowances(&config, name, address.parse().ok());
        assert_eq!(of("Ann", "2001:db8::1"), of("ANN", "2001:db8::2"));
        assert_ne!(of("ann", "2001:db8::1")[2], of("ann", "2001:db8:0:1::1")[2]);
        assert_ne!(of("ann", "192.0.2.1")[2], of("ann", "192.0.2.2")[2]);
        assert_ne!(of("ann", "192.0.2.1")[0].key, of("ann", "192.0.2.1")[1].key);
    }
}
