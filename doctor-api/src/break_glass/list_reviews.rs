//! `GET /break-glass/reviews`: the emergency accesses that wait for a review.

use axum::extract::State;
use service::http::{json::Json, problem::Problem};

use super::{BreakGlassList, LISTED_MAX};
use crate::{
    errors,
    policy::{Permit, ReviewBreakGlass},
    state::AppState,
};

/// List the emergency accesses that wait for a review
#[utoipa::path(
    get,
    path = "/break-glass/reviews",
    tag = "break-glass",
    security(("bearer" = ["review_break_glass"])),
    responses((status = 200, description = "Those that nobody reviewed, the newest first", body = BreakGlassList))
)]
pub async fn list_reviews(
    State(state): State<AppState>,
    _permit: Permit<ReviewBreakGlass>,
) -> Result<Json<BreakGlassList>, Problem> {
    let list = state.database().break_glass_list(None, true, LISTED_MAX).await;
    Ok(Json(list.map_err(errors::database)?.into()))
}
