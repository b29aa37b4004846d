//! Where a connection comes from: what is known before its first PDU, and cannot be claimed.

use std::net::IpAddr;

use service::tls::PeerCertificate;

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Network address.
    pub address: IpAddr,
    /// The certificate that the peer has proved to own, when it showed one.
    pub certificate: Option<PeerCertificate>,
    /// Nobody on the way can read along.
    pub is_encrypted: bool,
}

impl Origin {
    /// Without TLS.
    pub fn plain(address: IpAddr) -> Self {
        Self { address, certificate: None, is_encrypted: false }
    }
}
