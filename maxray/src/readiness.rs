//! Whether this process can serve: what `/readyz` and `/readyz/database` answer.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use archive::Archive;
use object_storage::{Disk, ObjectStorageConfig};
use service::{http::health, shutdown::Shutdown};
use tokio::sync::Mutex;

use crate::settings::Settings;

/// How long one look at the parts stands: the route is public, and a look writes to the store.
const READY_FOR: Duration = Duration::from_secs(2);
/// Between two looks that nobody asked for.
const LOOKS_APART: Duration = Duration::from_mins(1);

/// What `serve` is asked by those who check it.
pub fn checks(archive: &Archive) -> health::ReadyChecks {
    health::ReadyChecks { whole: check(archive, true), without_storage: check(archive, false) }
}

/// Asks the parts, at most once in a while. Each check remembers by itself: one waits for the store, the other never does.
fn check(archive: &Archive, with_storage: bool) -> health::ReadyCheck {
    let archive = archive.clone();
    let last = Arc::new(Mutex::new(None::<(Instant, Result<(), String>)>));
    Arc::new(move || {
        let (archive, last) = (archive.clone(), Arc::clone(&last));
        Box::pin(async move {
            let mut last = last.lock().await;
            if let Some((_, outcome)) = last.as_ref().filter(|(at, _)| at.elapsed() < READY_FOR) {
                return outcome.clone();
            }
            let outcome = look(&archive, with_storage).await;
            if with_storage {
                metrics::gauge!("maxray_ready").set(f64::from(u8::from(outcome.is_ok())));
            }
            *last = Some((Instant::now(), outcome.clone()));
            outcome
        })
    })
}

async fn look(archive: &Archive, with_storage: bool) -> Result<(), String> {
    archive.database().ping().await.map_err(|_| "the database does not answer".to_owned())?;
    if with_storage {
        archive.storage().probe().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Looks by itself, until the shutdown begins: at a small site nobody asks, and alarms go by what was seen last.
pub fn watch(
    settings: &Settings,
    archive: &Archive,
    directory: &Path,
    shutdown: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let ready = check(archive, true);
    let looks = look_on(ready, directory.to_owned(), settings.object_storage.clone());
    async move {
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            never = looks => match never {},
        }
    }
}

/// The first look at the parts is that of the start.
async fn look_on(ready: health::ReadyCheck, directory: PathBuf, config: ObjectStorageConfig) -> Infallible {
    loop {
        match Disk::of(&directory, config.reserve_bytes, config.reserve_percent_max) {
            Ok(disk) => disk.tell("data"),
            Err(error) => tracing::warn!(%error, "the disk of the data directory does not say what is free"),
        }
        tokio::time::sleep(LOOKS_APART).await;
        if let Err(reason) = ready().await {
            tracing::warn!(%reason, "not ready");
        }
    }
}
