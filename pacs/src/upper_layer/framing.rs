//! PS3.8 9.3.1, cutting the byte stream into PDUs without copying them.
//!
//! A PDU is looked at when its six header bytes are there: type and length are judged before a byte of the body is
//! waited for, and no buffer is made from a length that nobody has agreed to.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{client, server::TlsStream};

use super::{
    pace::{Overdue, Pace},
    pdu::{PDU_HEADER_LENGTH_BYTES, PduHeader},
};

/// Room asked for at most before a read while a long PDU comes in.
const READ_AHEAD_BYTES: usize = 128 * 1024 + PDU_HEADER_LENGTH_BYTES;
/// Room asked for when it is not known that more than a header comes.
const READ_SMALL_BYTES: usize = 4 * 1024;

/// A byte stream that an association can run over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Asks the kernel to acknowledge at once what the next read takes. Peers that leave Nagle's algorithm on wait
    /// for that acknowledgement before they send the last piece of a message: 40 ms for each instance.
    fn acknowledge_quickly(&self) {}
}

impl Transport for TcpStream {
    fn acknowledge_quickly(&self) {
        // The option wears off, so it is set before each read. Where it cannot be set the association is slower.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
}

impl Transport for TlsStream<TcpStream> {
    fn acknowledge_quickly(&self) {
        self.get_ref().0.acknowledge_quickly();
    }
}

impl Transport for client::TlsStream<TcpStream> {
    fn acknowledge_quickly(&self) {
        self.get_ref().0.acknowledge_quickly();
    }
}

impl Transport for Box<dyn Transport> {
    fn acknowledge_quickly(&self) {
        (**self).acknowledge_quickly();
    }
}

impl Transport for DuplexStream {}

/// Why nothing more can be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The peer has closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer kept us waiting.
    #[error("the peer kept us waiting: {}", .0.as_str())]
    Overdue(Overdue),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads and writes PDUs.
#[derive(Debug)]
pub struct Framing<S> {
    stream: S,
    buffer: BytesMut,
    pace: Pace,
    write_timeout: Duration,
    header: Option<PduHeader>,
}

impl<S: Transport> Framing<S> {
    /// Over a connected stream.
    pub fn new(stream: S, pace: Pace, write_timeout: Duration) -> Self {
        Self { stream, buffer: BytesMut::new(), pace, write_timeout, header: None }
    }

    /// The timekeeper.
    pub fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// Bytes have come that are not taken yet.
    pub fn has_pending(&self) -> bool {
        self.header.is_some() || !self.buffer.is_empty()
    }

    /// The header of the next PDU. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub async fn header(&mut self) -> Result<PduHeader, TransportError> {
        if let Some(header) = self.header {
            return Ok(header);
        }
        while self.buffer.len() < PDU_HEADER_LENGTH_BYTES {
            self.fill(READ_SMALL_BYTES).await?;
        }
        let mut bytes = [0; PDU_HEADER_LENGTH_BYTES];
        bytes.copy_from_slice(&self.buffer.split_to(PDU_HEADER_LENGTH_BYTES));
        Ok(*self.header.insert(PduHeader::parse(bytes)))
    }

