//! From the objects: those that no row names (I3), and those that were never finished (I4).

use std::time::Duration;

use archive::{Archive, DATABASE_BEHIND, StorageError};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::{VerifyOptions, report::Report};
use crate::settings::Settings;

/// Oldest part of a running upload.
const PART_AGE_MAX: Duration = Duration::from_hours(1);

pub async fn check(
    archive: &Archive,
    settings: &Settings,
    options: &VerifyOptions,
    report: &mut Report,
) -> anyhow::Result<()> {
    let grace = options.orphan_grace_seconds.unwrap_or(settings.worker.orphan_grace_seconds);
    let grace = Duration::from_secs(grace);
    if archive.is_behind().await? {
        let what = "the database is older than the objects, which may hold what it does not know".to_owned();
        report.violated("I3", what, DATABASE_BEHIND);
    }
    let mut orphans = archive.orphans();
    let mut young = 0_u64;
    while let Some(orphan) = orphans.try_next().await? {
        report.checked("I3", 1);
        if orphan.age < grace {
            young += 1;
            continue;
        }
        let what = format!("object {}: no row names it, finished {} s ago", orphan.key, orphan.age.as_secs());
        let plan = "objects without rows: a running server removes what a crash left (worker.orphan_grace_seconds); when an older \
            database was put back, run maxray reindex --missing";
        report.violated("I3", what, plan);
    }
    report.checked("I3", 0);
    if young > 0 {
        report.note("I3", format!("{young} are younger than the grace: on their way in, or left by a crash"));
    }
    check_parts(archive, report).await?;
    check_destroyed_keys(archive, report).await
}

/// A key that was destroyed and is there again opens what was erased: an old copy of the keys was put back.
async fn check_destroyed_keys(archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
    report.checked("I13", 0);
    let (keys, _) = archive.database().destroyed_keys_since(DateTime::<Utc>::UNIX_EPOCH).await?;
    for key in keys {
        report.checked("I13", 1);
        match archive.storage().keys().patient_key(key).await {
            Err(StorageError::KeyMissing(_)) => {}
            Err(StorageError::KeyAltered(_)) | Ok(_) => {
                let what = format!("patient key {key}: it was destroyed and is there again");
                report.violated(
                    "I13",
                    what,
                    "start the server: it destroys keys again that an old copy brought back",
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn check_parts(archive: &Archive, report: &mut Report) -> anyhow::Result<()> {
    let Some(parts) = archive.storage().unfinished().await? else {
        report.note("I4", "a bucket's unfinished uploads are for its lifecycle rule");
        return Ok(());
    };
    report.checked("I4", parts.len() as u64);
    for (name, age) in parts.into_iter().filter(|(_, age)| *age > PART_AGE_MAX) {
        let what = format!("{name}: unfinished for {} s", age.as_secs());
        report.violated("I4", what, "restart the server: it removes what it did not finish");
    }
    Ok(())
}
