//! Bodies that are JSON or an iCalendar object (RFC 5545 8.1).

use axum::{extract::FromRequest, extract::Request, http::StatusCode};
use serde::de::DeserializeOwned;
use service::http::problem::Problem;

use super::json::{self, JsonBody};
use crate::state::AppState;

/// A body of type `application/json` that fits `T`, or one of type `text/calendar`.
pub enum JsonOrCalendar<T> {
    Json(T),
    Calendar(String),
}

impl<T: DeserializeOwned> FromRequest<AppState> for JsonOrCalendar<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if json::is_of_type(request.headers(), "application/json") {
            return JsonBody::from_request(request, state).await.map(|JsonBody(body)| Self::Json(body));
        }
        if !json::is_of_type(request.headers(), "text/calendar") {
            let wanted = "send application/json, or text/calendar";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).detail(wanted));
        }
        let text = String::from_utf8(json::read(request, state).await?.into());
        text.map(Self::Calendar).map_err(|_| Problem::bad_request("the calendar is not UTF-8"))
    }
}
