//! The archive as the house behind the door.

use std::{net::IpAddr, sync::Arc};

use archive::{Archive, Form, InstanceWriter, Origin, StoreError, StoreOutcome};
use bytes::Bytes;
use conversion::Converter;
use database::{AuditActor, AuditRecord};
use dicom_header::Identity;
use model::{access::Principal, ae::Ae, text::hex};
use tokio::sync::Notify;

use crate::{
    access::Denied,
    archive_identification::Identification,
    backend::{Backend, InstanceSink, Peer, Refused, RefusedAct, Unavailable},
    refusals::More,
    registry::Registry,
    upper_layer::negotiation::PresentationContext,
};

/// The name of this door in origins.
const DOOR: &str = "dimse";
/// Who acts, in the audit trail.
const ROLE: &str = "modality";
/// What a sender is told about failures that are not the instance's: the operator's log says more.
const NOT_NOW: &str = "the archive cannot store it now";

/// The archive, and who is registered in it.
pub struct House {
    converter: Converter,
    identification: Identification,
    registry: Registry,
    commitments: Arc<Notify>,
}

impl House {
    /// Around an open archive, with what makes its instances anew and what proves people. `commitments` hears of each
    /// request for storage commitment that is kept.
    pub fn new(converter: Converter, identification: Identification, commitments: Arc<Notify>) -> Self {
        let registry = Registry::new(converter.archive().database().clone());
        // An alarm that asks for an increase needs a number before it.
        metrics::counter!("maxray_instances_stored_total", "door" => DOOR, "outcome" => "conflict")
            .increment(0);
        Self { converter, identification, registry, commitments }
    }

    /// What proves people.
    pub(crate) fn identification(&self) -> &Identification {
        &self.identification
    }

    /// Wakes who reports on requests for storage commitment.
    pub(crate) fn commitments(&self) -> &Notify {
        &self.commitments
    }

    /// The archive behind it.
    pub(crate) fn archive(&self) -> &Archive {
        self.converter.archive()
    }

    /// What makes its instances anew in other transfer syntaxes.
    pub(crate) fn converter(&self) -> &Converter {
        &self.converter
    }

    /// Keeps a record; durable when it returns.
    pub(crate) async fn record_act(&self, record: AuditRecord) -> Result<(), Unavailable> {
        self.archive().database().audit(record).await.map_err(|error| {
            tracing::error!(%error, "the audit trail cannot be written");
            Unavailable
        })
    }
}

/// The peer of an association, for records: the person, when one was proved, at the AE.
pub(crate) fn actor(peer: &Peer) -> AuditActor {
    let person = peer.person.as_ref().map(|person| &person.principal);
    AuditActor {
        user_id: person.map(|person| person.user_id),
        session_id: person.and_then(|person| person.session_id),
        role: person.map_or(ROLE, Principal::acts_as).to_owned(),
        calling_ae: peer.calling_ae_title.to_string(),
        certificate: peer
            .certificate
            .as_ref()
            .map_or_else(String::new, |found| hex(found.public_key_sha256())),
        source_address: peer.address.to_string(),
        request_id: peer.association_id.to_string(),
        ..AuditActor::default()
    }
}

fn actor_at(address: IpAddr) -> AuditActor {
    AuditActor { role: ROLE.to_owned(), source_address: address.to_string(), ..AuditActor::default() }
}

impl Backend for House {
    type Writer = InstanceWriter;

    fn instance_length_max_bytes(&self) -> u64 {
        self.archive().config().object_length_max_bytes
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
        self.archive().store_instance(origin, Form::DataSet { transfer_syntax, expected: Some(identity) })
    }

    async fn registry(&self) -> Result<Arc<[Ae]>, Unavailable> {
        self.registry.get().await
    }

    async fn record_acceptance(&self, peer: &Peer) -> Result<(), Unavailable> {
        let certificate = peer.certificate.as_ref().map(ToString::to_string).unwrap_or_default();
        let record = AuditRecord::success(&actor(peer), "associate");
        self.record_act(record.about(&peer.called_ae_title).saying(certificate)).await
    }

    async fn record_refusal(&self, peer: &Peer, refused: RefusedAct) {
        let (action, detail) = match refused {
            RefusedAct::Association(denied) => ("associate", denied.as_str()),
            RefusedAct::Operation(operation) => ("use_operation", operation.as_str()),
            RefusedAct::Step => ("update_performed_step", "no step of this AE"),
            RefusedAct::Reading => ("use_operation", "the account may not read that"),
            RefusedAct::Person => ("use_operation", "the user identity is not good any more"),
        };
        let record = AuditRecord::refused(&actor(peer), action).about(&peer.called_ae_title).saying(detail);
        // The refusal stands either way, and the log has what is missing.
        let _ = self.record_act(record).await;
    }

    async fn record_more_refusals(&self, first: &Peer, denied: Denied, more: More) {
        let record = AuditRecord::refused(&actor(first), "associate").about(&first.called_ae_title);
        let record = record.saying(format!("{}: {more}", denied.as_str()));
        let _ = self.record_act(record).await;
    }

    async fn record_failed_handshake(&self, address: IpAddr, reason: &'static str) {
        let record = AuditRecord::refused(&actor_at(address), "associate").saying(reason);
        let _ = self.record_act(record).await;
    }

    async fn raise_alarm(&self, address: IpAddr) {
        let raised = self.archive().database().alert_refusals(&address.to_string(), &actor_at(address)).await;
        if let Err(error) = raised {
            tracing::error!(%error, "an alert could not be raised");
        }
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
        // The sender hears of success, for all of it is kept: somebody has to look which of the two is right.
        if let StoreOutcome::Conflict { id } = stored.outcome {
            tracing::warn!(
                xray_id = %id,
                study_instance_uid = %stored.study_instance_uid,
                sop_instance_uid = %stored.sop_instance_uid,
                "other content came under a known SOP Instance UID: it is kept beside the first, and not shown"
            );
        }
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
