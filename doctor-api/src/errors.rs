//! What the crates below report, as problems.

use archive::{ReadError, StoreError};
use axum::http::StatusCode;
use database::DatabaseError;
use service::{http::problem::Problem, identity::SignInRefused};

/// Total on purpose: a new kind of error has to be answered here.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
pub fn database(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::NotFound => Problem::not_found(),
        DatabaseError::Conflict(_) => Problem::conflict("it was changed meanwhile, or it exists already"),
        DatabaseError::Busy => Problem::unavailable("the database is busy"),
        DatabaseError::Unavailable(_) => {
            tracing::warn!(%error, "request refused");
            Problem::unavailable("the database is not available")
        }
        DatabaseError::Corrupt(_)
        | DatabaseError::Refused(_)
        | DatabaseError::Migrate(_)
        | DatabaseError::Sqlx(_) => Problem::internal(&error),
    }
}

/// Somebody who is not signed in.
pub fn sign_in(error: SignInRefused) -> Problem {
    match error {
        SignInRefused::Wrong => Problem::unauthorized().detail(error.to_string()),
        SignInRefused::TooMany { wait_seconds } => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS).detail(error.to_string()).retry_after(wait_seconds)
        }
        SignInRefused::Busy => Problem::unavailable("too many sign-ins at the same time"),
        SignInRefused::Database(error) => database(error),
        SignInRefused::Failed(error) => Problem::internal(&error),
    }
}

/// An object that cannot be read: 503 when trying again may help.
pub fn object(may_pass: bool, error: &(dyn std::error::Error + 'static)) -> Problem {
    if may_pass {
        tracing::warn!(%error, "request refused");
        Problem::unavailable("the object store is not available")
    } else {
        Problem::internal(error)
    }
}

/// An instance that was not stored: 503 when trying again may help. The texts hold no patient data.
pub fn store(error: &StoreError) -> Problem {
    match error {
        StoreError::TooLarge { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail(error.to_string()),
        _ if error.is_transient() => {
            tracing::warn!(%error, "request refused");
            Problem::unavailable("the X-ray cannot be stored now")
        }
        _ => Problem::unprocessable().field("file", error.to_string()),
    }
}

/// A stored instance that cannot be read.
pub fn read(error: &ReadError) -> Problem {
    match error {
        ReadError::NoSuchFrame { .. } | ReadError::NoSuchBulkData => Problem::not_found(),
        ReadError::Storage(cause) => object(cause.is_out_of_resources(), error),
        ReadError::TooLong { .. } | ReadError::Damaged(_) => Problem::internal(error),
    }
}
