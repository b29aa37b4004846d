//! Who is who: passwords (Argon2id), access tokens (RFC 9068, ES256), the keys that sign them, and whether a token's
//! session was taken back.

mod authenticator;
mod config;
mod doctor_keys;
mod jws;
mod keys;
mod oidc;
mod password;
mod request_rate;
mod secret;
mod shared_secret;
mod sign_in;
mod token;
mod verified;

pub use authenticator::Authenticator;
pub use config::{IdentityConfig, IdentityConfigError};
pub use doctor_keys::{DoctorKeys, SignedDocument};
pub use jws::TokenRefused;
pub use keys::{KeyError, rotate_signing_key};
pub use oidc::{OidcConfig, OidcError};
pub use password::{PASSWORD_LENGTH_MIN, PasswordError, generate_password, hash_password, verify_password};
pub use secret::{
    CLIENT_SECRET, DEVICE_TOKEN, NoRandomness, REFRESH_TOKEN, Secret, hashed_secret, is_hashed_secret,
    sha256, sha256_of,
};
pub use sign_in::{Attempt, Attempting, SignIn, SignInLimits, SignInRefused, allowance, network};
pub use token::{IssuedToken, Issuer, NotSigned, TOKEN_LIFETIME_MAX_SECONDS};
