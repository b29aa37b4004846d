//! How often something may be done: kept in the database, so that neither a restart nor another node forgets. It slows,
//! and never locks an account for good.

use axum::http::StatusCode;
use database::Allowance;
use service::http::problem::Problem;

use crate::{errors, state::AppState};

/// Takes one from each allowance, or answers 429.
///
/// # Errors
/// 429 with the time to wait.
pub async fn take(state: &AppState, allowances: &[Allowance], why: &str) -> Result<(), Problem> {
    let taken = state.database().take_attempt(allowances).await.map_err(errors::database)?;
    taken.map_err(|wait| Problem::new(StatusCode::TOO_MANY_REQUESTS).detail(why).retry_after(wait))
}
