//! Opaque secrets: 256 random bits behind a prefix that says what they are (and lets scanners find leaked ones).
//! Only their SHA-256 is kept; nothing that random needs a slow hash.

use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Prefix of refresh tokens.
pub const REFRESH_TOKEN: &str = "mxr_";
/// Prefix of device tokens.
pub const DEVICE_TOKEN: &str = "mxd_";

/// Prefix of service accounts' secrets.
pub const CLIENT_SECRET: &str = "mxc_";

/// The machine gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the machine gives no random bytes")]
pub struct NoRandomness;

/// A new secret and what is kept of it.
pub struct Secret {
    /// Shown once.
    pub text: String,
    /// Kept.
    pub sha256: [u8; 32],
}

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate(prefix: &str) -> Result<Self, NoRandomness> {
        let mut random = [0_u8; 32];
        SystemRandom::new().fill(&mut random).map_err(|_| NoRandomness)?;
        let text = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(random));
        let sha256 = sha256(&text);
        Ok(Self { text, sha256 })
    }
}

/// How the hash of a service account's secret stands where a password's hash would.
pub fn hashed_secret(sha256: &[u8; 32]) -> String {
    format!("$sha256${}", BASE64_URL_SAFE_NO_PAD.encode(sha256))
}

/// Whether a secret is the one of that hash; never true of a password's hash.
pub fn is_hashed_secret(secret: &str, hash: &str) -> bool {
    let shown = hashed_secret(&sha256(secret));
    aws_lc_rs::constant_time::verify_slices_are_equal(shown.as_bytes(), hash.as_bytes()).is_ok()
}

/// What is kept of a secret.
pub fn sha256(secret: &str) -> [u8; 32] {
    sha256_of(secret.as_bytes())
}

/// SHA-256 of any bytes.
pub fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0_u8; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_long() {
        let (one, two) = (
            Secret::generate(REFRESH_TOKEN).expect("random"),
            Secret::generate(REFRESH_TOKEN).expect("random"),
        );
        assert_ne!(one.text, two.text);
        assert!(one.text.starts_with("mxr_") && one.text.len() == 4 + 43);
        assert_eq!(one.sha256, sha256(&one.text));
        assert_ne!(one.sha256, two.sha256);
    }
}
