//! PS3.8, the DICOM upper layer over TCP: framing, negotiation, the state machine and its timers.
//!
//! It is our own and not dicom-ul's, which hides the peer's items, cannot name this implementation, closes silently on
//! broken PDUs and copies every fragment three times. dicom-ul's types still read and write the A-ASSOCIATE PDUs.

pub mod acceptance;
pub mod extended;
pub mod framing;
pub mod message;
pub mod negotiation;
pub mod operations_window;
pub mod pace;
pub mod pdu;
pub mod presentation_context;
pub mod request;
pub mod state;
pub mod user_identity;

use std::io;

use bytes::{Bytes, BytesMut};
use fail_point::Point;

use self::{
    framing::{Framing, Transport, TransportError},
    pace::Overdue,
    pdu::{
        AbortReason, PduHeader, PduType, PresentationDataValue, Rejection, fragment_length_max, put_p_data,
        split_presentation_data_value,
    },
    state::{Action, State, on_pdu},
};

/// Longest A-ASSOCIATE-RQ or -AC: 128 contexts with 30 transfer syntaxes each fit.
pub const ASSOCIATE_PDU_LENGTH_MAX_BYTES: u32 = 256 * 1024;
/// Some peers count the headers out of the maximum length that was announced to them.
pub const PDU_LENGTH_SLACK_BYTES: u32 = 64;
/// Empty fragments and empty P-DATA-TF PDUs that one message may have.
pub const EMPTY_FRAGMENTS_MAX: u32 = 1_000;
/// Longest fragment sent when the peer sets no limit.
const UNLIMITED_PEER_PDU_LENGTH_BYTES: u32 = 128 * 1024;

/// Why an association is over.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// Released in order.
    #[error("released")]
    Released,
    /// Rejected: by this server, or by the peer when it is the acceptor.
    #[error("rejected: {}", .0.as_str())]
    Rejected(Rejection),
    /// The peer sent A-ABORT.
    #[error("aborted by the peer")]
    AbortedByPeer,
    /// We abort.
    #[error("aborted: {0:?}")]
    Aborting(AbortReason),
    /// The peer closed the connection without a word.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer kept us waiting too long.
    #[error("timed out: {}", .0.as_str())]
    Overdue(Overdue),
    /// This server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(io::Error),
}

impl From<TransportError> for End {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Closed => Self::Closed,
            TransportError::Overdue(overdue) => Self::Overdue(overdue),
            TransportError::Io(error) => Self::Io(error),
        }
    }
}

impl End {
    /// The word in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Rejected(_) => "rejected",
            Self::AbortedByPeer => "aborted_by_peer",
            Self::Aborting(_) => "aborted",
            Self::Closed => "closed",
            Self::Overdue(overdue) => overdue.as_str(),
            Self::Stopping => "stopping",
            Self::Io(_) => "broken",
        }
    }

    /// The A-ABORT that the peer is owed.
    fn abort_reason(&self) -> Option<AbortReason> {
        match self {
            Self::Aborting(reason) => Some(*reason),
            Self::Overdue(Overdue::Idle | Overdue::TooSlow) | Self::Stopping => {
                Some(AbortReason::NotSpecified)
            }
            // Sta2 and Sta5 end silently when ARTIM runs out (AA-2); in the others nobody listens any more.
            Self::Overdue(Overdue::Artim | Overdue::Write)
            | Self::Released
            | Self::Rejected(_)
            | Self::AbortedByPeer
            | Self::Closed
            | Self::Io(_) => None,
        }
    }
}

/// What an established association brings.
#[derive(Debug)]
pub enum Indication {
    /// A fragment.
    Data(PresentationDataValue),
    /// The peer asks for release.
    ReleaseRequested,
    /// The peer confirms the release that we asked for.
    ReleaseConfirmed,
}

/// One association as PS3.8 sees it.
#[derive(Debug)]
pub struct UpperLayer<S> {
    framing: Framing<S>,
    state: State,
    /// What we announced.
    pdu_length_max: u32,
    /// What the peer announced; 0 is no limit.
    peer_pdu_length_max: u32,
    /// Fragments of the last P-DATA-TF that are not delivered yet.
    rest: Bytes,
    empty_fragments: u32,
}

impl<S: Transport> UpperLayer<S> {
    /// At the beginning of a connection.
    pub fn new(framing: Framing<S>, state: State, pdu_length_max: u32) -> Self {
        let rest = Bytes::new();
        Self { framing, state, pdu_length_max, peer_pdu_length_max: 0, rest, empty_fragments: 0 }
    }

