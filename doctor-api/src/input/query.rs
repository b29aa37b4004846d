//! Query parameters: unknown names are refused, every refusal names its parameter.

use std::error::Error;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use service::http::problem::Problem;

use super::refusal::name_field;

/// The query string as a `T`.
pub struct QueryParameters<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(explain(&rejection)),
        }
    }
}

type Refused = serde_path_to_error::Error<serde::de::value::Error>;

fn explain(rejection: &(dyn Error + 'static)) -> Problem {
    let problem = Problem::bad_request("some query parameters are not acceptable; see errors");
    let mut cause = rejection.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return name_field(problem, &refused.path().to_string(), &refused.inner().to_string());
        }
        cause = error.source();
    }
    Problem::bad_request("the query string cannot be read")
}
