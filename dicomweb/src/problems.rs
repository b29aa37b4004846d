//! What the parts behind this door report, as answers of RFC 9457.

use archive::ReadError;
use database::DatabaseError;
use http::StatusCode;
use service::http::problem::Problem;

use crate::{
    media_type::{MediaTypeError, Representation},
    query_string::QueryStringError,
};

/// Seconds after which a busy database may be asked again.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Representations that an answer 406 names.
const OFFERS_NAMED_MAX: usize = 16;

/// The database did not answer.
pub(crate) fn database(error: &DatabaseError) -> Problem {
    match error {
        DatabaseError::NotFound => Problem::not_found(),
        DatabaseError::Unavailable(_) | DatabaseError::Busy => {
            tracing::warn!(%error, "a request was turned away");
            Problem::unavailable("the archive is busy").retry_after(RETRY_AFTER_SECONDS)
        }
        DatabaseError::Conflict(_)
        | DatabaseError::Corrupt(_)
        | DatabaseError::Refused(_)
        | DatabaseError::Migrate(_)
        | DatabaseError::Sqlx(_) => Problem::internal(error),
    }
}

/// An object could not be read.
pub(crate) fn read(error: &ReadError) -> Problem {
    match error {
        ReadError::Storage(cause) if cause.is_out_of_resources() => {
            tracing::warn!(%error, "a request was turned away");
            Problem::unavailable("the object store is not available").retry_after(RETRY_AFTER_SECONDS)
        }
        _ => Problem::internal(error),
    }
}

/// The query cannot be read.
pub(crate) fn query_string(error: QueryStringError) -> Problem {
    Problem::bad_request(error.to_string())
}

/// The Accept field cannot be read.
pub(crate) fn accept(error: MediaTypeError) -> Problem {
    Problem::bad_request(format!("Accept: {error}"))
}

/// PS3.18 8.7.8: nothing acceptable; says what could be had.
pub(crate) fn not_acceptable(offers: &[Representation]) -> Problem {
    let mut detail = String::from("none of the acceptable media types can be sent");
    if !offers.is_empty() {
        let mut names: Vec<String> = offers.iter().map(ToString::to_string).collect();
        names.dedup();
        names.truncate(OFFERS_NAMED_MAX);
        detail = format!("{detail}; possible are: {}", names.join(", "));
    }
    Problem::new(StatusCode::NOT_ACCEPTABLE).kind("not-acceptable").detail(detail)
}
