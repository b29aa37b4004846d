//! TLS for what listens, and for whom is called: PS3.15 B.12 (BCP 195), client certificates, and new files taken without a restart.
//!
//! A listener asks [`Tls::accept`] for each connection. Files are read again when they change or on SIGHUP
//! ([`watch`]); connections that live go on with what they began with.

mod call;
mod certificate;
mod config;
mod load;
mod watch;

use std::{io, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use call::{CallTlsConfig, Expected};
pub use certificate::PeerCertificate;
pub use config::{ClientCertificates, MinimumVersion, TlsConfig};
pub use load::{CIPHER_SUITES, TlsError};
pub use watch::watch;

use self::watch::Current;

/// What a listener does TLS with; cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Current>);

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer took too long.
    #[error("the TLS handshake took too long")]
    TimedOut,
    /// The peer closed without a word: a port scan or a health check.
    #[error("the peer closed during the TLS handshake")]
    Closed,
    /// What the peer sent is not TLS, too old, or its certificate is not acceptable.
    #[error("the TLS handshake failed: {0}{hint}", hint = hint(.0))]
    Refused(io::Error),
}

/// What to do about what is met most: `openssl req -x509` makes certificates of authorities.
fn hint(error: &io::Error) -> &'static str {
    if format!("{error:?}").contains("CaUsedAsEndEntity") {
        "; it is the certificate of an authority (CA:TRUE): make one with basicConstraints=critical,CA:FALSE"
    } else {
        ""
    }
}

impl HandshakeError {
    /// The word in logs, metrics and audit records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TimedOut => "tls_timed_out",
            Self::Closed => "tls_closed",
            Self::Refused(_) => "tls_refused",
        }
    }
}

impl Tls {
    /// Reads the files of a listener's section; `None` when it has no certificate. `name` is the section, as in
    /// `http`; `protocols` are the ALPN names that the listener speaks, the preferred one first.
    ///
    /// # Errors
    /// When a file is missing, broken or does not fit the others.
    pub fn open(
        name: &'static str,
        config: &TlsConfig,
        protocols: &[&[u8]],
    ) -> Result<Option<Self>, TlsError> {
        if !config.is_enabled() {
            return config.check_disabled(name).map(|()| None);
        }
        let protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Current::open(name, config.clone(), protocols).map(|current| Some(Self(Arc::new(current))))
    }

    /// Does the handshake, and gives the certificate that the peer proved to own, when it showed one.
    ///
    /// # Errors
    /// See [`HandshakeError`]; the stream is closed then.
    pub async fn accept(
        &self,
        stream: TcpStream,
        patience: Duration,
    ) -> Result<(TlsStream<TcpStream>, Option<PeerCertificate>), HandshakeError> {
        let outcome = match timeout(patience, TlsAcceptor::from(self.current()).accept(stream)).await {
            Err(_) => Err(HandshakeError::TimedOut),
            Ok(Err(error)) if is_closed(&error) => Err(HandshakeError::Closed),
            Ok(Err(error)) => Err(HandshakeError::Refused(error)),
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let peer = shown.map(PeerCertificate::read).transpose();
                peer.map(|peer| (stream, peer)).map_err(HandshakeError::Refused)
            }
        };
        let outcome_word = outcome.as_ref().err().map_or("done", HandshakeError::as_str);
        metrics::counter!("maxray_tls_handshakes_total", "listener" => self.0.name(), "outcome" => outcome_word)
            .increment(1);
        outcome
    }

    /// Peers without a certificate are turned away.
    pub fn requires_client_certificate(&self) -> bool {
        self.0.config().client_certificates == ClientCertificates::Required
    }

    fn current(&self) -> Arc<ServerConfig> {
        self.0.server_config()
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests;
