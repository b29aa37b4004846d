//! `POST /oauth2/token`, RFC 6749 3.2: a service account's secret, or a refresh token, for an access token.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use database::{NewSession, SessionKind, User, UserKind};
use serde::{Deserialize, Serialize};
use service::http::json::Json;
use service::{
    http::problem::Problem,
    identity::{allowance, is_hashed_secret},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    errors,
    sessions::{allowance::take, create_session::SourceAddress, refresh_session::continue_session, tokens},
    state::AppState,
};

/// Longest form.
const FORM_LENGTH_MAX_BYTES: usize = 16 * 1024;

/// The form, as `application/x-www-form-urlencoded`.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only describes the form in the OpenAPI document")]
pub struct TokenRequest {
    /// `client_credentials` or `refresh_token`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The service account, unless it stands in the Authorization header (Basic).
    client_id: Option<Uuid>,
    /// Its secret, unless it stands in the Authorization header (Basic).
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// With `refresh_token`.
    #[schema(format = Password)]
    refresh_token: Option<String>,
}

/// RFC 6749 5.2.
#[derive(Serialize, ToSchema)]
pub struct TokenError {
    /// `invalid_request`, `invalid_client`, `invalid_grant`, `unsupported_grant_type` or `invalid_scope`.
    #[schema(example = "invalid_client")]
    error: &'static str,
    /// For people.
    error_description: &'static str,
}

enum Refused {
    /// RFC 6749 5.2.
    Token(StatusCode, &'static str, &'static str),
    /// Everything else.
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn refused<T>(error: &'static str, description: &'static str) -> Result<T, Refused> {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    Err(Refused::Token(status, error, description))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Token(status, error, error_description) => {
                let mut response = (status, Json(TokenError { error, error_description })).into_response();
                if status == StatusCode::UNAUTHORIZED {
                    let basic = HeaderValue::from_static("Basic realm=\"maxray\"");
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
                }
                response
            }
        }
    }
}

/// Get an access token
///
/// For programs: `client_credentials` with a service account's id and secret (in the form or as HTTP Basic), or
/// `refresh_token`. Errors have the form of RFC 6749. A token has the rights of its account; there are no scopes, and
/// asking for one is refused.
#[utoipa::path(
    post,
    path = "/oauth2/token",
    tag = "sessions",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "An access token", body = crate::sessions::Tokens),
        (status = 400, description = "The form, the grant or the scope is not acceptable", body = TokenError),
        (status = 401, description = "The service account is unknown, or its secret wrong", body = TokenError),
        (status = 429, description = "Too many: try again after Retry-After seconds",
         body = crate::openapi::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn issue_token(
    State(state): State<AppState>,
    source: SourceAddress,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let issued = issue(&state, &source, &headers, body).await;
    let mut response = issued.map_or_else(IntoResponse::into_response, IntoResponse::into_response);
    // RFC 6749 5.1.
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

async fn issue(
    state: &AppState,
    source: &SourceAddress,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<crate::sessions::Tokens>, Refused> {
    let form = Form::read(headers, body).await?;
    if form.get("scope")?.is_some() {
        return refused("invalid_scope", "there are no scopes: a token has the rights of its account");
    }
    match form.get("grant_type")? {
        Some("client_credentials") => client_credentials(state, source, headers, &form).await,
        Some("refresh_token") => {
            let Some(token) = form.get("refresh_token")? else {
                return refused("invalid_request", "refresh_token is missing");
            };
            match continue_session(state, token, source).await {
                Err(problem) if problem.status == 401 => {
                    refused("invalid_grant", "the refresh token is not good: sign in again")
                }
                other => Ok(Json(other?)),
            }
        }
        Some(_) => refused("unsupported_grant_type", "use client_credentials or refresh_token"),
        None => refused("invalid_request", "grant_type is missing"),
    }
}

async fn client_credentials(
    state: &AppState,
    source: &SourceAddress,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Json<crate::sessions::Tokens>, Refused> {
    let (id, secret) = match (basic(headers), form.get("client_id")?, form.get("client_secret")?) {
        (Some(pair), None, None) => pair,
        (None, Some(id), Some(secret)) => (id.to_owned(), secret.to_owned()),
        _ => {
            return refused(
                "invalid_client",
                "send client_id and client_secret once, in the form or as HTTP Basic",
            );
        }
    };
    let client = prove_client(state, source, &id, &secret).await?;
    let per_minute = state.config.client_tokens_per_minute;
    let tokens_of = allowance("client tokens", &client.id.to_string(), per_minute, TimeDelta::minutes(1));
    take(state, &[tokens_of], "too many tokens: one is good for several minutes").await?;
    let lifetime = TimeDelta::seconds(state.issuer.config().access_token_lifetime_seconds.into());
    let new = NewSession {
        password_hash: Some(client.password_hash.clone()),
        label: client.username.clone(),
        ..NewSession::new(client.id, SessionKind::Client, state.clock.now() + lifetime)
    };
    let opened = state.database().create_session(new, &source.actor()).await.map_err(errors::database)?;
    Ok(Json(tokens(state, opened, None)?))
}

/// The service account, if the secret is its own; failures are limited and audited.
async fn prove_client(
    state: &AppState,
    source: &SourceAddress,
    id: &str,
    secret: &str,
) -> Result<User, Refused> {
    let parsed = id.parse::<Uuid>().ok();
    // A UUID can be spelled in many ways, and the account has one limit.
    let name = parsed.map_or_else(|| id.to_owned(), |id| id.to_string());
    let attempt = state.sign_in.attempt(&name, source.0).await.map_err(errors::sign_in)?;
    let found = match parsed {
        Some(id) => state.database().user(id).await.map_err(errors::database)?,
        None => None,
    };
    let user_id = found.as_ref().map(|user| user.id);
    let proved = found.filter(|user| {
        let fits = is_hashed_secret(secret, &user.password_hash);
        fits && user.kind == UserKind::Client && user.active
    });
    let Some(client) = proved else {
        state.sign_in.record_failure(user_id, source.attempting()).await.map_err(errors::database)?;
        return refused("invalid_client", "the client is unknown, or its secret is wrong");
    };
    state.sign_in.give_back(attempt).await.map_err(errors::database)?;
    Ok(client)
}

/// RFC 6749 2.3.1: both halves are form-encoded inside the Basic credentials.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| {
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

struct Form(Vec<(String, String)>);

impl Form {
    async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refused> {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return refused("invalid_request", "send application/x-www-form-urlencoded");
        }
        let Ok(body) = axum::body::to_bytes(body, FORM_LENGTH_MAX_BYTES).await else {
            return refused("invalid_request", "the form is too long");
        };
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// RFC 6749 3.2: a parameter stands at most once; an empty one counts as given, so that it cannot mean "all".
    fn get(&self, name: &str) -> Result<Option<&str>, Refused> {
        let mut found = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = found.next();
        if found.next().is_some() {
            return refused("invalid_request", "a parameter stands twice");
        }
        Ok(first)
    }
}
