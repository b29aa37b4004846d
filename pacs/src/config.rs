//! Section `[pacs]`: who may associate, and how much of everything.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use model::{AeTitle, TransferSyntaxUid, ae::Network};
use serde::{Deserialize, Serialize};
use service::tls::TlsConfig;

use crate::{
    availability_scu::AvailabilityConfig,
    call::CallConfig,
    commitment_scp::CommitmentConfig,
    forward::ForwardingConfig,
    upper_layer::{negotiation::NegotiationRules, pace::PaceLimits, pdu::PEER_PDU_LENGTH_MIN_BYTES},
};

/// Section `[pacs]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PacsConfig {
    /// Address and port of the DICOM door.
    pub listen: SocketAddr,
    /// Our AE title.
    pub ae_title: AeTitle,
    /// Take associations that call another AE title than ours: machines are often set up with some other name.
    pub accept_any_called_ae_title: bool,
    /// Take any calling AE title from this machine itself. From elsewhere only registered AEs are taken.
    pub accept_any_calling_ae_title_from_loopback: bool,
    /// Listen without TLS on an address that other machines reach. Only for a network that is trusted.
    pub insecure: bool,
    /// Proxies that may say by PROXY protocol whom they speak for.
    pub proxies: Vec<Network>,
    /// Longest P-DATA-TF that we announce to take.
    pub pdu_length_max_bytes: u32,
    /// Associations at once.
    pub associations_max: u32,
    /// Associations at once with one calling AE title.
    pub associations_per_ae_max: u32,
    /// Associations at once from one address.
    pub associations_per_address_max: u32,
    /// Connections at once that are not associations yet.
    pub connections_pending_max: u32,
    /// ARTIM (PS3.8 9.1.5): time for the association request, and for the peer to close at the end.
    pub artim_timeout_ms: u64,
    /// Time without a byte between two messages.
    pub association_idle_timeout_ms: u64,
    /// Least rate at which a peer must send the message that it has begun.
    pub bytes_per_second_min: u64,
    /// Time over which that rate is taken.
    pub rate_window_ms: u64,
    /// Time for running operations to end when the server stops.
    pub drain_timeout_ms: u64,
    /// Transfer syntaxes to choose first when offered. Empty: the requestor's first one, Implicit VR last.
    pub transfer_syntax_preferences: Vec<TransferSyntaxUid>,
    /// Store private SOP classes, and standard ones younger than this program.
    pub accept_unknown_sop_classes: bool,
    /// Store data sets in transfer syntaxes that the Standard does not register.
    pub accept_unknown_transfer_syntaxes: bool,
    /// Operations that a peer may have outstanding at once on an association on which it asks for more than one.
    pub operations_max: u16,
    /// Instances of one C-GET or C-MOVE: their list is in memory while it runs.
    pub retrieve_instances_max: u32,
    /// Section `[pacs.call]`.
    pub call: CallConfig,
    /// Section `[pacs.commitment]`.
    pub commitment: CommitmentConfig,
    /// Section `[pacs.availability]`.
    pub availability: AvailabilityConfig,
    /// Section `[pacs.forwarding]`.
    pub forwarding: ForwardingConfig,
    /// Section `[pacs.tls]`.
    pub tls: TlsConfig,
}

impl Default for PacsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 11112)),
            ae_title: AeTitle::parse("MAXRAY").expect("MAXRAY is an AE title"),
            accept_any_called_ae_title: true,
            accept_any_calling_ae_title_from_loopback: true,
            insecure: false,
            proxies: Vec::new(),
            pdu_length_max_bytes: 128 * 1024,
            associations_max: 256,
            associations_per_ae_max: 16,
            associations_per_address_max: 32,
            connections_pending_max: 64,
            artim_timeout_ms: 10_000,
            association_idle_timeout_ms: 60_000,
            bytes_per_second_min: 1024,
            rate_window_ms: 30_000,
            drain_timeout_ms: 30_000,
            transfer_syntax_preferences: Vec::new(),
            accept_unknown_sop_classes: false,
            accept_unknown_transfer_syntaxes: false,
            operations_max: 8,
            retrieve_instances_max: 100_000,
            call: CallConfig::default(),
            commitment: CommitmentConfig::default(),
            availability: AvailabilityConfig::default(),
            forwarding: ForwardingConfig::default(),
            tls: TlsConfig::default(),
        }
    }
}

/// A configuration that the door does not open with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PacsConfigError {
    /// Anybody on the network could read along.
    #[error(
        "pacs: {0} is reached from other machines and pacs.tls.certificate_file is not set; give the door a certificate, \
         listen on a loopback address, or set pacs.insecure = true if the network is trusted"
    )]
    PlaintextBeyondLoopback(IpAddr),
    /// Announced to peers: too small to carry anything, or so large that one association fills the memory.
    #[error(
        "pacs.pdu_length_max_bytes must be an even number from {PDU_LENGTH_FLOOR_BYTES} to {PDU_LENGTH_CEILING_BYTES}"
    )]
    PduLength,
    /// Nothing would ever be accepted.
    #[error("pacs.{0} must not be 0")]
    Zero(&'static str),
}

