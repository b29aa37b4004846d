//! RFC 7515 and RFC 7519, what is the same for the tokens of any issuer: size, header, times.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

/// Longest token that is looked at.
const TOKEN_LENGTH_MAX_BYTES: usize = 8 * 1024;
/// How far clocks may be apart.
const LEEWAY_SECONDS: u64 = 30;

/// Why a token was refused: for the log and the audit trail, never for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It is not valid, or not any more.
    #[error("{0}")]
    Invalid(&'static str),
    /// Whether it is valid cannot be known now.
    #[error("whether the token is still good cannot be known now")]
    Unavailable,
}

/// The part of a JOSE header that is read.
#[derive(Deserialize)]
pub(super) struct TokenHeader {
    pub typ: Option<String>,
    pub alg: String,
    pub kid: Option<String>,
    /// RFC 7515 4.1.11: extensions that must be understood. None is.
    crit: Option<Value>,
}

/// The header of a compact JWS of acceptable size, with nothing in it that would have to be understood.
pub(super) fn read_header(token: &str) -> Result<TokenHeader, TokenRefused> {
    if token.len() > TOKEN_LENGTH_MAX_BYTES {
        return Err(TokenRefused::Invalid("it is too long"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenRefused::Invalid("it is no signed JWT"));
    };
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|json| serde_json::from_slice::<TokenHeader>(&json).ok());
    let header = header.ok_or(TokenRefused::Invalid("its header cannot be read"))?;
    if header.crit.is_some() {
        return Err(TokenRefused::Invalid("it has a critical extension"));
    }
    Ok(header)
}

pub(super) fn check_times(now: u64, iat: u64, exp: u64, nbf: Option<u64>) -> Result<(), TokenRefused> {
    if exp.saturating_add(LEEWAY_SECONDS) < now {
        return Err(TokenRefused::Invalid("it has expired"));
    }
    if iat > now.saturating_add(LEEWAY_SECONDS)
        || nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY_SECONDS))
    {
        return Err(TokenRefused::Invalid("it comes from the future"));
    }
    if exp <= iat {
        return Err(TokenRefused::Invalid("it ended before it began"));
    }
    Ok(())
}
