//! Objects that no row names: what a crash between the object and its row leaves.
//!
//! A row that names an object is committed within seconds of the object's end. So an object that was finished long ago
//! and that no committed row names will never be named. Its age is that of its end, as the store tells it, and not
//! that of its key, which was made when a perhaps slow sender began.

use std::time::{Duration, SystemTime};

use database::DatabaseError;
use futures_util::{StreamExt as _, stream::BoxStream};
use object_storage::{ObjectKey, StorageError};
use uuid::Uuid;

use crate::Archive;

/// Keys asked about at once.
const PAGE_KEYS: usize = 1_000;

/// An object that no row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan {
    /// Its name.
    pub key: ObjectKey,
    /// How long it has been finished.
    pub age: Duration,
}

/// Why the search, or the question whether the database is behind, ended early.
#[derive(Debug, thiserror::Error)]
pub enum OrphanError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Archive {
    /// Every object that no row names, one page of keys in memory at a time. A young one may be about to get its row.
    pub fn orphans(&self) -> BoxStream<'_, Result<Orphan, OrphanError>> {
        let pages = self.storage().list().chunks(PAGE_KEYS);
        let orphans = pages.then(move |page| async move {
            let keys: Vec<ObjectKey> = page.into_iter().collect::<Result<_, _>>()?;
            self.unnamed(&keys).await
        });
        orphans
            .flat_map(|found: Result<Vec<Orphan>, OrphanError>| {
                futures_util::stream::iter(match found {
                    Ok(orphans) => orphans.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                })
            })
            .boxed()
    }

    /// Whether still no row names an orphan: asked again right before it goes.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn is_still_orphan(&self, orphan: &Orphan) -> Result<bool, DatabaseError> {
        Ok(!self.database().unnamed_objects(&[orphan.key.uuid()]).await?.is_empty())
    }

    async fn unnamed(&self, keys: &[ObjectKey]) -> Result<Vec<Orphan>, OrphanError> {
        // First the age, then the rows: an object that is old now had its time to get a row before we look.
        let uuids: Vec<Uuid> = keys.iter().map(|key| key.uuid()).collect();
        let mut orphans = Vec::new();
        for key in self.database().unnamed_objects(&uuids).await? {
            let key = ObjectKey::from_uuid(key);
            match self.storage().finished_at(key).await {
                Ok(at) => {
                    let age = SystemTime::now().duration_since(at).unwrap_or_default();
                    orphans.push(Orphan { key, age });
                }
                // Deleted while we looked.
                Err(StorageError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(orphans)
    }
}
