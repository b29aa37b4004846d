//! With what operations on a doctor begin.

use model::{
    access::{Action, Scope},
    clinical::Doctor,
};
use service::http::problem::Problem;
use uuid::Uuid;

use crate::{
    audit, errors,
    policy::{Permit, UpdateDoctor},
    state::AppState,
};

/// 404 unless the doctor is there.
pub async fn require_doctor(state: &AppState, id: Uuid) -> Result<Doctor, Problem> {
    let found = state.database().doctor(id).await.map_err(errors::database)?;
    found.ok_or_else(Problem::not_found)
}

/// 404 unless the doctor is there and in reach.
pub async fn require_doctor_in_reach(state: &AppState, scope: &Scope, id: Uuid) -> Result<Doctor, Problem> {
    if !scope.includes_doctor(id) {
        return Err(Problem::not_found());
    }
    require_doctor(state, id).await
}

/// Profiles are no secret to those who may change one, so this is 403 and not 404.
pub async fn require_own(state: &AppState, permit: &Permit<UpdateDoctor>, id: Uuid) -> Result<(), Problem> {
    if permit.scope.includes_doctor(id) {
        return Ok(());
    }
    audit::refused(state, &permit.caller, &audit::name(Action::UpdateDoctor)).await?;
    Err(Problem::forbidden())
}
