//! Who is who: passwords (Argon2id) and access tokens (RFC 9068, ES256).

mod password;
mod token;

pub use password::{PASSWORD_LENGTH_MIN, PasswordError, generate_password, hash_password, verify_password};
pub use token::{Authenticator, IdentityConfig, IssuedToken, Issuer, KeyError, TokenRefused};
