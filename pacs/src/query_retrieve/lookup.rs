//! What Query/Retrieve needs from the house: the index, the instances, and a place for records of who looked.

use std::future::Future;

use archive::ByteStream;
use database::{InstanceKeys, PatientRow, SearchQuery, SearchResult, StoredInstance};
use model::{StudyInstanceUid, TransferSyntaxUid, access::Scope};
use uuid::Uuid;

use super::response::{Counts, Refused};
use crate::{
    access::Rights,
    backend::{Peer, Unavailable},
};

/// Something to keep a record of before it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// C-FIND.
    Searched {
        /// Hash of the filter, which may name a patient.
        filter: String,
        /// What was found first, and whether there is more.
        found: usize,
        /// There is more than that.
        more: bool,
        /// The study, when the filter names one.
        study: Option<String>,
    },
    /// C-FIND of the worklist.
    SearchedWorklist {
        /// Hash of the filter, which may name a patient.
        filter: String,
        /// What was found first.
        found: usize,
        /// There may be more than that.
        more: bool,
    },
    /// C-GET or C-MOVE of something of a study, before anything of it leaves.
    Retrieved {
        /// The study.
        study: StudyInstanceUid,
        /// Instances of it that were asked for.
        instances: u32,
        /// The destination of C-MOVE; none for C-GET.
        destination: Option<String>,
    },
    /// The same when it is over.
    RetrievalEnded {
        /// The study.
        study: StudyInstanceUid,
        /// What became of its instances.
        counts: Counts,
        /// What else there is to say.
        ending: Ending,
        /// The destination of C-MOVE; none for C-GET.
        destination: Option<String>,
    },
    /// C-GET or C-MOVE that is not served.
    NotRetrieved {
        /// The study, when one was named.
        study: String,
        /// Why.
        reason: &'static str,
    },
}

/// Why a retrieval is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left to do.
    Done,
    /// By C-CANCEL.
    Cancelled,
    /// The association that asked for it ended.
    BrokenOff,
}

/// An instance that is ready to be sent.
pub struct Opened {
    /// The transfer syntax of the data set.
    pub transfer_syntax: TransferSyntaxUid,
    /// The data set; of even length, its beginning read.
    pub data_set: ByteStream,
}

/// Why an instance cannot be sent. The operator's log says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// In none of the transfer syntaxes that the peer takes.
    TransferSyntax,
    /// It cannot be read.
    Unreadable,
}

/// The reading half of the house behind the door.
pub trait Lookup: Send + Sync + 'static {
    /// How far a peer sees: as far as the person for whom it asks, else as its AE.
    fn scope(&self, peer: &Peer, rights: &Rights) -> impl Future<Output = Result<Scope, Refused>> + Send;

    /// Studies, series or instances: the same search as behind QIDO-RS.
    fn search(
        &self,
        scope: &Scope,
        query: &SearchQuery,
    ) -> impl Future<Output = Result<SearchResult, Refused>> + Send;

    /// Patients behind `after`.
    fn search_patients(
        &self,
        scope: &Scope,
        query: &SearchQuery,
        after: Option<Uuid>,
    ) -> impl Future<Output = Result<Vec<PatientRow>, Refused>> + Send;

    /// The instances that these keys name, at most `limit`; each study's by series number and instance number.
    fn instances(
        &self,
        scope: &Scope,
        keys: InstanceKeys<'_>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<StoredInstance>, Refused>> + Send;

    /// Whether a study is in that scope by now.
    fn is_in_reach(
        &self,
        scope: &Scope,
        study: &StudyInstanceUid,
    ) -> impl Future<Output = Result<bool, Refused>> + Send;

    /// Opens an instance in the first of the transfer syntaxes that it can be had in, as it is stored if that is
    /// among them.
    fn open(
        &self,
        instance: &StoredInstance,
        transfer_syntaxes: &[TransferSyntaxUid],
    ) -> impl Future<Output = Result<Opened, NotOpened>> + Send;

    /// Keeps a record; durable when it returns.
    fn record(
        &self,
        peer: &Peer,
        rights: &Rights,
        looked: Looked,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
