//! Who gets in: tokens that are forged, tokens of another issuer, and what takes tokens back.

mod devices;
mod forged;
mod oidc;
mod request_rate;
mod revocation;
