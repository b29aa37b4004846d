//! Signing in with a user name and a password, and asking who one is.

pub mod create_session;
pub mod current_session;
pub mod rate_limit;
