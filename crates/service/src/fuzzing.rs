//! What must hold for any bytes whatever: the bodies of the fuzz targets of this crate, see `fuzz/README.md`.

use std::sync::OnceLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use chrono::DateTime;
use model::clock::Clock;
use serde_json::Value;

use crate::identity::{IdentityConfig, Issuer};
pub use crate::patient_service::fuzzing::registry;

/// A P-256 key that signs nothing but the inputs here: the kept ones name it.
const KEY: &[u8] = include_bytes!("../../../fuzz/token-key.der");
/// The time at which all tokens are looked at.
const NOW: i64 = 1_800_000_000;
/// How far clocks may be apart, in seconds.
const LEEWAY_MAX_SECONDS: i64 = 60;

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(|| {
        let clock = Clock::from_fn(|| DateTime::from_timestamp(NOW, 0).expect("a time"));
        Issuer::from_pkcs8(KEY, IdentityConfig::default(), clock).expect("a key")
    })
}

/// RFC 9068: any bytes as an access token; and, after a NUL byte, as header and claims of one that is signed with the
/// right key. What is accepted is judged again by other code.
///
/// # Panics
/// When a token that nobody signed is taken, or one whose header or claims are not those of an access token.
pub fn token(input: &[u8]) {
    let issuer = issuer();
    let Some((header, claims)) = split_at_nul(input) else {
        if let Ok(token) = std::str::from_utf8(input) {
            assert!(issuer.verify(token).is_err(), "a token that nobody signed");
        }
        return;
    };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let unsigned = format!("{message}.{}", URL_SAFE_NO_PAD.encode([7; 64]));
    assert!(issuer.verify(&unsigned).is_err(), "a wrong signature");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, KEY).expect("a key");
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
    let signed = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    if issuer.verify(&signed).is_ok() {
        check(header, claims);
    }
}

fn split_at_nul(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = input.iter().position(|byte| *byte == 0)?;
    Some((&input[..at], &input[at + 1..]))
}

/// The naive reading of threats.md section 3: what an accepted token must say.
fn check(header: &[u8], claims: &[u8]) {
    let header: Value = serde_json::from_slice(header).expect("a header is JSON");
    let claims: Value = serde_json::from_slice(claims).expect("claims are JSON");
    assert_eq!(header["alg"], "ES256", "{header}");
    assert_eq!(header["typ"], "at+jwt", "{header}");
    assert!(header["kid"].is_string(), "{header}");
    let config = IdentityConfig::default();
    assert_eq!(claims["iss"], config.issuer.as_str(), "{claims}");
    assert_eq!(claims["aud"], config.audience.as_str(), "{claims}");
    assert!(claims["sub"].is_string(), "{claims}");
    let exp = claims["exp"].as_u64().expect("exp is a number");
    assert!(exp >= (NOW - LEEWAY_MAX_SECONDS) as u64, "expired: {claims}");
    let iat = claims["iat"].as_u64().expect("iat is a number");
    assert!(iat <= (NOW + LEEWAY_MAX_SECONDS) as u64, "from the future: {claims}");
    assert!(claims["client_id"].is_string() && claims["jti"].is_string(), "{claims}");
    let not_before = claims["nbf"].as_u64().unwrap_or_default();
    assert!(not_before <= (NOW + LEEWAY_MAX_SECONDS) as u64, "not yet: {claims}");
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_token() {
        replay::replay("token", token);
    }

    #[test]
    fn corpus_registry() {
        replay::replay("registry", registry);
    }
}
