//! PS3.4 Annex K, the Modality Worklist as provider: what is scheduled, read in pages and told one by one.

mod query;
mod row;

use std::{future::Future, sync::Arc};

use database::{WorklistQuery, WorklistStep};
use model::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

use self::query::Query;
use crate::{
    association::Association,
    backend::Backend,
    dimse::{command_set::CommandSet, status},
    query_retrieve::{
        cancel::{self, Cancel},
        identifier::{self, Keys},
        lookup::Looked,
        response::{Asked, Refused, Response},
    },
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Steps read at once.
const PAGE_STEPS: u32 = 200;

/// Where it stands what is scheduled.
pub trait Schedule: Send + Sync + 'static {
    /// Steps that match, in the order of their start.
    fn steps(&self, query: &WorklistQuery)
    -> impl Future<Output = Result<Vec<WorklistStep>, Refused>> + Send;
}

/// Answers a C-FIND-RQ in a context of the Modality Worklist Information Model.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_worklist_total").increment(1);
    if !context.is_of(command) {
        association.skip_data_set(context, command).await?;
        let comment = "the SOP class is not that of the presentation context";
        return asked.refuse(association, Refused::saying(status::SOP_CLASS_NOT_SUPPORTED, comment)).await;
    }
    let received = identifier::receive_keys(association, context, command).await?;
    let station = association.rights.own_worklist.then(|| association.peer.calling_ae_title.clone());
    let read = received.and_then(|keys| Query::read(&keys, station.as_ref()).map(|query| (keys, query)));
    match read {
        Ok((keys, query)) => answer(association, asked, &keys, query).await,
        Err(refused) => asked.refuse(association, refused).await,
    }
}

async fn answer<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    keys: &Keys,
    query: Query,
) -> Result<(), End> {
    let backend = Arc::clone(&association.backend);
    let mut cancel = Cancel::of(asked.message_id);
    let conditions = query.conditions.clone();
    let mut wanted = WorklistQuery { conditions, after: None, limit: PAGE_STEPS };
    let (mut is_recorded, mut answers) = (false, 0_u64);
    loop {
        let page = tokio::select! {
            page = backend.steps(&wanted) => page,
            indication = cancel::anything(association.upper_layer) => {
                cancel.take(association.upper_layer, indication?).await?;
                if cancel.requested {
                    return end(association, asked, status::CANCEL, answers).await;
                }
                continue;
            }
        };
        let page = match page {
            Ok(page) => page,
            Err(refused) => return asked.refuse(association, refused).await,
        };
        let more = page.len() >= PAGE_STEPS as usize;
        if !is_recorded {
            let looked = Looked::SearchedWorklist { filter: query.filter_hash(), found: page.len(), more };
            if backend.record(&association.peer, &association.rights, looked).await.is_err() {
                let said = Refused::saying(status::UNABLE_TO_PROCESS, "what is asked for cannot be recorded");
                return asked.refuse(association, said).await;
            }
            is_recorded = true;
        }
        wanted.after = page.last().map(|last| last.cursor.clone());
        for step in page {
            if cancel.is_requested(association.upper_layer).await? {
                return end(association, asked, status::CANCEL, answers).await;
            }
            pending(association, asked, keys, &query, &step).await?;
            answers += 1;
        }
        if !more {
            return end(association, asked, status::SUCCESS, answers).await;
        }
    }
}

async fn end<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    status: u16,
    answers: u64,
) -> Result<(), End> {
    tracing::info!(answers, cancelled = status == status::CANCEL, "worklist answered");
    asked.respond(association, &Response::status(status), None).await
}

async fn pending<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    keys: &Keys,
    query: &Query,
    step: &WorklistStep,
) -> Result<(), End> {
    let mut data_set = row::of(step);
    let supported = row::select(&mut data_set, &keys.keys);
    let status = if supported && query.is_fully_matched {
        status::PENDING
    } else {
        // "one or more Optional Keys were not supported for existence for this Identifier" (PS3.4 K.4.1.1.4).
        status::PENDING_WITH_UNSUPPORTED_KEYS
    };
    let implicit_vr = asked.context.transfer_syntax.as_str() == IMPLICIT_VR_LITTLE_ENDIAN;
    let bytes = data_set.encode(implicit_vr, &keys.character_set);
    asked.respond(association, &Response::status(status), Some(&bytes)).await
}
