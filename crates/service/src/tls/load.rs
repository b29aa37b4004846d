//! PS3.15 B.12: from PEM files to what rustls serves with.

use std::{io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use rustls::{
    RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{
    certificate,
    config::{ClientCertificates, MinimumVersion, TlsConfig, is_empty},
};

/// The cipher suites, the preferred ones first: those of TLS 1.3, and of TLS 1.2 those that RFC 9325 4.2 recommends.
/// All have forward secrecy and authenticated encryption.
pub const CIPHER_SUITES: &[SupportedCipherSuite] = &[
    aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    aws_lc_rs::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Why a listener cannot do TLS with its files. The texts name settings and files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A setting that needs a certificate of our own.
    #[error("{name}.tls.{setting} is set, but {name}.tls.certificate_file is not: there would be no TLS")]
    WithoutCertificate {
        /// The section.
        name: &'static str,
        /// The setting.
        setting: &'static str,
    },
    /// A setting is missing beside the certificate.
    #[error("{name}.tls.{setting} must be set: {why}")]
    Missing {
        /// The section.
        name: &'static str,
        /// The setting.
        setting: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// A file cannot be read or holds something else.
    #[error("{name}.tls.{setting} = \"{file}\" cannot be used: {reason}")]
    File {
        /// The section.
        name: &'static str,
        /// The setting.
        setting: &'static str,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The files are good each, but not together.
    #[error("{name}.tls: {reason}")]
    Together {
        /// The section.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// What was read.
pub(super) struct Loaded {
    pub server_config: Arc<ServerConfig>,
    /// The end of our certificate.
    pub expires_at: DateTime<Utc>,
}

/// Reads the files of section `name`.
pub(super) fn load(
    name: &'static str,
    config: &TlsConfig,
    protocols: &[Vec<u8>],
) -> Result<Loaded, TlsError> {
    let together = |reason: String| TlsError::Together { name, reason };
    let chain = certificates(name, "certificate_file", &config.certificate_file)?;
    let leaf = chain.first().ok_or_else(|| together("no certificate".to_owned()))?;
    let expires_at = certificate::expires_at(leaf).ok_or_else(|| TlsError::File {
        name,
        setting: "certificate_file",
        file: config.certificate_file.display().to_string(),
        reason: "the first certificate in it cannot be read".to_owned(),
    })?;
    let key = private_key(name, &config.key_file)?;
    let provider = Arc::new(provider());
    let verifier = client_verifier(name, config, &provider)?;
    let mut server_config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config.minimum_version))
        .map_err(|error| together(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| together(format!("certificate and key do not go together: {error}")))?;
    server_config.alpn_protocols = protocols.to_vec();
    // Every handshake looks at the certificates again: nobody resumes what was revoked or has expired.
    server_config.session_storage = Arc::new(NoServerSessionStorage {});
    server_config.send_tls13_tickets = 0;
    Ok(Loaded { server_config: Arc::new(server_config), expires_at })
}

/// With our cipher suites alone.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: CIPHER_SUITES.to_vec(), ..aws_lc_rs::default_provider() }
}

pub(super) fn versions(minimum: MinimumVersion) -> Vec<&'static SupportedProtocolVersion> {
    match minimum {
        MinimumVersion::Tls12 => vec![&rustls::version::TLS13, &rustls::version::TLS12],
        MinimumVersion::Tls13 => vec![&rustls::version::TLS13],
    }
}

fn client_verifier(
    name: &'static str,
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    if config.client_certificates == ClientCertificates::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    if is_empty(&config.client_ca_file) {
        let why = "client certificates are asked for, and it says which ones are good";
        return Err(TlsError::Missing { name, setting: "client_ca_file", why });
    }
    let roots = roots(name, "client_ca_file", &config.client_ca_file)?;
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if !is_empty(&config.client_crl_file) {
        let lists = pem_items::<CertificateRevocationListDer<'static>>(
            name,
            "client_crl_file",
            &config.client_crl_file,
        )?;
        builder =
            builder.with_crls(lists).only_check_end_entity_revocation().allow_unknown_revocation_status();
    }
    if config.client_certificates == ClientCertificates::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| TlsError::Together { name, reason: error.to_string() })
}

/// Authorities.
pub(super) fn roots(
    name: &'static str,
    setting: &'static str,
    path: &Path,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(name, setting, path)? {
        roots.add(root).map_err(|error| TlsError::File {
            name,
            setting,
            file: path.display().to_string(),
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}

pub(super) fn certificates(
    name: &'static str,
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem_items(name, setting, path)
}

fn pem_items<T: PemObject>(
    name: &'static str,
    setting: &'static str,
    path: &Path,
) -> Result<Vec<T>, TlsError> {
    let broken = |reason: String| TlsError::File { name, setting, file: path.display().to_string(), reason };
    let items = T::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<T>, pem::Error>>)
        .map_err(|error| broken(plain(&error)))?;
    if items.is_empty() { Err(broken("there is nothing of the kind in it".to_owned())) } else { Ok(items) }
}

pub(super) fn private_key(name: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    if is_empty(path) {
        let why = "it is the private key of certificate_file";
        return Err(TlsError::Missing { name, setting: "key_file", why });
    }
    let broken = |reason: String| TlsError::File {
        name,
        setting: "key_file",
        file: path.display().to_string(),
        reason,
    };
    let mode = std::fs::metadata(path).map_err(|error| broken(error.to_string()))?.permissions().mode();
    // Group read is how packages hand a key to a service.
    if mode & 0o037 != 0 {
        return Err(broken("other users can read it: run chmod 600 on it".to_owned()));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| broken(plain(&error)))
}

/// pki-types' texts without what stands in the file.
fn plain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no such file".to_owned()
        }
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "there is nothing of the kind in it".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}
