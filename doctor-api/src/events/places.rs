//! Places on `/events`: so many at once, and no more than a share of them for one account, so that one program that forgets to
//! close its streams leaves some to everybody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;
use service::http::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// When an account that listens too often may try again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// All places of this process.
pub struct Places {
    free: Arc<Semaphore>,
    per_account_max: usize,
    /// How many of them each account has.
    taken: Mutex<HashMap<Uuid, usize>>,
}

impl Places {
    pub fn new(places_max: usize, per_account_max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places_max)), per_account_max, taken: Mutex::default() }
    }

    /// A place for one more listener of this account.
    ///
    /// # Errors
    /// 429 when the account has as many as it may, 503 when there are no more.
    pub fn place_for(self: &Arc<Self>, account: Uuid) -> Result<Place, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has = taken.get(&account).copied().unwrap_or_default();
        if has >= self.per_account_max {
            let detail =
                format!("this account listens {has} times already: close a stream, or hear it all by one");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS)
                .detail(detail)
                .retry_after(RETRY_AFTER_SECONDS));
        }
        let permit = Arc::clone(&self.free).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::unavailable("too many listeners"))?;
        taken.insert(account, has + 1);
        Ok(Place { places: Arc::clone(self), account, _permit: permit })
    }
}

/// Somebody who listens; makes room when dropped.
pub struct Place {
    places: Arc<Places>,
    account: Uuid,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = taken.get_mut(&self.account) {
            *has -= 1;
            if *has == 0 {
                taken.remove(&self.account);
            }
        }
    }
}
