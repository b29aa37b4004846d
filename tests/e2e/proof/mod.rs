//! Tools that tell whether anything was lost, and what they do about it: verify, reindex, the removal of orphans.

mod older_database;
mod orphans;
mod reindex;
mod verify;

use std::path::{Path, PathBuf};

use tests::{
    platform::Platform,
    scu::{Association, Proposal},
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

/// Sends over one association; each must be stored.
fn send(platform: &Platform, instances: &[Synthetic]) {
    let proposal = Proposal::new(CR_IMAGE_STORAGE, &instances[0].transfer_syntax_uid);
    let mut association = Association::request(platform.dicom(), "MAXRAY", std::slice::from_ref(&proposal))
        .expect("an association");
    for instance in instances {
        let status = association.store(&proposal, &instance.sop_instance_uid, &instance.data_set());
        assert!(matches!(status, Ok(0)), "{}: {status:?}", instance.sop_instance_uid);
    }
    association.release().expect("a release");
}

/// The object whose key is given as 32 hex digits.
fn object_of(platform: &Platform, key: &str) -> PathBuf {
    let hex =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().replace('-', "");
    let objects = platform.stored_objects();
    objects.into_iter().find(|path| hex(path) == key).unwrap_or_else(|| panic!("no object {key}"))
}
