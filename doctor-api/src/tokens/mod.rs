//! What programs ask of an issuer: tokens (RFC 6749), the keys that verify them (RFC 7517), and where both are.

pub mod get_jwks;
pub mod get_metadata;
pub mod issue_token;
pub mod rotate_signing_key;
