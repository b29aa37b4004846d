//! Tools that tell whether anything was lost, and what they do about it: verify, reindex, the removal of orphans.

mod orphans;
mod reindex;
mod verify;

use std::path::{Path, PathBuf};

use tests::{
    platform::Platform,
    python,
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

/// Runs SQL on the SQLite file, as somebody who damages it would.
fn sql(platform: &Platform, statements: &str) -> String {
    let script = "import sqlite3, sys, json\n\
        database = sqlite3.connect(sys.argv[1])\n\
        for statement in sys.argv[2].split(';'):\n    rows = database.execute(statement).fetchall()\n\
        database.commit()\n\
        print(json.dumps([[value.hex() if isinstance(value, bytes) else value for value in row] for row in rows]))";
    let file = platform.data_directory().join("maxray.sqlite").display().to_string();
    python::run_text(script, &[&file, statements]).trim().to_owned()
}

/// Every object's file.
fn objects(platform: &Platform) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let shards = std::fs::read_dir(platform.data_directory().join("objects")).expect("objects");
    for shard in shards.flatten() {
        files.extend(std::fs::read_dir(shard.path()).expect("a shard").flatten().map(|file| file.path()));
    }
    files.sort();
    files
}

/// The file of an object whose key is given as 32 hex digits.
fn object_file(platform: &Platform, key: &str) -> PathBuf {
    let hex =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().replace('-', "");
    objects(platform).into_iter().find(|path| hex(path) == key).unwrap_or_else(|| panic!("no object {key}"))
}
