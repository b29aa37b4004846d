//! `/healthz`: the process runs. `/readyz`: it can take instances. `/readyz/database`: it can do what needs no object store.
//! `/metrics`: Prometheus text.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use metrics_exporter_prometheus::PrometheusHandle;

use super::problem::Problem;

/// Checks that what is needed is there; an error is one sentence for the operator.
pub type ReadyCheck = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What is asked at which route.
pub struct ReadyChecks {
    /// Everything that an ingest needs: `/readyz`.
    pub whole: ReadyCheck,
    /// The same without the object store: `/readyz/database`.
    pub without_storage: ReadyCheck,
}

/// What is not as it should be although instances are taken; shown at `/readyz`.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// One more sentence for the operator, without patient data.
    pub fn add(&self, notice: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(notice);
    }

    fn text(&self) -> String {
        let notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notices.iter().fold("ready".to_owned(), |text, notice| text + "\n" + notice)
    }
}

/// The routes; they are public and tell nothing about patients.
pub fn router(metrics: PrometheusHandle, checks: ReadyChecks, notices: Notices) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", answer(checks.whole, notices.clone()))
        .route("/readyz/database", answer(checks.without_storage, notices))
        .route(
            "/metrics",
            get(move || {
                let text = metrics.render();
                async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
            }),
        )
}

/// 200 with the notices, or 503 with the reason.
fn answer(ready: ReadyCheck, notices: Notices) -> MethodRouter {
    get(move || {
        let check = ready();
        let text = notices.text();
        async move {
            match check.await {
                Ok(()) => (StatusCode::OK, text).into_response(),
                Err(reason) => Problem::unavailable(reason).into_response(),
            }
        }
    })
}
