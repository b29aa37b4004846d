//! Whether this process can serve: what `/readyz` answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use archive::Archive;
use service::http::health;
use tokio::sync::Mutex;

/// How long one look at the parts stands: the route is public, and a look writes to the store.
const READY_FOR: Duration = Duration::from_secs(2);

/// Asks the parts, at most once in a while.
pub fn ready_check(archive: &Archive) -> health::ReadyCheck {
    let archive = archive.clone();
    let last = Arc::new(Mutex::new(None::<(Instant, Result<(), String>)>));
    Arc::new(move || {
        let (archive, last) = (archive.clone(), Arc::clone(&last));
        Box::pin(async move {
            let mut last = last.lock().await;
            if let Some((_, outcome)) = last.as_ref().filter(|(at, _)| at.elapsed() < READY_FOR) {
                return outcome.clone();
            }
            let outcome = look(&archive).await;
            *last = Some((Instant::now(), outcome.clone()));
            outcome
        })
    })
}

async fn look(archive: &Archive) -> Result<(), String> {
    archive.database().ping().await.map_err(|_| "the database does not answer".to_owned())?;
    archive.storage().probe().await.map_err(|error| error.to_string())
}
