//! JSON request bodies: bounded, unknown fields refused, every refusal names its field.

use axum::{
    body::{Bytes, HttpBody as _, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use service::http::problem::Problem;

use super::refusal::name_field;
use crate::state::AppState;

/// A body of type `application/json` that fits `T`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).detail("send application/json"));
        }
        parse(&read(request, state).await?).map(Self)
    }
}

/// The whole body, as far as bodies may be long.
pub(super) async fn read(request: Request, state: &AppState) -> Result<Bytes, Problem> {
    let length_max = state.config.body_length_max_bytes;
    if announced_length(request.headers()).is_some_and(|length| length > length_max as u64) {
        return Err(too_large(length_max));
    }
    // Without a hint of its size the body is read up to the limit; an error is a cut or too long body.
    to_bytes(request.into_body(), length_max).await.map_err(|_| too_large(length_max))
}

/// As [`JsonBody`], for operations whose body may be left out.
pub struct JsonOrNothing<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let without = request.headers().get(header::CONTENT_TYPE).is_none()
            && request.body().size_hint().upper() == Some(0);
        if without {
            return Ok(Self(T::default()));
        }
        JsonBody::from_request(request, state).await.map(|JsonBody(body)| Self(body))
    }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        if inner.is_data() {
            name_field(Problem::unprocessable(), &path, &inner.to_string())
        } else {
            malformed(inner)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::bad_request(format!("the body is not JSON: look at line {line}, column {column}"))
}

fn too_large(length_max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE)
        .detail(format!("the body was cut off or is larger than {length_max} bytes"))
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    is_of_type(headers, "application/json")
}

/// Whatever the parameters.
pub(super) fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(media_type))
}
