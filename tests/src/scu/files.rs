//! Data sets sent as they lie in Part 10 files.

use std::{borrow::Cow, collections::HashSet, net::SocketAddr};

use super::association::{Association, AssociationError, Proposal};
use crate::{part10, platform::Platform, synthetic::Synthetic};

/// A data set as it can travel: with a NUL behind it when its length is odd, as some deflated ones are (PS3.5 A.5).
pub fn padded(data_set: &[u8]) -> Cow<'_, [u8]> {
    if data_set.len().is_multiple_of(2) {
        Cow::Borrowed(data_set)
    } else {
        Cow::Owned([data_set, &[0]].concat())
    }
}

/// Sends Part 10 files over one association and gives each one's status.
///
/// # Errors
/// At the first thing that is not a status: the statuses until then are lost.
///
/// # Panics
/// When a file is no Part 10 file.
pub fn send_files(peer: SocketAddr, files: &[Vec<u8>]) -> Result<Vec<u16>, AssociationError> {
    let heads: Vec<part10::Head> =
        files.iter().map(|file| part10::head(file).expect("a Part 10 file with a whole group 2")).collect();
    let proposal = |head: &part10::Head| Proposal::new(&head.sop_class_uid, &head.transfer_syntax_uid);
    let mut proposals: Vec<Proposal> = heads.iter().map(proposal).collect();
    let mut seen = HashSet::new();
    proposals.retain(|one| seen.insert(one.clone()));
    let mut association = Association::request(peer, "MAXRAY", &proposals)?;
    let mut statuses = Vec::with_capacity(files.len());
    for (file, head) in files.iter().zip(&heads) {
        let data_set = &file[head.data_set_offset..];
        statuses.push(association.store(&proposal(head), &head.sop_instance_uid, data_set)?);
    }
    association.release()?;
    Ok(statuses)
}

/// Stores instances as an AE that nobody has registered.
///
/// # Panics
/// When one is not stored.
pub fn store(platform: &Platform, instances: &[Synthetic]) {
    let files: Vec<Vec<u8>> = instances.iter().map(Synthetic::part10).collect();
    let statuses = send_files(platform.dicom(), &files).expect("an association");
    assert!(statuses.iter().all(|status| *status == 0), "{statuses:?}");
}
