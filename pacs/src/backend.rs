//! What the door needs from the house: a place for instances, and who is registered.
//!
//! Associations are generic over it, so that the protocol can be tested without an archive.

use std::{future::Future, net::IpAddr, sync::Arc};

use bytes::Bytes;
use dicom_header::Identity;
use model::{
    AeTitle,
    ae::{Ae, AeOperation},
};
use service::tls::PeerCertificate;
use uuid::Uuid;

use crate::{
    access::Denied,
    commitment_scp::KeepCommitments,
    identification::{Identify, Person},
    mpps_scp::KeepSteps,
    query_retrieve::lookup::Lookup,
    refusals::More,
    upper_layer::negotiation::PresentationContext,
    worklist_scp::Schedule,
};

/// Who is at the other end of an association. All of it is claimed except the address, the certificate and
/// the person.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Identity of the association in logs, audit records and events.
    pub association_id: Uuid,
    /// Network address.
    pub address: IpAddr,
    /// Calling AE title.
    pub calling_ae_title: AeTitle,
    /// Called AE title.
    pub called_ae_title: AeTitle,
    /// The certificate that it has proved to own, when it showed one.
    pub certificate: Option<PeerCertificate>,
    /// The person for whom it asks, when it has proved one.
    pub person: Option<Person>,
}

/// Why an instance is not stored. No text holds patient data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902): what the sender is told.
    pub comment: String,
    /// What the operator is told.
    pub reason: String,
}

impl Refused {
    /// Everybody may know why.
    pub fn saying(status: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { status, comment: reason.clone(), reason }
    }
}

/// The registry of AEs cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// The house behind the door.
pub trait Backend: Identify + Lookup + KeepCommitments + KeepSteps + Schedule {
    /// Takes one data set.
    type Writer: InstanceSink;

    /// Longest instance that is taken.
    fn instance_length_max_bytes(&self) -> u64;

    /// Begins to store an instance; its data set must turn out to be `identity`.
    fn begin_instance(&self, peer: &Peer, context: &PresentationContext, identity: Identity) -> Self::Writer;

    /// Every registered AE, at most five seconds old.
    fn registry(&self) -> impl Future<Output = Result<Arc<[Ae]>, Unavailable>> + Send;

    /// Keeps a record of an association that is about to be accepted.
    fn record_acceptance(&self, peer: &Peer) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Keeps a record of an association that was rejected, or of an operation that was not allowed in one.
    fn record_refusal(&self, peer: &Peer, refused: RefusedAct) -> impl Future<Output = ()> + Send;

    /// Keeps one record of associations that were rejected after so many others that not each has its own. `first` is the
    /// first of them.
    fn record_more_refusals(
        &self,
        first: &Peer,
        denied: Denied,
        more: More,
    ) -> impl Future<Output = ()> + Send;

    /// Keeps a record of a connection that did not get through the TLS handshake.
    fn record_failed_handshake(
        &self,
        address: IpAddr,
        reason: &'static str,
    ) -> impl Future<Output = ()> + Send;

    /// Tells that this address is turned away again and again.
    fn raise_alarm(&self, address: IpAddr) -> impl Future<Output = ()> + Send;
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedAct {
    /// To associate.
    Association(Denied),
    /// An operation in an association.
    Operation(AeOperation),
    /// To change a performed procedure step that it has not made.
    Step,
    /// To see anything: by the account of the person who asks, or that the AE is registered with.
    Reading,
    /// To go on for a person who is not proved any more.
    Person,
}

/// Takes the fragments of one data set in order. Dropped before `commit`, it leaves nothing behind.
pub trait InstanceSink: Send + 'static {
    /// The next bytes. After an error nothing more is written.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Refused>> + Send;

    /// All bytes are here: makes the instance durable and visible.
    fn commit(self) -> impl Future<Output = Result<(), Refused>> + Send;

    /// The bytes end early: forgets the instance.
    fn abort(self) -> impl Future<Output = ()> + Send;
}
