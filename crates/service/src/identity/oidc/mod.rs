//! Access tokens of another issuer (OpenID Connect, OAuth 2.0), proved with its published keys.
//!
//! The token's own claims say who somebody is; what that person may do comes from the configured mapping of its roles,
//! and a subject becomes an account here so that the audit trail, grants and deactivation work as for everybody else.

mod accounts;
pub(super) mod config;
mod keys;

use database::Database;
use jsonwebtoken::Validation;
use model::access::Principal;
use serde_json::{Map, Value};

pub use config::OidcConfig;

use self::{accounts::Accounts, config::algorithm, keys::IssuerKeys};
use super::jws::{TokenRefused, check_times, read_header};

/// Longest `sub`, in bytes (OpenID Connect Core 2).
const SUBJECT_LENGTH_MAX: usize = 255;

/// Another issuer.
pub(super) struct Oidc {
    config: OidcConfig,
    keys: IssuerKeys,
    accounts: Accounts,
}

/// The other issuer cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("identity.oidc: no HTTP client")]
pub struct OidcError(#[source] reqwest::Error);

/// Somebody whom the other issuer proved.
pub(super) struct Proved<'a> {
    pub subject: &'a str,
    pub claims: &'a Map<String, Value>,
}

impl Oidc {
    pub(super) fn new(config: OidcConfig, database: Database) -> Result<Self, OidcError> {
        let keys = IssuerKeys::new(config.clone()).map_err(OidcError)?;
        Ok(Self { accounts: Accounts::new(config.clone(), database), keys, config })
    }

    /// Whether the token says that it is this issuer's. It proves nothing: it only says who has to look at it.
    pub(super) fn claims_to_issue(&self, token: &str) -> bool {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        let payload = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let claims = payload.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        claims.is_some_and(|claims| claims.get("iss").and_then(Value::as_str) == Some(&self.config.issuer))
    }

    pub(super) async fn verify(&self, token: &str, now: u64) -> Result<Principal, TokenRefused> {
        let refuse = |reason| TokenRefused::Invalid(reason);
        let header = read_header(token)?;
        let typ = header.typ.unwrap_or_default().to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        if typ != "at+jwt" && !(self.config.accept_plain_jwt && matches!(typ, "jwt" | "")) {
            return Err(refuse("it is no access token"));
        }
        let algorithm = algorithm(&header.alg).filter(|algorithm| self.config.allows(*algorithm));
        let algorithm = algorithm.ok_or(refuse("its algorithm is not taken"))?;
        let key_id = header.kid.filter(|id| id.len() <= 256).ok_or(refuse("it names no key"))?;
        let key = self.keys.find(&key_id).await.ok_or(refuse("its key is not known"))?;
        if key.algorithm != algorithm {
            return Err(refuse("its algorithm is not its key's"));
        }
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[&self.config.audience]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation);
        let claims = decoded.map_err(|_| refuse("the signature or a claim is wrong"))?.claims;
        self.accounts.principal(&self.check(&claims, now)?).await
    }

    /// Every claim that matters, with its type: what a library passes over because it is a string is refused here.
    fn check<'a>(&self, claims: &'a Map<String, Value>, now: u64) -> Result<Proved<'a>, TokenRefused> {
        let refuse = |reason| TokenRefused::Invalid(reason);
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(&self.config.issuer) {
            return Err(refuse("its issuer is another"));
        }
        let audience = match claims.get("aud") {
            Some(Value::String(one)) => *one == self.config.audience,
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().any(|one| one == &self.config.audience)
            }
            _ => false,
        };
        if !audience {
            return Err(refuse("it is for somebody else"));
        }
        let time = |name: &str| claims.get(name).and_then(seconds);
        let (Some(exp), Some(iat)) = (time("exp"), time("iat")) else {
            return Err(refuse("exp and iat must be numbers"));
        };
        let nbf = match claims.get("nbf") {
            None => None,
            Some(value) => Some(seconds(value).ok_or(refuse("nbf must be a number"))?),
        };
        check_times(now, iat, exp, nbf)?;
        let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_LENGTH_MAX);
        Ok(Proved { subject: subject.ok_or(refuse("it names no subject"))?, claims })
    }
}

/// RFC 7519 2, NumericDate; fractions are cut.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| (0.0..9e15).contains(number))?;
        Some(number as u64)
    })
}
