//! C-STORE of Part 10 files (PS3.10): each data set goes out as it lies in the file, in its own transfer syntax.

use std::{
    collections::HashSet,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
};

use dicom_header::{FileMetaReader, HeaderError};
use model::{AeTitle, SopClassUid, SopInstanceUid, TransferSyntaxUid};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    net::ToSocketAddrs,
};

use super::{Proposal, ScuAssociation, ScuError, ScuTimeouts, StoreResponse, proposal::PROPOSALS_MAX};

/// Bytes read at once while looking for the end of the file meta group.
const META_READ_BYTES: usize = 4 * 1024;

/// Why a file was not sent, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is no Part 10 file.
    #[error("no DICOM file: {0}")]
    FileMeta(#[from] HeaderError),
    /// Group 2 does not say which instance it is.
    #[error("the file meta group does not name the instance")]
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
    sop_class_uid: SopClassUid,
    sop_instance_uid: SopInstanceUid,
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
    address: impl ToSocketAddrs + Clone,
    calling_ae_title: &AeTitle,
    called_ae_title: &AeTitle,
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
            let association = ScuAssociation::connect(
                address.clone(),
                calling_ae_title,
                called_ae_title,
                &proposals,
                timeouts,
            );
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
                sop_class_uid: instance.sop_class_uid.clone(),
                transfer_syntax_uids: vec![instance.transfer_syntax_uid.clone()],
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
        let broken = matches!(&result, Err(FileError::Scu(error))
            if !matches!(error, ScuError::NotAccepted { .. } | ScuError::OddLength));
        if broken && let Some(association) = open.take() {
            association.abort().await;
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
    if !instance.data_set_length.is_multiple_of(2) {
        return Err(ScuError::OddLength.into());
    }
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(instance.data_set_offset)).await?;
    let data_set = file.take(instance.data_set_length);
    let FileInstance { sop_class_uid, sop_instance_uid, transfer_syntax_uid, .. } = instance;
    Ok(association.store(sop_class_uid, sop_instance_uid, transfer_syntax_uid, data_set).await?)
}

async fn read_head(path: &Path) -> Result<FileInstance, FileError> {
    let mut file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let mut reader = FileMetaReader::new();
    let mut offset = 0;
    let mut bytes = vec![0; META_READ_BYTES];
    let head = loop {
        let count = file.read(&mut bytes).await?;
        if count == 0 {
            return Err(HeaderError::Truncated { offset }.into());
        }
        offset += count as u64;
        if let Some(head) = reader.push(&bytes[..count])? {
            break head;
        }
    };
    let data_set_offset = offset - head.data_set_start.len() as u64;
    match (head.meta.media_storage_sop_class_uid, head.meta.media_storage_sop_instance_uid) {
        (Some(sop_class_uid), Some(sop_instance_uid)) => Ok(FileInstance {
            sop_class_uid,
            sop_instance_uid,
            transfer_syntax_uid: head.meta.transfer_syntax_uid,
            data_set_offset,
            data_set_length: length.saturating_sub(data_set_offset),
        }),
        _ => Err(FileError::Unnamed),
    }
}
