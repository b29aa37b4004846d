//! Limits and headers that hold for every HTTP door.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::HeaderValue, http::header, middleware};
use serde::{Deserialize, Serialize};
use tower_http::{
    catch_panic::CatchPanicLayer, sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetResponseHeaderLayer,
};

use super::{problem::Problem, request_id};

/// Section `[http]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Listen without TLS on an address that other machines reach: behind a proxy with TLS, or in a trusted network.
    pub plaintext_beyond_loopback: bool,
    /// Time to finish running requests at shutdown.
    pub drain_timeout_ms: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            plaintext_beyond_loopback: false,
            drain_timeout_ms: 10_000,
        }
    }
}

/// A configuration that the HTTP doors do not open with.
#[derive(Debug, thiserror::Error)]
#[error(
    "http: {0} is reached from other machines and MaxRay does not speak TLS; listen on a loopback address behind a proxy, \
     or set http.plaintext_beyond_loopback = true if the network is trusted"
)]
pub struct PlaintextBeyondLoopback(SocketAddr);

impl HttpConfig {
    /// Refuses to send tokens and images in the clear to other machines unless told to.
    ///
    /// # Errors
    /// See [`PlaintextBeyondLoopback`].
    pub fn check(&self) -> Result<(), PlaintextBeyondLoopback> {
        let open = !self.listen.ip().to_canonical().is_loopback();
        if open && !self.plaintext_beyond_loopback {
            Err(PlaintextBeyondLoopback(self.listen))
        } else {
            Ok(())
        }
    }

    /// The drain time-out as a duration.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

/// Wraps all routes: request ids, security headers, no token in a log, a panic becomes a 500 and not a dead socket.
pub fn harden(router: Router) -> Router {
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    router
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::new(http::StatusCode::METHOD_NOT_ALLOWED) })
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| {
            tracing::error!("a request handler panicked");
            let problem = Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR);
            axum::response::IntoResponse::into_response(problem)
        }))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::X_FRAME_OPTIONS, "DENY"))
        .layer(set(header::REFERRER_POLICY, "no-referrer"))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .layer(middleware::from_fn(request_id::assign))
}
