//! The archive as the house behind the door.

use std::net::IpAddr;

use archive::{Archive, Form, InstanceWriter, Origin, StoreError};
use bytes::Bytes;
use database::{AuditActor, AuditRecord};
use dicom_header::Identity;
use model::AeTitle;

use crate::{
    backend::{Backend, InstanceSink, Peer, Refused, Unavailable},
    upper_layer::{negotiation::PresentationContext, pdu::Rejection},
};

/// The name of this door in origins.
const DOOR: &str = "dimse";
/// What a sender is told about failures that are not the instance's: the operator's log says more.
const NOT_NOW: &str = "the archive cannot store it now";

impl Backend for Archive {
    type Writer = InstanceWriter;

    fn instance_length_max_bytes(&self) -> u64 {
        self.config().object_length_max_bytes
    }

    fn begin_instance(
        &self,
        peer: &Peer,
        context: &PresentationContext,
        identity: Identity,
    ) -> InstanceWriter {
        let origin = Origin {
            door: DOOR,
            calling_ae: Some(peer.calling_ae_title.clone()),
            called_ae: Some(peer.called_ae_title.clone()),
            user_id: None,
            own_studies_only: false,
            source_address: peer.address.to_string(),
            request_id: peer.association_id.to_string(),
        };
        let transfer_syntax = context.transfer_syntax.clone();
        self.store_instance(origin, Form::DataSet { transfer_syntax, expected: Some(identity) })
    }

    async fn is_registered(&self, calling_ae_title: &AeTitle, address: IpAddr) -> Result<bool, Unavailable> {
        let registered = self.database().aes().await.map_err(|error| {
            tracing::error!(%error, "the registry of AEs cannot be read");
            Unavailable
        })?;
        Ok(registered
            .iter()
            .any(|ae| ae.enabled && ae.title == *calling_ae_title && is_address_in(address, &ae.address)))
    }

    async fn record_rejection(&self, peer: &Peer, rejection: Rejection) {
        let actor = AuditActor {
            role: "modality".to_owned(),
            calling_ae: peer.calling_ae_title.to_string(),
            source_address: peer.address.to_string(),
            request_id: peer.association_id.to_string(),
            ..AuditActor::default()
        };
        let refused =
            AuditRecord::refused(&actor, "associate").about(&peer.called_ae_title).saying(rejection.as_str());
        record(self, refused).await;
    }

    async fn record_failed_handshake(&self, address: IpAddr, reason: &'static str) {
        let actor = AuditActor {
            role: "modality".to_owned(),
            source_address: address.to_string(),
            ..AuditActor::default()
        };
        let refused = AuditRecord::refused(&actor, "associate").saying(reason);
        record(self, refused).await;
    }
}

async fn record(archive: &Archive, refused: AuditRecord) {
    if let Err(error) = archive.database().audit(refused).await {
        tracing::error!(%error, "a refusal is missing in the audit trail");
    }
}

impl InstanceSink for InstanceWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Refused> {
        Self::write(self, bytes).await.map_err(|error| refuse(&error))
    }

    async fn commit(self) -> Result<(), Refused> {
        let stored = Self::commit(self).await.map_err(|error| refuse(&error))?;
        tracing::debug!(
            study_instance_uid = %stored.study_instance_uid,
            sop_instance_uid = %stored.sop_instance_uid,
            outcome = ?stored.outcome,
            warnings = ?stored.warnings,
            "instance stored"
        );
        Ok(())
    }

    async fn abort(self) {
        Self::abort(self).await;
    }
}

fn refuse(error: &StoreError) -> Refused {
    let refused = Refused::saying(error.dimse_status(), error.to_string());
    if error.is_transient() { Refused { comment: NOT_NOW.to_owned(), ..refused } } else { refused }
}

/// `registered` is an address, a network (`192.0.2.0/24`), or empty for any. Host names match nothing: whoever
/// answers for the name would decide who may store.
fn is_address_in(address: IpAddr, registered: &str) -> bool {
    if registered.is_empty() {
        return true;
    }
    let (network, prefix) = match registered.split_once('/') {
        Some((network, prefix)) => (network, prefix.parse::<u32>().ok()),
        None => (registered, Some(u128::BITS)),
    };
    let (Ok(network), Some(prefix)) = (network.trim().parse::<IpAddr>(), prefix) else {
        return false;
    };
    let (address, network, width) = match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (u128::from(address.to_bits()), u128::from(network.to_bits()), u32::BITS)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), u128::BITS),
        _ => return false,
    };
    let host_bits = width.saturating_sub(prefix);
    (address ^ network).checked_shr(host_bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        let rows = [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.7", "", true),
            ("192.0.2.7", "192.0.2.0/24", true),
            ("192.0.3.7", "192.0.2.0/24", false),
            ("192.0.2.7", "0.0.0.0/0", true),
            ("192.0.2.7", "192.0.2.6/31", true),
            ("::ffff:192.0.2.7", "192.0.2.0/24", true),
            ("2001:db8::1", "2001:db8::/32", true),
            ("2001:db9::1", "2001:db8::/32", false),
            ("2001:db8::1", "::/0", true),
            ("2001:db8::1", "0.0.0.0/0", false),
            ("192.0.2.7", "modality.example", false),
            ("192.0.2.7", "192.0.2.0/x", false),
        ];
        for (address, registered, expected) in rows {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(is_address_in(address, registered), expected, "{address} in {registered}");
        }
    }
}