const PDU_LENGTH_FLOOR_BYTES: u32 = 4 * 1024;
const PDU_LENGTH_CEILING_BYTES: u32 = 1024 * 1024;
const _: () = assert!(PDU_LENGTH_FLOOR_BYTES > PEER_PDU_LENGTH_MIN_BYTES, "a fragment must fit");

impl PacsConfig {
    /// Looks for what would make the door unsafe or useless.
    ///
    /// # Errors
    /// See [`PacsConfigError`].
    pub fn check(&self, listening_on: IpAddr) -> Result<(), PacsConfigError> {
        if !listening_on.to_canonical().is_loopback() && !self.insecure && !self.tls.is_enabled() {
            return Err(PacsConfigError::PlaintextBeyondLoopback(listening_on));
        }
        let lengths = PDU_LENGTH_FLOOR_BYTES..=PDU_LENGTH_CEILING_BYTES;
        if !lengths.contains(&self.pdu_length_max_bytes) || !self.pdu_length_max_bytes.is_multiple_of(2) {
            return Err(PacsConfigError::PduLength);
        }
        let counts = [
            ("associations_max", self.associations_max.into()),
            ("associations_per_ae_max", self.associations_per_ae_max.into()),
            ("associations_per_address_max", self.associations_per_address_max.into()),
            ("connections_pending_max", self.connections_pending_max.into()),
            ("artim_timeout_ms", self.artim_timeout_ms),
            ("association_idle_timeout_ms", self.association_idle_timeout_ms),
            ("rate_window_ms", self.rate_window_ms),
            ("operations_max", self.operations_max.into()),
            ("retrieve_instances_max", self.retrieve_instances_max.into()),
            ("call.associations_per_ae_max", self.call.associations_per_ae_max.into()),
            ("commitment.references_max", self.commitment.references_max.into()),
            ("commitment.retry_first_ms", self.commitment.retry_first_ms),
            ("availability.retry_first_ms", self.availability.retry_first_ms),
            ("forwarding.retry_first_ms", self.forwarding.retry_first_ms),
            ("forwarding.refusals_max", self.forwarding.refusals_max.into()),
        ];
        counts
            .iter()
            .find(|(_, value)| *value == 0)
            .map_or(Ok(()), |(key, _)| Err(PacsConfigError::Zero(key)))
    }

    pub(crate) fn artim(&self) -> Duration {
        Duration::from_millis(self.artim_timeout_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.association_idle_timeout_ms)
    }

    pub(crate) fn pace_limits(&self) -> PaceLimits {
        PaceLimits {
            idle: self.idle_timeout(),
            rate_window: Duration::from_millis(self.rate_window_ms),
            window_bytes_min: self.bytes_per_second_min.saturating_mul(self.rate_window_ms) / 1000,
        }
    }

    pub(crate) fn negotiation_rules(&self) -> NegotiationRules {
        NegotiationRules {
            transfer_syntax_preferences: self.transfer_syntax_preferences.clone(),
            accept_unknown_sop_classes: self.accept_unknown_sop_classes,
            accept_unknown_transfer_syntaxes: self.accept_unknown_transfer_syntaxes,
            pdu_length_max_bytes: self.pdu_length_max_bytes,
            ..NegotiationRules::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // threats.md row 4
    #[test]
    fn the_defaults_open_on_loopback_only() {
        let config = PacsConfig::default();
        assert_eq!(config.check(config.listen.ip()), Ok(()));
        let anywhere = IpAddr::from([0, 0, 0, 0]);
        assert_eq!(config.check(anywhere), Err(PacsConfigError::PlaintextBeyondLoopback(anywhere)));
        let trusting = PacsConfig { insecure: true, ..config.clone() };
        assert_eq!(trusting.check(anywhere), Ok(()));
        let tls = TlsConfig { certificate_file: "certificate.pem".into(), ..TlsConfig::default() };
        assert_eq!(PacsConfig { tls, ..config }.check(anywhere), Ok(()));
    }

    #[test]
    fn useless_values_are_named() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        for pdu_length_max_bytes in [0, 4095, 131_071, 2 << 20] {
            let config = PacsConfig { pdu_length_max_bytes, ..PacsConfig::default() };
            assert_eq!(config.check(loopback), Err(PacsConfigError::PduLength));
        }
        let config = PacsConfig { associations_max: 0, ..PacsConfig::default() };
        assert_eq!(config.check(loopback), Err(PacsConfigError::Zero("associations_max")));
    }
}
