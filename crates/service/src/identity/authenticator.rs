//! Checks what came after `Authorization: Bearer`, whichever door it came to.

use std::sync::Arc;

use database::Database;
use model::access::Principal;

use super::{jws::TokenRefused, token::Issuer};

/// Checks access tokens; cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    database: Option<Database>,
}

impl Authenticator {
    pub(super) fn new(issuer: Issuer, database: Option<Database>) -> Self {
        Self(Arc::new(Inner { issuer, database }))
    }

    /// Who the token belongs to.
    ///
    /// # Errors
    /// When anything about the token is not as its issuer would have made it, or its session was taken back.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, TokenRefused> {
        let principal = self.0.issuer.verify(token)?;
        if let (Some(session_id), Some(database)) = (principal.session_id, &self.0.database) {
            match database.is_session_revoked(session_id).await {
                Ok(false) => {}
                Ok(true) => return Err(TokenRefused::Invalid("its session was taken back")),
                Err(error) => {
                    tracing::warn!(%error, "sessions cannot be checked");
                    return Err(TokenRefused::Unavailable);
                }
            }
        }
        Ok(principal)
    }
}
