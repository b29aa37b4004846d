//! PS3.4 C.4.2 and C.4.3: what C-MOVE and C-GET have in common.

pub mod selection;
pub mod sub_operations;

use std::{collections::BTreeMap, sync::Arc};

use archive::ByteStream;
use database::StoredInstance;
use futures_util::TryStreamExt as _;
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
        lookup::Looked,
        response::{Asked, Refused},
    },
    upper_layer::{End, framing::Transport, negotiation::Service},
};

/// Receives the Identifier and finds the instances. `None`: the request has its answer already.
pub(crate) async fn begin<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    operation: AeOperation,
) -> Result<Option<Vec<StoredInstance>>, End> {
    let model = match asked.context.service {
        Service::QueryRetrieve(model, of) if of == operation => model,
        _ => {
            association.skip_data_set(asked.context, asked.command).await?;
            let said =
                Refused::saying(status::SOP_CLASS_NOT_SUPPORTED, "the SOP class is of another command");
            return asked.refuse(association, said).await.map(|()| None);
        }
    };
    let identifier = match identifier::receive(association, asked.context, asked.command).await? {
        Ok(identifier) => identifier,
        Err(refused) => return asked.refuse(association, refused).await.map(|()| None),
    };
    let backend = Arc::clone(&association.backend);
    let found = async {
        let scope = backend.scope(&association.peer, &association.rights).await?;
        selection::select(backend.as_ref(), &scope, model, asked.context.options, &identifier).await
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
    instances: &[StoredInstance],
    destination: Option<&str>,
) -> Result<bool, End> {
    let mut studies: BTreeMap<&str, (&StudyInstanceUid, usize)> = BTreeMap::new();
    for instance in instances {
        let study = &instance.study_instance_uid;
        studies.entry(study.as_str()).or_insert((study, 0)).1 += 1;
    }
    let backend = Arc::clone(&association.backend);
    for (study, instances) in studies.into_values() {
        let destination = destination.map(str::to_owned);
        let looked = Looked::Retrieved { study: study.clone(), instances, destination };
        if backend.record(&association.peer, &association.rights, looked).await.is_err() {
            let said = Refused::saying(status::UNABLE_TO_PROCESS, "what is asked for cannot be recorded");
            asked.refuse(association, said).await?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends the last response, with the list of what failed.
pub(crate) async fn finish<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    sub_operations: &SubOperations,
    is_cancelled: bool,
) -> Result<(), End> {
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
