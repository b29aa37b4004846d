//! PS3.8 7.1.1: who is let in, and who hears of those that are not.

use std::{net::IpAddr, sync::Arc};

use service::tls::HandshakeError;
use tokio::time::sleep_until;

use crate::{
    access::{self, Denied, Rights},
    admission::Permit,
    alarm::REFUSALS_MAX,
    backend::{Backend, Peer, RefusedAct},
    connection::Door,
    identification::{NotProved, Person},
    refusals::{Crowd, Told},
    upper_layer::{
        pdu::Rejection,
        user_identity::{Claim, UserIdentity},
    },
};

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// By the registry.
    Denied(Denied),
    /// For now: there is no place, or the registry cannot be read.
    Later(Rejection),
}

impl TurnedAway {
    /// What the peer is told.
    pub(crate) fn rejection(self) -> Rejection {
        match self {
            Self::Denied(denied) => denied.rejection(),
            Self::Later(rejection) => rejection,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.as_str(),
            Self::Later(rejection) => rejection.as_str(),
        }
    }
}

impl<B: Backend> Door<B> {
    /// What the registry lets a peer do by now.
    pub(crate) async fn rights(&self, peer: &Peer) -> Result<Rights, TurnedAway> {
        let registry = self.backend.registry().await;
        let registry = registry.map_err(|_| TurnedAway::Later(Rejection::TemporaryCongestion))?;
        access::check(&self.config, self.certificates_demanded, &registry, peer).map_err(TurnedAway::Denied)
    }

    /// Who may associate, for what, and how many.
    pub(crate) async fn admit(&self, peer: &Peer) -> Result<(Rights, Permit), TurnedAway> {
        let rights = self.rights(peer).await?;
        if self.stopping.is_cancelled() {
            return Err(TurnedAway::Later(Rejection::TemporaryCongestion));
        }
        self.admission
            .admit(&peer.calling_ae_title, peer.address, rights.associations_max)
            .map(|permit| (rights, permit))
            .ok_or(TurnedAway::Later(Rejection::LocalLimitExceeded))
    }

    /// The person for whom the peer asks. Nobody hears whether a name is known, and a secret that everybody on the way can
    /// read proves nothing.
    pub(crate) async fn identify(
        &self,
        peer: &Peer,
        claim: Claim,
        is_encrypted: bool,
    ) -> Result<Option<Person>, TurnedAway> {
        let is_secret = match claim {
            Claim::Unproved => false,
            Claim::Passcode { .. } | Claim::Token(_) | Claim::Unreadable => true,
        };
        let is_private = is_encrypted || peer.address.is_loopback() || self.config.insecure;
        if is_secret && !is_private {
            return Err(TurnedAway::Denied(Denied::IdentityInTheClear));
        }
        self.backend.identify(peer, claim).await.map_err(|not_proved| match not_proved {
            NotProved::Wrong => TurnedAway::Denied(Denied::IdentityNotProved),
            NotProved::TriedTooOften => TurnedAway::Denied(Denied::IdentityTriedTooOften),
            NotProved::Unavailable => TurnedAway::Later(Rejection::TemporaryCongestion),
        })
    }

    /// Who may associate, for what, how many, and for whom.
    pub(crate) async fn receive(
        &self,
        peer: &mut Peer,
        user_identity: Option<UserIdentity>,
        is_encrypted: bool,
    ) -> Result<(Rights, Permit), TurnedAway> {
        // The registration first: whom it does not let in guesses no passcodes.
        let admitted = self.admit(peer).await?;
        if let Some(UserIdentity { claim, .. }) = user_identity {
            peer.person = self.identify(peer, claim, is_encrypted).await?;
        }
        Ok(admitted)
    }

    /// The audit trail hears of every refusal, in a flood by number; the log not of each one in a flood.
    pub(crate) async fn tell_rejection(&self, peer: &Peer, turned_away: TurnedAway) {
        if self.rejections_told.take() {
            tracing::warn!(
                calling_ae_title = %peer.calling_ae_title,
                called_ae_title = %peer.called_ae_title,
                certificate = peer.certificate.as_ref().map(tracing::field::display),
                reason = turned_away.as_str(),
                "association rejected"
            );
        } else {
            metrics::counter!("maxray_dimse_rejections_untold_total").increment(1);
        }
        if let TurnedAway::Denied(denied) = turned_away {
            metrics::counter!("maxray_dimse_associations_denied_total", "reason" => denied.as_str())
                .increment(1);
            match self.refusals.count(peer, denied) {
                Told::Alone => self.backend.record_refusal(peer, RefusedAct::Association(denied)).await,
                Told::Together(crowd) => self.record_together(crowd, peer.clone(), denied),
                Told::Counted => {}
            }
            self.count_refusal(peer.address).await;
        }
    }

    /// One record of all that follow until their minute is over, or the door closes.
    fn record_together(&self, crowd: Crowd, first: Peer, denied: Denied) {
        let (backend, refusals) = (Arc::clone(&self.backend), Arc::clone(&self.refusals));
        let stopping = self.stopping.clone();
        self.records_due.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = sleep_until(crowd.ends) => {}
            }
            backend.record_more_refusals(&first, denied, refusals.end(&crowd)).await;
        });
    }

    /// A peer did not get as far as a PDU. Anybody can cause it without saying who they are, so that a flood must not
    /// fill the audit trail.
    pub(crate) async fn tell_failed_handshake(&self, address: IpAddr, error: &HandshakeError) {
        if self.rejections_told.take() {
            tracing::warn!(%address, %error, "no DICOM connection");
            self.backend.record_failed_handshake(address, error.as_str()).await;
        } else {
            metrics::counter!("maxray_dimse_rejections_untold_total").increment(1);
        }
        self.count_refusal(address).await;
    }

    async fn count_refusal(&self, address: IpAddr) {
        if self.alarm.count(address) {
            tracing::error!(%address, refusals = REFUSALS_MAX, "somebody is turned away again and again");
            metrics::counter!("maxray_security_alerts_total", "kind" => "associations_refused").increment(1);
            self.backend.raise_alarm(address).await;
        }
    }
}
