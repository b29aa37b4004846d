//! Passwords: Argon2id with 64 MiB and 3 passes; both functions are slow by intent, call them on a blocking thread.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// Shortest password in characters.
pub const PASSWORD_LENGTH_MIN: usize = 12;

/// Longest password in bytes: hashing must not become a way to waste our time.
const PASSWORD_LENGTH_MAX_BYTES: usize = 1024;

/// Why a password is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error(
        "a password has at least {PASSWORD_LENGTH_MIN} characters and at most {PASSWORD_LENGTH_MAX_BYTES} bytes"
    )]
    Length,
    /// The hash could not be made.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(64 * 1024, 3, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A PHC string with a random salt.
///
/// # Errors
/// When the password's length is not acceptable or memory is short.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < PASSWORD_LENGTH_MIN || password.len() > PASSWORD_LENGTH_MAX_BYTES {
        return Err(PasswordError::Length);
    }
    let hash = argon2().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

/// Whether the password fits the PHC string. Takes the same time for an unknown user when called with a hash of
/// something else.
pub fn verify_password(password: &str, hash: &str) -> bool {
    if password.len() > PASSWORD_LENGTH_MAX_BYTES {
        return false;
    }
    PasswordHash::new(hash).is_ok_and(|parsed| argon2().verify_password(password.as_bytes(), &parsed).is_ok())
}

/// A random password of 24 letters and digits (about 118 bits), without the ones that look alike.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn generate_password() -> Result<String, PasswordError> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
    let mut random = [0_u8; 24];
    SystemRandom::new().fill(&mut random).map_err(|_| PasswordError::Hash("no random bytes".into()))?;
    Ok(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_and_wrong_passwords() {
        let password = generate_password().expect("random");
        let hash = hash_password(&password).expect("hash");
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password(&password, &hash));
        assert!(!verify_password("something else", &hash));
        assert!(!verify_password(&password, "not a hash"));
        assert!(hash_password("short").is_err());
    }
}
