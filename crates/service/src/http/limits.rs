//! Limits and headers that hold for every HTTP door.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::HeaderValue, http::header, middleware};
use model::ae::Network;
use serde::{Deserialize, Serialize};
use tower_http::{
    catch_panic::CatchPanicLayer, sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetResponseHeaderLayer,
};

use super::{problem::Problem, request_id};
use crate::tls::TlsConfig;

/// Section `[http]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Listen without TLS on an address that other machines reach: behind a proxy with TLS, or in a trusted network.
    pub insecure: bool,
    /// Proxies that may say by PROXY protocol whom they speak for, and by `Forwarded` or `X-Forwarded-*` at which URL.
    pub proxies: Vec<Network>,
    /// Connections at once; more are closed at once.
    pub connections_max: u32,
    /// Time for the TLS handshake, and for the header of a request.
    pub header_timeout_ms: u64,
    /// Time to finish running requests at shutdown.
    pub drain_timeout_ms: u64,
    /// Section `[http.tls]`.
    pub tls: TlsConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            insecure: false,
            proxies: Vec::new(),
            connections_max: 4096,
            header_timeout_ms: 10_000,
            drain_timeout_ms: 10_000,
            tls: TlsConfig::default(),
        }
    }
}

/// A configuration that the HTTP doors do not open with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpConfigError {
    /// Tokens and images would be sent in the clear.
    #[error(
        "http: {0} is reached from other machines and http.tls.certificate_file is not set; give MaxRay a certificate, \
         listen on a loopback address behind a proxy with TLS, or set http.insecure = true if the network is trusted"
    )]
    PlaintextBeyondLoopback(SocketAddr),
    /// Nobody would ever be answered.
    #[error("http.{0} must not be 0")]
    Zero(&'static str),
}

impl HttpConfig {
    /// Refuses to send tokens and images in the clear to other machines unless told to.
    ///
    /// # Errors
    /// See [`HttpConfigError`].
    pub fn check(&self) -> Result<(), HttpConfigError> {
        let open = !self.listen.ip().to_canonical().is_loopback();
        if open && !self.insecure && !self.tls.is_enabled() {
            return Err(HttpConfigError::PlaintextBeyondLoopback(self.listen));
        }
        match (self.connections_max, self.header_timeout_ms) {
            (0, _) => Err(HttpConfigError::Zero("connections_max")),
            (_, 0) => Err(HttpConfigError::Zero("header_timeout_ms")),
            _ => Ok(()),
        }
    }

    /// The time for a handshake or a header as a duration.
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    /// The drain time-out as a duration.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

/// What an answer may do when a browser is pointed at it, unless its route says otherwise: nothing.
const ANSWER_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

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
        .layer(set(header::CONTENT_SECURITY_POLICY, ANSWER_POLICY))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .layer(middleware::from_fn(request_id::assign))
}

/// RFC 6797: browsers that were here over TLS come by TLS alone from now on.
pub fn over_tls_only(router: Router) -> Router {
    let year = HeaderValue::from_static("max-age=31536000");
    router.layer(SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, year))
}

#[cfg(test)]
mod tests {
    use super::*;

    // threats.md row 4
    #[test]
    fn nobody_elsewhere_is_served_in_the_clear_by_oversight() {
        let local = HttpConfig::default();
        assert_eq!(local.check(), Ok(()));
        let listen = SocketAddr::from(([0, 0, 0, 0], 8080));
        let open = HttpConfig { listen, ..local };
        assert_eq!(open.check(), Err(HttpConfigError::PlaintextBeyondLoopback(listen)));
        assert_eq!(HttpConfig { insecure: true, ..open.clone() }.check(), Ok(()));
        let tls = TlsConfig { certificate_file: "certificate.pem".into(), ..TlsConfig::default() };
        assert_eq!(HttpConfig { tls, ..open }.check(), Ok(()));
    }
}
