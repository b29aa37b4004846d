//! Answers in JSON.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::problem::Problem;

/// What most answers fit into.
const LENGTH_USUAL: usize = 1_024;

/// As axum's of the same name, which writes into a buffer that is asked for room at every comma: lists cost a twentieth more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(LENGTH_USUAL);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => written(body),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// What is JSON already.
pub fn written(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}