    /// The body of the A-ASSOCIATE-RQ, or of the answer to ours, with its type.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn receive_associate(&mut self) -> Result<(PduType, Bytes), End> {
        let (header, _, body) = self.receive_pdu().await?;
        Ok((header.pdu_type, body))
    }

    /// The association is accepted: by us or by the peer.
    pub fn establish(&mut self, peer_pdu_length_max: u32) {
        self.peer_pdu_length_max = peer_pdu_length_max;
        self.state = State::Established;
        self.await_message();
    }

    /// The next bytes may take as long as the idle time allows.
    pub fn await_message(&mut self) {
        self.empty_fragments = 0;
        if self.rest.is_empty() && !self.framing.has_pending() {
            self.framing.pace().await_message();
        } else {
            self.framing.pace().message_begun();
        }
    }

    /// The next fragment or release. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn receive(&mut self) -> Result<Indication, End> {
        loop {
            if !self.rest.is_empty() {
                let value = split_presentation_data_value(&mut self.rest).map_err(End::Aborting)?;
                if value.fragment.is_empty() {
                    self.count_empty()?;
                }
                return Ok(Indication::Data(value));
            }
            let (_, action, body) = self.receive_pdu().await?;
            match action {
                Action::AnswerRelease => return Ok(Indication::ReleaseRequested),
                Action::Released => return Ok(Indication::ReleaseConfirmed),
                _ if body.is_empty() => self.count_empty()?,
                _ => self.rest = body,
            }
        }
    }

    fn count_empty(&mut self) -> Result<(), End> {
        self.empty_fragments += 1;
        if self.empty_fragments > EMPTY_FRAGMENTS_MAX {
            return Err(End::Aborting(AbortReason::InvalidPduParameterValue));
        }
        Ok(())
    }

    async fn receive_pdu(&mut self) -> Result<(PduHeader, Action, Bytes), End> {
        let header = self.framing.header().await?;
        let action = on_pdu(self.state, header.pdu_type);
        match action {
            Action::Abort(reason) => return Err(End::Aborting(reason)),
            Action::AbortedByPeer => return Err(End::AbortedByPeer),
            _ => {}
        }
        if !self.length_fits(header) {
            return Err(End::Aborting(AbortReason::InvalidPduParameterValue));
        }
        let body = self.framing.body().await?;
        Ok((header, action, body))
    }

    fn length_fits(&self, header: PduHeader) -> bool {
        match header.pdu_type {
            PduType::AssociateRq | PduType::AssociateAc => header.length <= ASSOCIATE_PDU_LENGTH_MAX_BYTES,
            PduType::PDataTf => header.length <= self.pdu_length_max.saturating_add(PDU_LENGTH_SLACK_BYTES),
            PduType::AssociateRj | PduType::ReleaseRq | PduType::ReleaseRp | PduType::Abort => {
                header.length == 4
            }
            PduType::Unrecognized(_) => false,
        }
    }

    /// Longest fragment to send at once.
    pub fn fragment_length_max(&self) -> usize {
        fragment_length_max(match self.peer_pdu_length_max {
            0 => UNLIMITED_PEER_PDU_LENGTH_BYTES,
            length => length.min(UNLIMITED_PEER_PDU_LENGTH_BYTES),
        })
    }

    /// Sends a command or data set, or the last part of one, in one write.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn send(
        &mut self,
        context_id: u8,
        is_command: bool,
        is_last: bool,
        bytes: &[u8],
    ) -> Result<(), End> {
        let length_max = self.fragment_length_max();
        let mut buffer = BytesMut::new();
        let mut fragments = bytes.chunks(length_max).peekable();
        if fragments.peek().is_none() {
            put_p_data(&mut buffer, context_id, is_command, is_last, &[]);
        }
        while let Some(fragment) = fragments.next() {
            let last = is_last && fragments.peek().is_none();
            put_p_data(&mut buffer, context_id, is_command, last, fragment);
        }
        if fail_point::is_armed(Point::K20AnswerHalfWritten) {
            let half = buffer.split_to(buffer.len() / 2);
            self.framing.write(&half).await?;
            fail_point::pass(Point::K20AnswerHalfWritten);
        }
        Ok(self.framing.write(&buffer).await?)
    }

    /// Sends a PDU that is written already.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn send_pdu(&mut self, pdu: &[u8]) -> Result<(), End> {
        Ok(self.framing.write(pdu).await?)
    }

    /// Asks for release.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn request_release(&mut self) -> Result<(), End> {
        self.state = State::AwaitingReleaseRp;
        self.send_pdu(&pdu::RELEASE_RQ).await
    }

    /// Says the last word that `end` asks for, and waits until the peer closes the connection, at most ARTIM.
    pub async fn close(mut self, end: &End, artim: std::time::Duration) {
        if let Some(reason) = end.abort_reason()
            && self.send_pdu(&pdu::encode_abort(reason)).await.is_err()
        {
            return;
        }
        match end {
            End::Closed | End::Io(_) | End::AbortedByPeer | End::Overdue(_) => {}
            End::Released | End::Rejected(_) | End::Aborting(_) | End::Stopping => {
                self.framing.close(artim).await;
            }
        }
    }
}
