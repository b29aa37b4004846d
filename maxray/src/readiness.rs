//! Whether this process can serve: what `/readyz` and `/readyz/database` answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use archive::Archive;
use service::http::health;
use tokio::sync::Mutex;

/// How long one look at the parts stands: the route is public, and a look writes to the store.
const READY_FOR: Duration = Duration::from_secs(2);

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
