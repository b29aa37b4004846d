//! `GET /.well-known/openid-configuration`: where the other two are (RFC 8414). We issue access tokens and no
//! ID tokens, so there is no authorization endpoint to tell of.

use axum::extract::State;
use serde_json::{Value, json};
use service::http::{json::Json, problem::Problem};

use crate::state::AppState;

/// Where keys and tokens are
///
/// Only when `identity.issuer` is the https URL under which this server is reached.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "sessions",
    responses(
        (status = 200, description = "Metadata of the issuer", body = Object),
        (status = 404, description = "identity.issuer is no URL", body = crate::openapi::Problem,
         content_type = "application/problem+json"),
    )
)]
pub async fn get_metadata(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let issuer = &state.issuer.config().issuer;
    if !issuer.starts_with("https://") && !issuer.starts_with("http://") {
        return Err(Problem::not_found());
    }
    let base = issuer.trim_end_matches('/');
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "token_endpoint": format!("{base}/oauth2/token"),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "response_types_supported": [],
        "service_documentation": format!("{base}/docs"),
    })))
}
