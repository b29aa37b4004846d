//! `GET /users`: accounts by name.

use axum::extract::State;
use database::{UserFilter, UserKind};
use model::access::Role;
use serde::Deserialize;
use service::http::{json::Json, problem::Problem};
use utoipa::IntoParams;

use super::UserBody;
use crate::{
    errors,
    input::{
        check::Checks,
        page::{Page, PageRequest},
        query::QueryParameters,
    },
    policy::{ManageUsers, Permit},
    state::AppState,
};

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// What they may do.
    role: Option<String>,
    /// `person`, `client` or `external`.
    kind: Option<String>,
    /// May sign in, or not.
    active: Option<bool>,
    /// Most rows of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows to leave out.
    #[param(minimum = 0, maximum = 1_000_000)]
    offset: Option<u64>,
}

/// List accounts
#[utoipa::path(
    get,
    path = "/users",
    tag = "users",
    security(("bearer" = ["manage_users"])),
    params(UserQuery),
    responses((status = 200, description = "A page of accounts, by name", body = Page<UserBody>))
)]
pub async fn list_users(
    State(state): State<AppState>,
    _permit: Permit<ManageUsers>,
    QueryParameters(query): QueryParameters<UserQuery>,
) -> Result<Json<Page<UserBody>>, Problem> {
    let mut checks = Checks::new();
    let role = query.role.as_deref().map(str::parse::<Role>);
    checks.require(!matches!(role, Some(Err(_))), "role", "is no role");
    let kind = query.kind.as_deref().map(|word| UserKind::ALL.into_iter().find(|kind| kind.as_str() == word));
    checks.require(kind != Some(None), "kind", "is one of person, client, external");
    let page = PageRequest::new(query.limit, query.offset, &state.config, &mut checks);
    checks.finish_query()?;
    let filter = UserFilter {
        role: role.and_then(Result::ok),
        kind: kind.flatten(),
        active: query.active,
        limit: page.fetch(),
        offset: page.offset,
    };
    let users = state.database().users(&filter).await.map_err(errors::database)?;
    Ok(Json(page.page(users, UserBody::from)))
}
