//! Calling other application entities: the connection under an association that we ask for, in the clear or by TLS
//! (PS3.15 B.12).

use std::{io, net::SocketAddr, time::Duration};

use model::{
    AeTitle,
    ae::{Ae, AeCertificate},
};
use serde::{Deserialize, Serialize};
use service::tls::{CallTlsConfig, Expected};
use tokio::{net::TcpStream, time::timeout};

use crate::{store_scu::ScuError, upper_layer::framing::Transport};

/// The section, as error messages have it.
const SECTION: &str = "pacs.call";

/// Section `[pacs.call]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallConfig {
    /// Associations at once with one AE, of C-MOVE and of forwarding; more wait.
    pub associations_per_ae_max: u32,
    /// Section `[pacs.call.tls]`.
    pub tls: CallTlsConfig,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self { associations_per_ae_max: 4, tls: CallTlsConfig::default() }
    }
}

/// Who is called, where and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// Called AE title.
    pub title: AeTitle,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// By TLS.
    pub tls: bool,
    /// What its certificate has to be, by TLS; none: that of its host.
    pub certificate: Option<AeCertificate>,
}

/// It is registered with where it is.
pub fn can_be_called(ae: &Ae) -> bool {
    ae.profile.enabled && !ae.profile.host.is_empty() && ae.profile.port != 0
}

impl Callee {
    /// As it is registered.
    pub fn of(ae: &Ae) -> Self {
        let profile = &ae.profile;
        Self {
            title: ae.title.clone(),
            host: profile.host.clone(),
            port: profile.port,
            tls: profile.call_tls,
            certificate: profile.certificate.clone(),
        }
    }

    /// In the clear, at this address.
    pub fn at(title: AeTitle, address: SocketAddr) -> Self {
        let (host, port) = (address.ip().to_string(), address.port());
        Self { title, host, port, tls: false, certificate: None }
    }

    fn expected(&self) -> Expected<'_> {
        match &self.certificate {
            None => Expected::Name(&self.host),
            Some(AeCertificate::Name(name)) => Expected::Name(name),
            Some(AeCertificate::PublicKey(sha256)) => Expected::PublicKey(*sha256),
        }
    }
}

impl CallConfig {
    /// Whether the files that are named can be used.
    ///
    /// # Errors
    /// See [`service::tls::TlsError`].
    pub fn check(&self) -> Result<(), service::tls::TlsError> {
        self.tls.check(SECTION)
    }

    /// Connects; each step may take so long.
    ///
    /// # Errors
    /// [`ScuError::Connect`], and [`ScuError::Tls`] when the peer does not prove that it is the one who was meant.
    pub(crate) async fn connect(
        &self,
        callee: &Callee,
        patience: Duration,
    ) -> Result<Box<dyn Transport>, ScuError> {
        let address = (callee.host.as_str(), callee.port);
        let stream = match timeout(patience, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(ScuError::Connect)?,
            Err(_) => return Err(ScuError::Connect(io::ErrorKind::TimedOut.into())),
        };
        stream.set_nodelay(true).map_err(ScuError::Connect)?;
        if !callee.tls {
            return Ok(Box::new(stream));
        }
        let peer = (callee.host.as_str(), callee.expected());
        let stream = self.tls.connect(SECTION, stream, peer, patience).await.map_err(ScuError::Tls)?;
        Ok(Box::new(stream))
    }
}
