//! One connection from the first byte to the last: request, admission, association, end.

use std::{sync::Arc, time::Duration};

use fail_point::Point;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    access::Rights,
    admission::{Admission, Budget, Permit},
    alarm::Alarm,
    association::{Association, Tally},
    backend::{Backend, Peer},
    caller::Caller,
    config::PacsConfig,
    origin::Origin,
    outstanding::Outstanding,
    refusals::Refusals,
    upper_layer::{
        End, UpperLayer,
        framing::{Framing, Transport},
        negotiation::{Agreement, NegotiationRules, Refusal, Request, negotiate, parse_request, read_titles},
        operations_window,
        pace::Pace,
        pdu::{Rejection, encode_associate_rj},
        state::State,
    },
};

/// Rejections a minute that the log hears of; the rest are only counted.
const REJECTIONS_TOLD_MAX: u32 = 60;

/// What all connections of one door share.
pub struct Door<B> {
    /// The house.
    pub backend: Arc<B>,
    /// Who we are for destinations.
    pub(crate) caller: Caller,
    /// The settings.
    pub config: PacsConfig,
    /// The settings that negotiation looks at.
    pub rules: NegotiationRules,
    /// Counts associations.
    pub admission: Arc<Admission>,
    /// Nobody gets this far without a certificate.
    pub certificates_demanded: bool,
    /// Rejections that the log may still hear of in this minute.
    pub(crate) rejections_told: Budget,
    /// Counts who is turned away.
    pub(crate) alarm: Alarm,
    /// Counts what the audit trail is told of together.
    pub(crate) refusals: Arc<Refusals>,
    /// Records of it that are still to be written.
    pub(crate) records_due: TaskTracker,
    /// The server is stopping: associations end after the operation that is running.
    pub stopping: CancellationToken,
    /// The time to drain is over: associations end now.
    pub killed: CancellationToken,
}

impl<B: Backend> Door<B> {
    /// A door that is open.
    pub fn new(backend: B, caller: Caller, config: PacsConfig, certificates_demanded: bool) -> Self {
        Self {
            backend: Arc::new(backend),
            caller,
            rules: config.negotiation_rules(),
            admission: Admission::new(&config),
            certificates_demanded,
            alarm: Alarm::default(),
            refusals: Arc::default(),
            records_due: TaskTracker::new(),
            rejections_told: Budget::new(REJECTIONS_TOLD_MAX, Duration::from_mins(1)),
            config,
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
        }
    }

    /// Serves one connection. `pending` is the place among those that are not associations yet.
    pub async fn serve_connection<S: Transport>(
        self: Arc<Self>,
        stream: S,
        origin: Origin,
        pending: Option<OwnedSemaphorePermit>,
    ) {
        let association_id = Uuid::now_v7();
        let span = tracing::info_span!("association", %association_id, address = %origin.address);
        self.serve(stream, origin, association_id, pending).instrument(span).await;
    }

    async fn serve<S: Transport>(
        &self,
        stream: S,
        origin: Origin,
        association_id: Uuid,
        pending: Option<OwnedSemaphorePermit>,
    ) {
        let pace = Pace::until(Instant::now() + self.config.artim(), self.config.pace_limits());
        let framing = Framing::new(stream, pace, self.config.idle_timeout());
        let mut upper_layer =
            UpperLayer::new(framing, State::AwaitingAssociateRq, self.config.pdu_length_max_bytes);
        // Held until the connection is closed: one that lingers counts.
        let mut place = Place::Pending { _permit: pending };
        let end = tokio::select! {
            biased;
            () = self.killed.cancelled() => End::Stopping,
            end = self.run(&mut upper_layer, &mut place, origin, association_id) => end,
        };
        metrics::counter!("maxray_dimse_connections_ended_total", "reason" => end.as_str()).increment(1);
        upper_layer.close(&end, self.config.artim()).await;
    }

