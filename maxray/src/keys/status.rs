//! `maxray key status`.

use super::{close, open};
use crate::settings::Settings;

/// Prints how the keys are.
pub(super) async fn status(settings: Settings) -> anyhow::Result<()> {
    let (archive, lock) = open(&settings).await?;
    let root = archive.storage().keys().root_status().await;
    let (present, destroyed) = archive.storage().keys().list().await?;
    let jobs = archive.database().open_key_jobs().await?;
    println!("root key        {}", root.root_key_id);
    println!(
        "kept in         {}",
        if root.in_file { "a file: keep a copy of it elsewhere" } else { "the settings" }
    );
    match root.next_root_key_id {
        Some(next) => println!("rotation        to root key {next}, not over"),
        None => println!("rotation        none"),
    }
    println!("patient keys    {} (a few of them spare)", present.len());
    println!("destroyed keys  {}", destroyed.len());
    for job in &jobs {
        println!("open work       {} {}: {} done", job.kind.as_str(), job.id, job.done);
    }
    if archive.database().is_removal_pending().await? {
        println!("waiting         replaced or erased objects and keys, to be removed");
    }
    close(archive, lock.is_some()).await
}
