//! Sections `[http.tls]` and `[pacs.tls]`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TlsError;

/// How one listener does TLS. Without a certificate file it does not.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Our certificate and those between it and a root, PEM; empty for no TLS.
    pub certificate_file: PathBuf,
    /// Its private key, PEM; nobody but its owner may read the file.
    pub key_file: PathBuf,
    /// Whether peers have to show a certificate.
    pub client_certificates: ClientCertificates,
    /// Certificates that peers' certificates must be signed by, PEM.
    pub client_ca_file: PathBuf,
    /// Revoked certificates of peers, PEM; empty for none.
    pub client_crl_file: PathBuf,
    /// The oldest protocol that is spoken.
    pub minimum_version: MinimumVersion,
}

/// Whether peers have to show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// None is asked for.
    #[default]
    None,
    /// One that is shown must be good; a peer without one is let in.
    Optional,
    /// A peer without a good one is turned away in the handshake.
    Required,
}

/// The oldest protocol that is spoken. Older ones do not exist here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinimumVersion {
    /// TLS 1.2 with the suites of BCP 195, and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 alone.
    #[serde(rename = "1.3")]
    Tls13,
}

impl TlsConfig {
    /// There is a certificate.
    pub fn is_enabled(&self) -> bool {
        !is_empty(&self.certificate_file)
    }

    /// A key or client certificates without a certificate of our own are a mistake: the operator believes in TLS that
    /// is not there.
    pub(super) fn check_disabled(&self, name: &'static str) -> Result<(), TlsError> {
        let meant = [
            ("key_file", !is_empty(&self.key_file)),
            ("client_ca_file", !is_empty(&self.client_ca_file)),
            ("client_crl_file", !is_empty(&self.client_crl_file)),
            ("client_certificates", self.client_certificates != ClientCertificates::None),
        ];
        match meant.iter().find(|(_, set)| *set) {
            Some((setting, _)) => Err(TlsError::WithoutCertificate { name, setting }),
            None => Ok(()),
        }
    }

    /// Every file that is named.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate_file, &self.key_file, &self.client_ca_file, &self.client_crl_file]
            .into_iter()
            .filter(|path| !is_empty(path))
            .map(PathBuf::as_path)
    }
}

pub(super) fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}
