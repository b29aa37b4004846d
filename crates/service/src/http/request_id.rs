//! Every request has an id: in its log lines, its audit record, its error answer and the `X-Request-Id` header.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request being served, if one is.
pub fn current() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// Middleware: gives the request an id and a log span without path parameters or query, which may name patients.
pub async fn assign(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let span = tracing::info_span!("request", id = %id, method = %request.method());
    let header = HeaderValue::from_str(&id).ok();
    let mut response = REQUEST_ID.scope(id, next.run(request)).instrument(span).await;
    if let Some(value) = header {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
