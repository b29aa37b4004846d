//! Checks what came after `Authorization: Bearer`, whichever door it came to: our access tokens, those of the other
//! issuer, and device tokens.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use database::{AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError};
use model::access::{Grant, Principal};

use super::{
    jws::TokenRefused,
    oidc::{Oidc, OidcError},
    request_rate::RequestRate,
    secret::{DEVICE_TOKEN, sha256},
    token::Issuer,
};

/// A device is looked up again after this time; its revocation is known sooner.
const DEVICE_KNOWN_FOR: Duration = Duration::from_secs(4);
/// Devices remembered at once.
const DEVICES_MAX: usize = 10_000;
/// Refused tokens of one address are one record in this time.
const REFUSAL_NOTED_EVERY: Duration = Duration::from_mins(1);
/// Addresses told apart at once; beyond it they share a record.
const REFUSED_ADDRESSES_MAX: usize = 1_000;

/// Checks access tokens; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    online: Option<Online>,
    rate: Option<RequestRate>,
}

/// What is asked beyond the token itself.
struct Online {
    database: Database,
    oidc: Option<Oidc>,
    devices: Mutex<HashMap<[u8; 32], (Instant, Principal)>>,
    /// When the refusals of an address were last noted, and how many came since.
    refusals: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Authenticator {
    pub(super) fn offline(issuer: Issuer) -> Self {
        Self::new(issuer, None)
    }

    pub(super) fn online(issuer: Issuer, database: Database) -> Result<Self, OidcError> {
        let config = &issuer.config().oidc;
        let oidc = if config.is_on() { Some(Oidc::new(config.clone(), database.clone())?) } else { None };
        let online = Online { database, oidc, devices: Mutex::default(), refusals: Mutex::default() };
        Ok(Self::new(issuer, Some(online)))
    }

    fn new(issuer: Issuer, online: Option<Online>) -> Self {
        let config = issuer.config();
        let rate = RequestRate::new(config.requests_per_second, config.requests_burst);
        Self(Arc::new(Inner { issuer, online, rate }))
    }

    /// Counts a request of a sign-in at one of the HTTP doors of this node.
    ///
    /// # Errors
    /// The seconds to wait when it has made too many (`identity.requests_per_second`).
    pub fn admit(&self, who: &Principal) -> Result<(), u32> {
        self.0.rate.as_ref().map_or(Ok(()), |rate| rate.take(who, Instant::now()))
    }

    /// Who the token belongs to.
    ///
    /// # Errors
    /// When anything about the token is not as its issuer would have made it, or its session was taken back.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, TokenRefused> {
        let issuer = &self.0.issuer;
        let Some(online) = &self.0.online else { return issuer.verify(token) };
        let principal = if token.starts_with(DEVICE_TOKEN) {
            online.device(token).await?
        } else if let Some(oidc) = online.oidc.as_ref().filter(|oidc| oidc.claims_to_issue(token)) {
            oidc.verify(token, issuer.now()).await?
        } else {
            issuer.verify(token)?
        };
        if let Some(session_id) = principal.session_id {
            match online.database.is_session_revoked(session_id).await {
                Ok(false) => {}
                Ok(true) => return Err(TokenRefused::Invalid("its session was taken back")),
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Ok(principal)
    }

    /// Puts a refused token into the audit trail: the first from an address at once, those that follow within a minute
    /// as a number. So a flood of them is no flood of synchronous writes.
    pub async fn note_refusal(&self, refusal: &TokenRefused, source_address: &str, request_id: &str) {
        let Some(online) = &self.0.online else { return };
        let Some(more) = online.count_refusal(source_address) else { return };
        let actor = AuditActor {
            source_address: source_address.to_owned(),
            request_id: request_id.to_owned(),
            ..AuditActor::default()
        };
        let mut record = AuditRecord::success(&actor, "authenticate");
        record.outcome = AuditOutcome::Refused;
        record.detail =
            if more == 0 { refusal.to_string() } else { format!("{refusal}; {more} more before") };
        if let Err(error) = online.database.audit(record).await {
            tracing::error!(%error, "a refused token could not be recorded in the audit trail");
        }
    }
}

impl Online {
    async fn device(&self, token: &str) -> Result<Principal, TokenRefused> {
        let hash = sha256(token);
        if let Some(principal) = self.remembered(&hash) {
            return Ok(principal);
        }
        let found = self.database.session_of_token(&hash).await.map_err(|error| unavailable(&error))?;
        let opened = found.ok_or(TokenRefused::Invalid("it is no live device token"))?;
        let principal = Principal {
            session_id: Some(opened.session.id),
            grant: Some(Grant::Device),
            ..Principal::new(opened.session.user_id, opened.role, opened.doctor_id)
        };
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if devices.len() >= DEVICES_MAX {
            devices.retain(|_, (since, _)| since.elapsed() < DEVICE_KNOWN_FOR);
        }
        if devices.len() < DEVICES_MAX {
            devices.insert(hash, (Instant::now(), principal.clone()));
        }
        Ok(principal)
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Principal> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, principal) = devices.get(hash)?;
        (since.elapsed() < DEVICE_KNOWN_FOR).then(|| principal.clone())
    }

    /// How many refusals a record that is due now has to speak for; `None` when it is not due.
    fn count_refusal(&self, source_address: &str) -> Option<u32> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= REFUSED_ADDRESSES_MAX {
            refusals.retain(|_, (since, _)| since.elapsed() < REFUSAL_NOTED_EVERY);
        }
        let key = if refusals.len() < REFUSED_ADDRESSES_MAX || refusals.contains_key(source_address) {
            source_address
        } else {
            ""
        };
        match refusals.get_mut(key) {
            Some((since, more)) if since.elapsed() < REFUSAL_NOTED_EVERY => {
                *more += 1;
                None
            }
            Some(noted) => Some(std::mem::replace(noted, (Instant::now(), 0)).1),
            None => {
                refusals.insert(key.to_owned(), (Instant::now(), 0));
                Some(0)
            }
        }
    }
}

fn unavailable(error: &DatabaseError) -> TokenRefused {
    tracing::warn!(%error, "sessions cannot be checked");
    TokenRefused::Unavailable
}
