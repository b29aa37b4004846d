//! The next instance is opened, and its beginning read and unsealed, while the one before is sent and answered:
//! otherwise whoever receives waits for the store each time.

use std::sync::Arc;

use database::StoredInstance;
use model::TransferSyntaxUid;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::query_retrieve::lookup::{Lookup, NotOpened, Opened};

/// At most one instance that is opened before its turn.
///
/// It is no more than opened: whether it may go out is asked in its turn. Its beginning is in memory ([`super::begun`]).
#[derive(Default)]
pub(crate) struct Ahead {
    begun: Option<Begun>,
}

struct Begun {
    id: Uuid,
    /// Dropped with the retrieval.
    opening: AbortOnDropHandle<Result<Opened, NotOpened>>,
}

impl Ahead {
    /// Begins with what comes next. What has to be converted waits for its turn: it would keep one of the few decoders
    /// from others while a receiver takes its time.
    pub(crate) fn begin<L: Lookup>(
        &mut self,
        lookup: &Arc<L>,
        instance: &StoredInstance,
        transfer_syntaxes: &[TransferSyntaxUid],
    ) {
        if !transfer_syntaxes.contains(&instance.transfer_syntax_uid) {
            return;
        }
        let (id, lookup, instance) = (instance.id, Arc::clone(lookup), instance.clone());
        let opening = tokio::spawn(async move {
            let as_stored = [instance.transfer_syntax_uid.clone()];
            lookup.open(&instance, &as_stored).await
        });
        self.begun = Some(Begun { id, opening: AbortOnDropHandle::new(opening) });
    }

    /// The instance whose turn it is, as [`Lookup::open`] gives it.
    pub(crate) async fn open<L: Lookup>(
        &mut self,
        lookup: &Arc<L>,
        instance: &StoredInstance,
        transfer_syntaxes: &[TransferSyntaxUid],
    ) -> Result<Opened, NotOpened> {
        let is_the_one = |begun: &Begun| {
            begun.id == instance.id && transfer_syntaxes.contains(&instance.transfer_syntax_uid)
        };
        if let Some(begun) = self.begun.take().filter(is_the_one)
            && let Ok(opened) = begun.opening.await
        {
            return opened;
        }
        lookup.open(instance, transfer_syntaxes).await
    }
}
