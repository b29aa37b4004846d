//! `GET /.well-known/jwks.json`: the keys that verify our access tokens (RFC 7517 5).

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use service::http::json::Json;

use crate::state::AppState;

/// The public keys of access tokens
///
/// Two of them after a rotation, until the last token of the older one has ended.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "sessions",
    responses((status = 200, description = "A JWK set", content_type = "application/jwk-set+json"))
)]
pub async fn get_jwks(State(state): State<AppState>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "public, max-age=60")];
    (headers, Json(state.issuer.jwks())).into_response()
}
