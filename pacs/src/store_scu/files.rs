//! C-STORE of Part 10 files (PS3.10): each data set goes out as it lies in the file, in its own transfer syntax.

use std::{
    collections::HashSet,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
};

use dicom_header::{FileMetaRead, FileMetaReader, HeaderError, HeaderReader, Identity, Limits};
use model::{AeTitle, TransferSyntaxUid};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::{Proposal, ScuAssociation, ScuError, ScuTimeouts, StoreResponse, proposal::PROPOSALS_MAX};
use crate::call::{CallConfig, Callee};

/// Bytes read at once while looking for the end of the file meta group, and for the identity after it.
const HEAD_READ_BYTES: usize = 16 * 1024;

/// Why a file was not sent, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is no Part 10 file.
    #[error("no DICOM file: {0}")]
    FileMeta(#[from] HeaderError),
    /// Nothing says which instance it is.
    #[error("the file does not name its instance")]
    Unnamed,
    /// The association failed, or does not take it.
    #[error(transparent)]
    Scu(#[from] ScuError),
    /// An earlier file ended the association.
    #[error("the association was over")]
    NotSent,
}

/// What became of one file.
#[derive(Debug)]
pub struct FileOutcome {
    /// The file.
    pub path: PathBuf,
    /// The peer's answer, or why there is none.
    pub result: Result<StoreResponse, FileError>,
}

impl FileOutcome {
    /// The peer has it.
    pub fn is_success(&self) -> bool {
        self.result.as_ref().is_ok_and(StoreResponse::is_success)
    }
}

/// An instance in a file.
struct FileInstance {
    identity: Identity,
    transfer_syntax_uid: TransferSyntaxUid,
    data_set_offset: u64,
    data_set_length: u64,
}

/// Sends files over one association, or over several when they need more presentation contexts than one has.
/// Outcomes come in the order of the files.
///
/// # Errors
/// When an association cannot be made. What becomes of single files is in their outcomes.
pub async fn store_files(
    config: &CallConfig,
    callee: &Callee,
    calling_ae_title: &AeTitle,
    paths: &[PathBuf],
) -> Result<Vec<FileOutcome>, ScuError> {
    let mut outcomes = Vec::with_capacity(paths.len());
    let mut rest = paths;
    while !rest.is_empty() {
        let (batch, proposals) = next_batch(rest).await;
        let timeouts = ScuTimeouts::default();
        let sent = if proposals.is_empty() {
            batch.into_iter().map(|instance| instance.and(Err(FileError::Unnamed))).collect()
        } else {
            let association = ScuAssociation::connect(config, callee, calling_ae_title, &proposals, timeouts);
            store_batch(association.await?, rest, batch).await
        };
        let (done, left) = rest.split_at(sent.len());
        outcomes
            .extend(done.iter().zip(sent).map(|(path, result)| FileOutcome { path: path.clone(), result }));
        rest = left;
    }
    Ok(outcomes)
}

/// As many files from the front as one association has presentation contexts for, and those contexts: one for each
/// pair of SOP class and transfer syntax, so that the peer cannot choose a syntax that the file is not in.
async fn next_batch(paths: &[PathBuf]) -> (Vec<Result<FileInstance, FileError>>, Vec<Proposal>) {
    let mut batch = Vec::new();
    let mut seen = HashSet::new();
    let mut proposals = Vec::new();
    for path in paths {
        let instance = read_head(path).await;
        if let Ok(instance) = &instance {
            let proposal = Proposal {
                sop_class_uid: instance.identity.sop_class_uid.clone(),
                transfer_syntax_uids: vec![instance.transfer_syntax_uid.clone()],
                as_provider: false,
            };
            if !seen.contains(&proposal) {
                if seen.len() == PROPOSALS_MAX {
                    break;
                }
                seen.insert(proposal.clone());
                proposals.push(proposal);
            }
        }
        batch.push(instance);
    }
    (batch, proposals)
}

async fn store_batch(
    association: ScuAssociation,
    paths: &[PathBuf],
    batch: Vec<Result<FileInstance, FileError>>,
) -> Vec<Result<StoreResponse, FileError>> {
    let mut open = Some(association);
    let mut results = Vec::with_capacity(batch.len());
    for (path, instance) in paths.iter().zip(batch) {
        let result = match (instance, open.as_mut()) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Err(FileError::NotSent),
            (Ok(instance), Some(association)) => store_file(association, path, &instance).await,
        };
        if let Err(FileError::Scu(error)) = &result
            && !matches!(error, ScuError::NotAccepted { .. } | ScuError::OddLength)
            && let Some(association) = open.take()
        {
            association.abort(error).await;
        }
        results.push(result);
    }
    if let Some(association) = open {
        // Every file has its answer already.
        let _ = association.release().await;
    }
    results
}

async fn store_file(
    association: &mut ScuAssociation,
    path: &Path,
    instance: &FileInstance,
) -> Result<StoreResponse, FileError> {
    let odd = !instance.data_set_length.is_multiple_of(2);
    let deflated = instance.transfer_syntax_uid.data_set_encoding().deflated;
    if odd && !deflated {
        return Err(ScuError::OddLength.into());
    }
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(instance.data_set_offset)).await?;
    // A deflated data set is padded with one byte to an even length (PS3.5 A.5).
    let padding = if odd { &[0_u8][..] } else { &[] };
    let data_set = file.take(instance.data_set_length).chain(padding);
    let Identity { sop_class_uid, sop_instance_uid } = &instance.identity;
    Ok(association.store(sop_class_uid, sop_instance_uid, &instance.transfer_syntax_uid, data_set).await?)
}

/// Reads the file meta group, and the data set as far as its identity. The data set's word counts before the meta
/// group's: a peer compares the command with the data set.
async fn read_head(path: &Path) -> Result<FileInstance, FileError> {
    let mut file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let mut reader = FileMetaReader::new();
    let mut offset = 0;
    let mut bytes = vec![0; HEAD_READ_BYTES];
    let FileMetaRead { meta, data_set_start, .. } = loop {
        let count = file.read(&mut bytes).await?;
        if count == 0 {
            return Err(HeaderError::Truncated { offset }.into());
        }
        offset += count as u64;
        if let Some(head) = reader.push(&bytes[..count])? {
            break head;
        }
    };
    let data_set_offset = offset - data_set_start.len() as u64;
    let mut named = read_identity(&meta.transfer_syntax_uid, &data_set_start);
    if named.is_none() && data_set_start.len() < HEAD_READ_BYTES {
        // The meta group ended at the end of a read.
        let mut start = data_set_start;
        (&mut file).take(HEAD_READ_BYTES as u64).read_to_end(&mut start).await?;
        named = read_identity(&meta.transfer_syntax_uid, &start);
    }
    let from_meta = || {
        let (class, instance) = (meta.media_storage_sop_class_uid?, meta.media_storage_sop_instance_uid?);
        Some(Identity { sop_class_uid: class, sop_instance_uid: instance })
    };
    let identity = named.or_else(from_meta).ok_or(FileError::Unnamed)?;
    Ok(FileInstance {
        identity,
        transfer_syntax_uid: meta.transfer_syntax_uid,
        data_set_offset,
        data_set_length: length.saturating_sub(data_set_offset),
    })
}

fn read_identity(transfer_syntax_uid: &TransferSyntaxUid, start: &[u8]) -> Option<Identity> {
    let mut reader = HeaderReader::new(transfer_syntax_uid, Limits::default());
    // What follows the identity may be damaged: that is for the peer to judge.
    let _ = reader.push(start);
    reader.identity()
}
