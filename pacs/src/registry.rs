//! The registry of AEs as this door knows it: read from the database, and at most five seconds old.

use std::{sync::Arc, time::Duration};

use database::Database;
use model::ae::Ae;
use tokio::{sync::Mutex, time::Instant};

use crate::backend::Unavailable;

/// The registry is not read again within this time: associations come by the dozen.
pub const FRESH_FOR: Duration = Duration::from_secs(2);
/// Still used within this time when the database does not answer.
const USED_FOR: Duration = Duration::from_secs(5);

/// The registry, kept for a moment.
pub struct Registry {
    database: Database,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    read: Option<(Instant, Arc<[Ae]>)>,
    /// When the database last did not answer.
    failed_at: Option<Instant>,
}

impl Known {
    /// What may be used while the database does not answer.
    fn usable(&self) -> Result<Arc<[Ae]>, Unavailable> {
        let usable = self.read.as_ref().filter(|(read_at, _)| read_at.elapsed() < USED_FOR);
        usable.map(|(_, aes)| Arc::clone(aes)).ok_or(Unavailable)
    }
}

impl Registry {
    /// Nothing is read yet.
    pub fn new(database: Database) -> Self {
        Self { database, known: Mutex::default() }
    }

    /// Every registered AE.
    pub async fn get(&self) -> Result<Arc<[Ae]>, Unavailable> {
        // Held while reading: who comes meanwhile waits for the same answer, also when there is none. Otherwise each of them
        // would wait for the database in turn.
        let mut known = self.known.lock().await;
        if let Some((read_at, aes)) = known.read.as_ref()
            && read_at.elapsed() < FRESH_FOR
        {
            return Ok(Arc::clone(aes));
        }
        if known.failed_at.is_some_and(|failed_at| failed_at.elapsed() < FRESH_FOR) {
            return known.usable();
        }
        let asked_at = Instant::now();
        match self.database.aes().await {
            Ok(aes) => {
                let aes: Arc<[Ae]> = aes.into();
                *known = Known { read: Some((asked_at, Arc::clone(&aes))), failed_at: None };
                Ok(aes)
            }
            Err(error) => {
                tracing::error!(%error, "the registry of AEs cannot be read");
                known.failed_at = Some(Instant::now());
                known.usable()
            }
        }
    }
}
