//! PS3.4 C.4.2 and C.4.3: what C-MOVE and C-GET have in common.

pub(crate) mod ahead;
pub(crate) mod begun;
pub mod selection;
pub mod sub_operations;

use std::sync::Arc;

use archive::ByteStream;
use database::StoredInstance;
use futures_util::{TryStreamExt as _, future::join_all};
use model::{StudyInstanceUid, ae::AeOperation, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use self::sub_operations::SubOperations;
use crate::{
    association::Association,
    backend::Backend,
    dimse::status,
    query_retrieve::{
        identifier,
        lookup::{Ending, Looked},
        response::{Asked, Refused},
    },
    upper_layer::{End, framing::Transport},
};

/// Receives the Identifier and finds the instances. `None`: the request has its answer already.
pub(crate) async fn begin<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    operation: AeOperation,
) -> Result<Option<Vec<StoredInstance>>, End> {
    let Some(model) = asked.model(association, operation).await? else { return Ok(None) };
    let identifier = match identifier::receive(association, asked.context, asked.command).await? {
        Ok(identifier) => identifier,
        Err(refused) => return asked.refuse(association, refused).await.map(|()| None),
    };
    let backend = Arc::clone(&association.backend);
    let instances_max = u64::from(association.door.config.retrieve_instances_max);
    let found = async {
        let scope = backend.scope(&association.peer, &association.rights).await?;
        let options = asked.context.options;
        selection::select(backend.as_ref(), &scope, model, options, &identifier, instances_max).await
    };
    match found.await {
        Ok(instances) => {
            if instances.is_empty() {
                let study = identifier.values(0x0020_000D).first().copied().unwrap_or_default();
                // What is no UID is not written anywhere.
                let study = StudyInstanceUid::parse(study).map(String::from).unwrap_or_default();
                let looked = Looked::NotRetrieved { study, reason: "not there, or not in reach" };
                // Nothing is shown; the log has what the trail misses.
                let _ = backend.record(&association.peer, &association.rights, looked).await;
            }
            Ok(Some(instances))
        }
        Err(refused) => asked.refuse(association, refused).await.map(|()| None),
    }
}

/// Keeps a record for each study before the first byte of it leaves. False: it cannot be kept, and the request has its
/// answer already.
pub(crate) async fn record<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    sub_operations: &SubOperations,
    destination: Option<&str>,
) -> Result<bool, End> {
    let looked = sub_operations.by_study.iter().map(|(study, counts)| Looked::Retrieved {
        study: study.clone(),
        instances: counts.remaining,
        destination: destination.map(str::to_owned),
    });
    if record_together(association, looked).await {
        return Ok(true);
    }
    let said = Refused::saying(status::UNABLE_TO_PROCESS, "what is asked for cannot be recorded");
    asked.refuse(association, said).await.map(|()| false)
}

/// All of them are queued before the first is waited for: they share a commit. False when one cannot be kept.
async fn record_together<S: Transport, B: Backend>(
    association: &Association<'_, S, B>,
    looked: impl Iterator<Item = Looked>,
) -> bool {
    let record = |looked| association.backend.record(&association.peer, &association.rights, looked);
    join_all(looked.map(record)).await.into_iter().all(|kept| kept.is_ok())
}

/// Keeps a record of how it went for each study, and sends the last response, with the list of what failed. `ended` is
/// true after a cancel, and an error when the association is over: the record is kept all the same.
pub(crate) async fn finish<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    sub_operations: &SubOperations,
    destination: Option<&str>,
    ended: Result<bool, End>,
) -> Result<(), End> {
    let ending = match ended {
        Ok(false) => Ending::Done,
        Ok(true) => Ending::Cancelled,
        Err(_) => Ending::BrokenOff,
    };
    let looked = sub_operations.by_study.iter().map(|(study, counts)| Looked::RetrievalEnded {
        study: study.clone(),
        counts: *counts,
        ending,
        destination: destination.map(str::to_owned),
    });
    // What was sent is sent, and the trail has that it was asked for; the log has what it misses.
    record_together(association, looked).await;
    let is_cancelled = ended?;
    let counts = sub_operations.counts;
    tracing::info!(
        completed = counts.completed,
        failed = counts.failed,
        warning = counts.warning,
        remaining = counts.remaining,
        is_cancelled,
        "retrieval ended"
    );
    let implicit_vr = asked.context.transfer_syntax.as_str() == IMPLICIT_VR_LITTLE_ENDIAN;
    let failed = sub_operations.failed_list(implicit_vr);
    asked.respond(association, &sub_operations.last(is_cancelled), failed.as_deref()).await
}

/// A stream as something to read from.
pub(crate) fn reader(data_set: ByteStream) -> impl AsyncRead + Unpin + Send {
    StreamReader::new(data_set.map_err(std::io::Error::other))
}