    /// The body of the PDU whose header was read and whose length was found good. Cancelling loses nothing.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub async fn body(&mut self) -> Result<Bytes, TransportError> {
        let length = self.header().await?.length as usize;
        while self.buffer.len() < length {
            // One header more, so that the next PDU's comes along when it is there.
            let missing = length - self.buffer.len() + PDU_HEADER_LENGTH_BYTES;
            self.fill(missing.min(READ_AHEAD_BYTES)).await?;
        }
        self.header = None;
        Ok(self.buffer.split_to(length).freeze())
    }

    /// One read from the stream, within the time that the peer has left.
    async fn fill(&mut self, room: usize) -> Result<(), TransportError> {
        self.buffer.reserve(room);
        let (patience, overdue) = self.pace.patience();
        let began = Instant::now();
        self.stream.acknowledge_quickly();
        let count = match timeout(patience, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => return Err(TransportError::Closed),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if overdue == Overdue::TooSlow => 0,
            Err(_) => return Err(TransportError::Overdue(overdue)),
        };
        self.pace.note(began.elapsed(), count).map_err(TransportError::Overdue)
    }

    /// Writes `bytes` whole, in as few calls as the kernel allows.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        match timeout(self.write_timeout, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(TransportError::Overdue(Overdue::Write)),
        }
    }

    /// Says that nothing more comes from us, and throws away what the peer still sends until it closes or `artim`
    /// has passed (Sta13). Closing at once would make the kernel reset the connection, and the peer could lose the
    /// last PDU that we sent.
    pub async fn close(mut self, artim: Duration) {
        self.buffer = BytesMut::with_capacity(READ_SMALL_BYTES);
        let drain = async {
            self.stream.shutdown().await?;
            while self.stream.read_buf(&mut self.buffer).await? > 0 {
                self.buffer.clear();
            }
            Ok::<_, io::Error>(())
        };
        // Nobody is left to tell that the peer does not close well.
        let _ = timeout(artim, drain).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upper_layer::{pace::PaceLimits, pdu::PduType};

    const LIMITS: PaceLimits = PaceLimits {
        idle: Duration::from_mins(1),
        rate_window: Duration::from_secs(30),
        window_bytes_min: 30 * 1024,
    };

    fn framing(stream: DuplexStream) -> Framing<DuplexStream> {
        let deadline = Instant::now() + Duration::from_secs(10);
        Framing::new(stream, Pace::until(deadline, LIMITS), Duration::from_mins(1))
    }

    #[tokio::test(start_paused = true)]
    async fn any_chunking_gives_the_same_pdus() {
        let mut wire = Vec::new();
        for (pdu_type, length) in [(4_u8, 0_u32), (4, 1), (5, 4), (4, 70_000), (7, 4)] {
            wire.extend([pdu_type, 0]);
            wire.extend(length.to_be_bytes());
            wire.extend((0..length).map(|index| index as u8));
        }
        for chunk in [1, 5, 6, 7, 4096, 65_536, usize::MAX] {
            let (mut peer, ours) = tokio::io::duplex(1 << 20);
            let bytes = wire.clone();
            tokio::spawn(async move {
                for piece in bytes.chunks(chunk.min(bytes.len())) {
                    peer.write_all(piece).await.expect("written");
                }
            });
            let mut framing = framing(ours);
            let mut again = Vec::new();
            for _ in 0..5 {
                let header = framing.header().await.expect("header");
                let body = framing.body().await.expect("body");
                assert_eq!(body.len(), header.length as usize);
                assert!(!matches!(header.pdu_type, PduType::Unrecognized(_)));
                again.extend_from_slice(&body);
            }
            assert_eq!(again.len(), wire.len() - 30);
            assert!(matches!(framing.header().await, Err(TransportError::Closed)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_overdue_at_artim() {
        let (_peer, ours) = tokio::io::duplex(64);
        let began = Instant::now();
        let result = framing(ours).header().await;
        assert!(matches!(result, Err(TransportError::Overdue(Overdue::Artim))));
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_too_slow() {
        let (mut peer, ours) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let _ = peer.write_all(&[4, 0, 0, 1, 0, 0]).await;
            while peer.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let mut framing = framing(ours);
        framing.pace().await_message();
        let began = Instant::now();
        assert!(matches!(framing.body().await, Err(TransportError::Overdue(Overdue::TooSlow))));
        assert!(began.elapsed() <= Duration::from_secs(31), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_peer_may_take_long() {
        let (mut peer, ours) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let _ = peer.write_all(&[4, 0, 0, 2, 0, 0]).await;
            for _ in 0..64 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = peer.write_all(&[0; 2048]).await;
            }
        });
        let mut framing = framing(ours);
        framing.pace().await_message();
        assert_eq!(framing.body().await.expect("body").len(), 0x20000);
    }
}
