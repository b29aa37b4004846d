//! Who we are for those that we call by C-MOVE and by rules, and how many of our associations one of them bears at once.
//!
//! Whoever has a place gives it back when there is nothing more to send. No association is kept for the next request:
//! receivers take the release for the end of what was sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::AeTitle;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

use crate::{
    call::{CallConfig, Callee},
    config::PacsConfig,
    store_scu::{Proposal, ScuAssociation, ScuError, ScuTimeouts},
};

/// Result of an A-ASSOCIATE-RJ: another time it may do (PS3.8 table 9-21).
const REJECTED_TRANSIENT: u8 = 2;
/// Waits before it is asked again.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// We, as users of others' services; clones share the places.
#[derive(Debug, Clone)]
pub struct Caller {
    title: AeTitle,
    config: CallConfig,
    /// Of each AE that was called.
    places: Arc<Mutex<HashMap<AeTitle, Arc<Semaphore>>>>,
}

/// One association at a time with an AE.
#[derive(Debug)]
pub struct Place<'a> {
    caller: &'a Caller,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Caller {
    /// As configured.
    pub fn new(config: &PacsConfig) -> Self {
        Self { title: config.ae_title.clone(), config: config.call.clone(), places: Arc::default() }
    }

    /// Waits for a place with an AE; who came first has it first.
    pub async fn place(&self, title: &AeTitle) -> Place<'_> {
        // It is never closed.
        let permit = self.places_of(title).acquire_owned().await.ok();
        Place { caller: self, _permit: permit }
    }

    fn places_of(&self, title: &AeTitle) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let max = self.config.associations_per_ae_max as usize;
        Arc::clone(places.entry(title.clone()).or_insert_with(|| Arc::new(Semaphore::new(max))))
    }
}

impl Place<'_> {
    /// Asks for the association, also again when it is rejected for the moment only.
    pub(crate) async fn call(
        &self,
        callee: &Callee,
        proposals: &[Proposal],
    ) -> Result<ScuAssociation, ScuError> {
        for pause in PAUSES {
            match self.call_once(callee, proposals).await {
                Err(ScuError::Rejected { result: REJECTED_TRANSIENT, .. }) => sleep(pause).await,
                ended => return ended,
            }
        }
        self.call_once(callee, proposals).await
    }

    async fn call_once(&self, callee: &Callee, proposals: &[Proposal]) -> Result<ScuAssociation, ScuError> {
        let Caller { title, config, .. } = self.caller;
        ScuAssociation::connect(config, callee, title, proposals, ScuTimeouts::default()).await
    }
}
