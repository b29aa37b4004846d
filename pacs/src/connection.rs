//! One connection from the first byte to the last: request, admission, association, end.

use std::{net::IpAddr, sync::Arc, time::Duration};

use fail_point::Point;
use model::AeTitle;
use service::tls::HandshakeError;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    admission::{Admission, Budget, Permit},
    association::{Association, Tally},
    backend::{Backend, Peer},
    config::PacsConfig,
    origin::Origin,
    upper_layer::{
        End, UpperLayer,
        framing::{Framing, Transport},
        negotiation::{Agreement, NegotiationRules, Refusal, negotiate, parse_request, read_titles},
        pace::Pace,
        pdu::{Rejection, encode_associate_rj},
        state::State,
    },
};

/// Rejections a minute that the log and the audit trail hear of; the rest are only counted.
const REJECTIONS_TOLD_MAX: u32 = 60;

/// What all connections of one door share.
pub struct Door<B> {
    /// The house.
    pub backend: Arc<B>,
    /// The settings.
    pub config: PacsConfig,
    /// The settings that negotiation looks at.
    pub rules: NegotiationRules,
    /// Counts associations.
    pub admission: Arc<Admission>,
    /// Rejections that may still be told of in this minute.
    rejections_told: Budget,
    /// The server is stopping: associations end after the operation that is running.
    pub stopping: CancellationToken,
    /// The time to drain is over: associations end now.
    pub killed: CancellationToken,
}

impl<B: Backend> Door<B> {
    /// A door that is open.
    pub fn new(backend: B, config: PacsConfig) -> Self {
        Self {
            backend: Arc::new(backend),
            rules: config.negotiation_rules(),
            admission: Admission::new(&config),
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
        let (peer, agreement, permit) = match self.establish(upper_layer, origin, association_id).await {
            Ok(established) => established,
            Err(end) => {
                tracing::debug!(%end, "no association");
                return end;
            }
        };
        *place = Place::Association { _permit: permit };
        fail_point::pass(Point::K2Associated);
        let _active = Active::begin();
        tracing::info!(
            calling_ae_title = %peer.calling_ae_title,
            called_ae_title = %peer.called_ae_title,
            certificate = peer.certificate.as_ref().map(tracing::field::display),
            presentation_contexts = agreement.contexts.len(),
            "association accepted"
        );
        let began = Instant::now();
        let mut association = Association {
            upper_layer,
            contexts: agreement.contexts,
            peer,
            backend: Arc::clone(&self.backend),
            tally: Tally::default(),
        };
        let end = association.serve(&self.stopping).await;
        let Tally { instances_stored, instances_refused, data_set_bytes } = association.tally;
        let duration_ms = began.elapsed().as_millis() as u64;
        tracing::info!(%end, instances_stored, instances_refused, data_set_bytes, duration_ms, "association ended");
        end
    }

    /// PS3.8 7.1: receives the request and answers it.
    async fn establish<S: Transport>(
        &self,
        upper_layer: &mut UpperLayer<S>,
        origin: Origin,
        association_id: Uuid,
    ) -> Result<(Peer, Agreement, Permit), End> {
        let (_, body) = upper_layer.receive_associate().await?;
        let request = match parse_request(body) {
            Ok(request) => request,
            Err(refusal) => return Err(refuse(upper_layer, refusal).await),
        };
        let (called_ae_title, calling_ae_title) = match read_titles(&request) {
            Ok(titles) => titles,
            Err(rejection) => return Err(refuse(upper_layer, Refusal::Reject(rejection)).await),
        };
        let peer = Peer {
            association_id,
            address: origin.address,
            calling_ae_title,
            called_ae_title,
            certificate: origin.certificate,
        };
        let permit = match self.admit(&peer).await {
            Ok(permit) => permit,
            Err(rejection) => {
                let end = refuse(upper_layer, Refusal::Reject(rejection)).await;
                self.tell_rejection(&peer, rejection).await;
                return Err(end);
            }
        };
        let (agreement, answer) = match negotiate(&request, &self.rules) {
            Ok(agreed) => agreed,
            Err(refusal) => return Err(refuse(upper_layer, refusal).await),
        };
        upper_layer.send_pdu(&answer).await?;
        upper_layer.establish(agreement.peer_pdu_length_max);
        metrics::counter!("maxray_dimse_associations_accepted_total").increment(1);
        Ok((peer, agreement, permit))
    }

    /// Who may associate, and how many.
    async fn admit(&self, peer: &Peer) -> Result<Permit, Rejection> {
        self.check_access(&peer.calling_ae_title, &peer.called_ae_title, peer.address).await?;
        if self.stopping.is_cancelled() {
            return Err(Rejection::TemporaryCongestion);
        }
        self.admission.admit(&peer.calling_ae_title, peer.address).ok_or(Rejection::LocalLimitExceeded)
    }

    /// Log and audit trail hear of a rejection, but not of each one in a flood.
    async fn tell_rejection(&self, peer: &Peer, rejection: Rejection) {
        if !self.rejections_told.take() {
            metrics::counter!("maxray_dimse_rejections_untold_total").increment(1);
            return;
        }
        tracing::warn!(
            calling_ae_title = %peer.calling_ae_title,
            called_ae_title = %peer.called_ae_title,
            reason = rejection.as_str(),
            "association rejected"
        );
        if matches!(rejection, Rejection::CallingAeTitleNotRecognized | Rejection::CalledAeTitleNotRecognized)
        {
            self.backend.record_rejection(peer, rejection).await;
        }
    }

    /// The same for a peer that did not get as far as a PDU.
    pub async fn tell_failed_handshake(&self, address: IpAddr, error: &HandshakeError) {
        if !self.rejections_told.take() {
            metrics::counter!("maxray_dimse_rejections_untold_total").increment(1);
            return;
        }
        tracing::warn!(%address, %error, "no DICOM connection");
        self.backend.record_failed_handshake(address, error.as_str()).await;
    }

    async fn check_access(
        &self,
        calling: &AeTitle,
        called: &AeTitle,
        address: IpAddr,
    ) -> Result<(), Rejection> {
        if !self.config.accept_any_called_ae_title && *called != self.config.ae_title {
            return Err(Rejection::CalledAeTitleNotRecognized);
        }
        if address.is_loopback() && self.config.accept_any_calling_ae_title_from_loopback {
            return Ok(());
        }
        match self.backend.is_registered(calling, address).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Rejection::CallingAeTitleNotRecognized),
            Err(_) => Err(Rejection::TemporaryCongestion),
        }
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
