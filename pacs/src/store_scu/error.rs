//! Why something could not be sent.

use std::io;

use dicom_header::HeaderError;
use model::{SopClassUid, TransferSyntaxUid};
use service::tls::HandshakeError;

use crate::upper_layer::{End, message::SendError};

/// Why something could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum ScuError {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    /// No TLS, or not with the one who was meant.
    #[error(transparent)]
    Tls(HandshakeError),
    /// The peer rejected the association (PS3.8 table 9-21).
    #[error("the association was rejected (result {result}, source {source_}, reason {reason})")]
    Rejected {
        /// 1 permanent, 2 transient.
        result: u8,
        /// 1 service-user, 2 and 3 service-provider.
        source_: u8,
        /// Reason/Diag.
        reason: u8,
    },
    /// The association ended.
    #[error("the association ended: {0}")]
    Ended(#[from] End),
    /// The proposal cannot be encoded: too many contexts, none, or an AE title that is none.
    #[error("the association cannot be proposed")]
    Proposal,
    /// The peer did not accept this class in this syntax.
    #[error("the peer takes no {sop_class_uid} in transfer syntax {transfer_syntax_uid}")]
    NotAccepted {
        /// Abstract syntax.
        sop_class_uid: SopClassUid,
        /// Transfer syntax.
        transfer_syntax_uid: TransferSyntaxUid,
    },
    /// The data set could not be read.
    #[error("the data set could not be read: {0}")]
    DataSet(#[source] io::Error),
    /// An answer is no data set.
    #[error("an answer cannot be read: {0}")]
    Answer(#[source] HeaderError),
    /// The data set has an odd number of bytes, which no fragment can carry (PS3.8 E.1).
    #[error("the data set has an odd number of bytes")]
    OddLength,
}

impl From<SendError> for ScuError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Ended(end) => Self::Ended(end),
            SendError::Source(error) => Self::DataSet(error),
            SendError::OddLength => Self::OddLength,
        }
    }
}