    async fn run<S: Transport>(
        &self,
        upper_layer: &mut UpperLayer<S>,
        place: &mut Place,
        origin: Origin,
        association_id: Uuid,
    ) -> End {
        let established = match self.establish(upper_layer, origin, association_id).await {
            Ok(established) => established,
            Err(end) => {
                tracing::debug!(%end, "no association");
                return end;
            }
        };
        let Established { peer, agreement, rights, permit } = established;
        *place = Place::Association { _permit: permit };
        fail_point::pass(Point::K2Associated);
        let _active = Active::begin();
        tracing::info!(
            calling_ae_title = %peer.calling_ae_title,
            called_ae_title = %peer.called_ae_title,
            certificate = peer.certificate.as_ref().map(tracing::field::display),
            user_id = peer.person.as_ref().map(|person| tracing::field::display(person.principal.user_id)),
            presentation_contexts = agreement.contexts.len(),
            "association accepted"
        );
        let began = Instant::now();
        let mut association = Association {
            upper_layer,
            contexts: agreement.contexts,
            peer,
            rights,
            rights_read_at: Instant::now(),
            allowed_at: Instant::now(),
            door: self,
            denied_operations: 0,
            backend: Arc::clone(&self.backend),
            tally: Tally::default(),
            message_id: 0,
            outstanding: Outstanding::new(agreement.operations_max),
        };
        let end = association.serve(&self.stopping).await;
        let Tally { instances_stored, instances_refused, instances_sent, data_set_bytes } = association.tally;
        let duration_ms = began.elapsed().as_millis() as u64;
        tracing::info!(
            %end,
            instances_stored,
            instances_refused,
            instances_sent,
            data_set_bytes,
            duration_ms,
            "association ended"
        );
        end
    }

    /// PS3.8 7.1: receives the request and answers it.
    async fn establish<S: Transport>(
        &self,
        upper_layer: &mut UpperLayer<S>,
        origin: Origin,
        association_id: Uuid,
    ) -> Result<Established, End> {
        let (_, body) = upper_layer.receive_associate().await?;
        let Request { association: request, user_identity, operations_invoked } = match parse_request(body) {
            Ok(request) => request,
            Err(refusal) => return Err(refuse(upper_layer, refusal).await),
        };
        let asks_for_answer = user_identity.as_ref().is_some_and(|one| one.positive_response_requested);
        let (called_ae_title, calling_ae_title) = match read_titles(&request) {
            Ok(titles) => titles,
            Err(rejection) => return Err(refuse(upper_layer, Refusal::Reject(rejection)).await),
        };
        let mut peer = Peer {
            association_id,
            address: origin.address,
            calling_ae_title,
            called_ae_title,
            certificate: origin.certificate,
            person: None,
        };
        let (rights, permit) = match self.receive(&mut peer, user_identity, origin.is_encrypted).await {
            Ok(admitted) => admitted,
            Err(turned_away) => {
                let end = refuse(upper_layer, Refusal::Reject(turned_away.rejection())).await;
                self.tell_rejection(&peer, turned_away).await;
                return Err(end);
            }
        };
        let confirms_identity = asks_for_answer && peer.person.is_some();
        let operations_max = self.config.operations_max;
        let operations_window =
            operations_invoked.map(|proposed| operations_window::agree(proposed, operations_max));
        let rules = NegotiationRules { confirms_identity, operations_window, ..rights.narrow(&self.rules) };
        let (agreement, answer) = match negotiate(&request, &rules) {
            Ok(agreed) => agreed,
            Err(refusal) => return Err(refuse(upper_layer, refusal).await),
        };
        if self.backend.record_acceptance(&peer).await.is_err() {
            return Err(refuse(upper_layer, Refusal::Reject(Rejection::TemporaryCongestion)).await);
        }
        upper_layer.send_pdu(&answer).await?;
        upper_layer.establish(agreement.peer_pdu_length_max);
        metrics::counter!("maxray_dimse_associations_accepted_total").increment(1);
        Ok(Established { peer, agreement, rights, permit })
    }
}

/// Sends the A-ASSOCIATE-RJ, or leaves the A-ABORT to the end of the connection.
async fn refuse<S: Transport>(upper_layer: &mut UpperLayer<S>, refusal: Refusal) -> End {
    match refusal {
        Refusal::Abort(reason) => End::Aborting(reason),
        Refusal::Reject(rejection) => {
            metrics::counter!("maxray_dimse_associations_rejected_total", "reason" => rejection.as_str())
                .increment(1);
            match upper_layer.send_pdu(&encode_associate_rj(rejection)).await {
                Ok(()) => End::Rejected(rejection),
                Err(end) => end,
            }
        }
    }
}

/// What was agreed with whom.
struct Established {
    peer: Peer,
    agreement: Agreement,
    rights: Rights,
    permit: Permit,
}

/// The place that a connection takes among those that are allowed.
enum Place {
    Pending { _permit: Option<OwnedSemaphorePermit> },
    Association { _permit: Permit },
}

/// Counts an association as running while it lives.
struct Active;

impl Active {
    fn begin() -> Self {
        metrics::gauge!("maxray_dimse_associations_active").increment(1.0);
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        metrics::gauge!("maxray_dimse_associations_active").decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
