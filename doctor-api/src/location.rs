//! Where something is that was just made.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};

/// The answer with its Location (RFC 9110 10.2.2).
pub fn at(location: &str, mut answer: Response) -> Response {
    // A path of ids is always one.
    let value = HeaderValue::from_str(location).ok();
    answer.headers_mut().extend(value.map(|value| (header::LOCATION, value)));
    answer
}
