//! Service accounts: programs that prove a secret (RFC 6749 4.4) instead of typing a password. They are listed and
//! deactivated as other accounts are, under `/users`.

pub mod create_client;
pub mod renew_client_secret;
