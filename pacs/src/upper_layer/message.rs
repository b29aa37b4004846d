//! PS3.7 6.3.1 and PS3.8 Annex E: whole messages on their way out, and a look at what comes in meanwhile.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{End, Indication, UpperLayer, framing::Transport, pdu::put_p_data};

/// Bytes of a data set that are sent in one write.
const WRITE_BYTES: usize = 256 * 1024;

/// Why a data set did not get out whole.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The association is over.
    #[error(transparent)]
    Ended(#[from] End),
    /// The source failed. What was sent of the message cannot be taken back: the association has to be aborted.
    #[error("the data set could not be read: {0}")]
    Source(#[source] io::Error),
    /// The data set has an odd number of bytes, which no fragment can carry (PS3.8 E.1).
    #[error("the data set has an odd number of bytes")]
    OddLength,
}

impl<S: Transport> UpperLayer<S> {
    /// Sends a command and the data set that belongs to it, both in memory, in one write.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn send_message(
        &mut self,
        context_id: u8,
        command: &[u8],
        data_set: Option<&[u8]>,
    ) -> Result<(), End> {
        let length_max = self.fragment_length_max();
        let mut buffer = BytesMut::new();
        for (is_command, bytes) in [(true, Some(command)), (false, data_set)] {
            let mut fragments = bytes.unwrap_or_default().chunks(length_max).peekable();
            while let Some(fragment) = fragments.next() {
                put_p_data(&mut buffer, context_id, is_command, fragments.peek().is_none(), fragment);
            }
        }
        self.send_pdu(&buffer).await
    }

    /// Sends a data set as its source gives it. In memory are what is written, its copy cut into PDUs, and what comes
    /// after it: at most three times [`WRITE_BYTES`].
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_data_set(
        &mut self,
        context_id: u8,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<(), SendError> {
        let fragment_length = self.fragment_length_max();
        // Whole fragments, as many as make one write worth its while.
        let room = fragment_length * (WRITE_BYTES / fragment_length).max(1);
        let mut bytes = read_up_to(&mut source, room).await?;
        loop {
            // Only what comes after tells whether this was the last.
            let next =
                if bytes.len() < room { BytesMut::new() } else { read_up_to(&mut source, room).await? };
            let is_last = next.is_empty();
            if is_last && !bytes.len().is_multiple_of(2) {
                return Err(SendError::OddLength);
            }
            self.send(context_id, false, is_last, &bytes).await?;
            if is_last {
                return Ok(());
            }
            bytes = next;
        }
    }

    /// What has come by now; does not wait for more than the rest of a PDU that has begun.
    ///
    /// # Errors
    /// See [`End`].
    pub async fn receive_if_there(&mut self) -> Result<Option<Indication>, End> {
        self.await_message();
        tokio::select! {
            biased;
            indication = self.receive() => indication.map(Some),
            () = std::future::ready(()) => Ok(None),
        }
    }
}

/// Reads until `room` is full or the source ends.
async fn read_up_to(source: &mut (impl AsyncRead + Unpin), room: usize) -> Result<BytesMut, SendError> {
    let mut bytes = BytesMut::with_capacity(room);
    let mut limited = source.take(room as u64);
    while limited.read_buf(&mut bytes).await.map_err(SendError::Source)? > 0 {}
    Ok(bytes)
}
