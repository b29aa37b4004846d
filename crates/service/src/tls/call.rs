//! TLS towards others (PS3.15 B.12): who is called has to prove that it is the one who was meant.
//!
//! The files are read for each connection. Those are few beside what goes over them, and files that were renewed are
//! taken without a restart.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    HandshakeError, PeerCertificate, TlsError,
    config::{MinimumVersion, is_empty},
    load::{certificates, private_key, provider, roots, versions},
};

/// How others are called by TLS: section `[pacs.call.tls]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallTlsConfig {
    /// Certificates that the certificates of those who are called must be signed by, PEM; empty when each of them is
    /// registered with its public key.
    pub ca_file: PathBuf,
    /// Our certificate for who asks for one, and those between it and a root, PEM; empty for none.
    pub certificate_file: PathBuf,
    /// Its private key, PEM; nobody but its owner may read the file.
    pub key_file: PathBuf,
    /// The oldest protocol that is spoken.
    pub minimum_version: MinimumVersion,
}

/// What the certificate of who is called has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Signed by an authority of `ca_file`, for this DNS name or address.
    Name(&'a str),
    /// Of the key with this SHA-256 of its SubjectPublicKeyInfo, whoever signed it and until when: the registration
    /// is the proof.
    PublicKey([u8; 32]),
}

impl CallTlsConfig {
    /// Whether the files are good: to be known at the start, and not at the first call.
    ///
    /// # Errors
    /// When a file that is named is missing, broken or does not fit the others.
    pub fn check(&self, name: &'static str) -> Result<(), TlsError> {
        if is_empty(&self.certificate_file) && !is_empty(&self.key_file) {
            let why = "key_file is its private key, and without it we show nothing";
            return Err(TlsError::Missing { name, setting: "certificate_file", why });
        }
        let expected =
            if is_empty(&self.ca_file) { Expected::PublicKey([0; 32]) } else { Expected::Name("localhost") };
        self.client_config(name, expected).map(drop)
    }

    /// Does the handshake as the client of a connection to `host`.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] when the peer is not the one who is expected, or a file cannot be used.
    pub async fn connect(
        &self,
        name: &'static str,
        stream: TcpStream,
        (host, expected): (&str, Expected<'_>),
        patience: Duration,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let refused = |error: TlsError| HandshakeError::Refused(io::Error::other(error));
        let config = self.client_config(name, expected).map_err(refused)?;
        // Who is registered by a name is asked for under that one: several may answer at one address.
        let asked_for = if let Expected::Name(name) = expected { name } else { host };
        let server_name = ServerName::try_from(asked_for.to_owned())
            .map_err(|error| HandshakeError::Refused(io::Error::other(error)))?;
        match timeout(patience, TlsConnector::from(Arc::new(config)).connect(server_name, stream)).await {
            Err(_) => Err(HandshakeError::TimedOut),
            Ok(outcome) => outcome.map_err(HandshakeError::Refused),
        }
    }

    fn client_config(&self, name: &'static str, expected: Expected<'_>) -> Result<ClientConfig, TlsError> {
        let together = |error: Error| TlsError::Together { name, reason: error.to_string() };
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(self.minimum_version))
            .map_err(together)?;
        let builder = match expected {
            Expected::Name(_) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(self.roots(name)?, provider);
                let verifier = verifier
                    .build()
                    .map_err(|error| TlsError::Together { name, reason: error.to_string() })?;
                builder.with_webpki_verifier(verifier)
            }
            Expected::PublicKey(sha256) => {
                let pinned = Arc::new(Pinned { sha256, provider });
                builder.dangerous().with_custom_certificate_verifier(pinned)
            }
        };
        if is_empty(&self.certificate_file) {
            return Ok(builder.with_no_client_auth());
        }
        let chain = certificates(name, "certificate_file", &self.certificate_file)?;
        let key = private_key(name, &self.key_file)?;
        builder.with_client_auth_cert(chain, key).map_err(together)
    }

    fn roots(&self, name: &'static str) -> Result<Arc<RootCertStore>, TlsError> {
        if is_empty(&self.ca_file) {
            let why =
                "it says whose certificates are good, for those who are not registered with a public key";
            return Err(TlsError::Missing { name, setting: "ca_file", why });
        }
        roots(name, "ca_file", &self.ca_file).map(Arc::new)
    }
}

/// Somebody else, or who was meant with a new key.
#[derive(thiserror::Error)]
#[error(
    "it shows the key {0}, which is not the registered one: register that when the peer has got a new key"
)]
struct OtherKey(PeerCertificate);

/// As the text: what rustls shows of it.
impl fmt::Debug for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes the one key that is registered.
#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = PeerCertificate::read(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if shown.public_key_sha256() == &self.sha256 {
            Ok(ServerCertVerified::assertion())
        } else {
            let other = OtherError(Arc::new(OtherKey(shown)));
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
