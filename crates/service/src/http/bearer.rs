//! RFC 6750, bearer tokens: proves who sent a request. The token is taken from the header only, never from a URL.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{StatusCode, header, request::Parts},
};
use model::{
    access::{Action, Principal, Scope},
    text::hex,
};

use super::problem::Problem;
use crate::{
    identity::{Authenticator, TokenRefused},
    tls::PeerCertificate,
};

/// Who sent the request, and from where. Extracting it answers 401 when the token is missing or not valid, and
/// 429 when its sign-in asks for too much.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The account.
    pub principal: Principal,
    /// Address of the peer; empty when unknown.
    pub source_address: String,
    /// SHA-256 of the public key of the peer's certificate, hexadecimal; empty without one.
    pub certificate: String,
}

/// What an earlier layer of the same request was told.
#[derive(Clone)]
struct Refusal(Problem);

impl Authenticated {
    /// Asks the rules.
    ///
    /// # Errors
    /// 403 when the account's role may not do this.
    pub fn authorize(&self, action: Action) -> Result<Scope, Problem> {
        self.principal.authorize(action).map_err(|_| Problem::forbidden())
    }
}

impl<S> FromRequestParts<S> for Authenticated
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // An earlier layer of the same request has asked already.
        if let Some(found) = parts.extensions.get::<Self>() {
            return Ok(found.clone());
        }
        if let Some(Refusal(problem)) = parts.extensions.get() {
            return Err(problem.clone());
        }
        let authenticator = Authenticator::from_ref(state);
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) =
            header.and_then(|text| text.split_once(' ')).ok_or_else(Problem::unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized());
        }
        let source_address = source_address(parts);
        let principal = match authenticator.authenticate(token.trim()).await {
            Ok(principal) => principal,
            Err(refusal) => {
                tracing::debug!(%refusal, "token refused");
                let request_id = super::request_id::current().unwrap_or_default();
                authenticator.note_refusal(&refusal, &source_address, &request_id).await;
                let problem = match refusal {
                    TokenRefused::Invalid(_) => Problem::unauthorized(),
                    TokenRefused::Unavailable => Problem::unavailable("sessions cannot be checked now"),
                };
                parts.extensions.insert(Refusal(problem.clone()));
                return Err(problem);
            }
        };
        if let Err(wait_seconds) = authenticator.admit(&principal) {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS)
                .detail("too many requests at once: go on after Retry-After seconds, with fewer at a time")
                .retry_after(wait_seconds);
            parts.extensions.insert(Refusal(problem.clone()));
            return Err(problem);
        }
        let certificate = parts.extensions.get::<PeerCertificate>();
        let certificate = certificate.map_or_else(String::new, |found| hex(found.public_key_sha256()));
        let found = Self { principal, source_address, certificate };
        parts.extensions.insert(found.clone());
        Ok(found)
    }
}

/// Address of the peer; empty when unknown.
pub fn source_address(parts: &Parts) -> String {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or_else(String::new, |ConnectInfo(address)| address.ip().to_string())
}
