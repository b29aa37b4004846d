//! How often something may be done: kept in the database, so that neither a restart nor another node forgets. It slows,
//! and never locks an account for good.

use axum::http::StatusCode;
use chrono::TimeDelta;
use database::Allowance;
use service::{
    http::problem::Problem,
    identity::{allowance, network},
};

use super::create_session::SourceAddress;
use crate::{errors, state::AppState};

/// Takes one from each allowance, or answers 429.
///
/// # Errors
/// 429 with the time to wait.
pub async fn take(state: &AppState, allowances: &[Allowance], why: &str) -> Result<(), Problem> {
    let taken = state.database().take_attempt(allowances).await.map_err(errors::database)?;
    taken.map_err(|wait| Problem::new(StatusCode::TOO_MANY_REQUESTS).detail(why).retry_after(wait))
}

/// Tries with secrets of this kind from one address. Each that fails is a record in the audit trail, and nobody needs an account
/// for it: beyond the allowance nothing is written.
pub fn of_address(state: &AppState, kind: &str, source: &SourceAddress) -> [Allowance; 1] {
    let burst = state.config.sign_ins_per_minute_per_address;
    [allowance(kind, &network(source.0), burst, TimeDelta::minutes(1))]
}

/// It succeeded, and only failures count. What was done stays done, also when this fails.
pub async fn give_back(state: &AppState, allowances: &[Allowance]) {
    if let Err(error) = state.database().give_back_attempt(allowances).await {
        tracing::warn!(%error, "an attempt that succeeded counts as one that failed");
    }
}
