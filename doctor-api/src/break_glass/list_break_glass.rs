//! `GET /break-glass`: the own emergency accesses.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};

use super::{BreakGlassList, LISTED_MAX};
use crate::{
    errors,
    policy::{BreakGlass, Permit},
    state::AppState,
};

/// List your emergency accesses
#[utoipa::path(
    get,
    path = "/break-glass",
    tag = "break-glass",
    security(("bearer" = ["break_glass"])),
    responses((status = 200, description = "The newest first", body = BreakGlassList))
)]
pub async fn list_break_glass(
    State(state): State<AppState>,
    permit: Permit<BreakGlass>,
) -> Result<Json<BreakGlassList>, Problem> {
    let own = Some(permit.caller.principal.user_id);
    let list = state.database().break_glass_list(own, false, LISTED_MAX).await;
    Ok(Json(list.map_err(errors::database)?.into()))
}
