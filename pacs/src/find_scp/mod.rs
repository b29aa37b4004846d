//! PS3.4 C.4.1 and PS3.7 9.3.2, C-FIND: the answers are read in pages and sent one by one, so memory does not grow
//! with their number.

mod pages;
mod query;
mod row;

use database::{PatientRow, SearchRow};
use model::{ae::AeOperation, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};

use self::pages::Pages;
pub(crate) use self::query::{Query, check_hierarchy};
use crate::{
    association::Association,
    backend::Backend,
    dimse::{command_set::CommandSet, status},
    query_retrieve::{
        cancel::{self, Cancel},
        identifier::{self, Identifier},
        lookup::Looked,
        response::{Asked, Refused, Response},
    },
    upper_layer::{End, framing::Transport, negotiation::PresentationContext},
};

/// Something that was found.
enum Found {
    Patient(PatientRow),
    Row(Box<SearchRow>),
}

/// Answers a C-FIND-RQ.
pub(crate) async fn serve<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    context: &PresentationContext,
    command: &CommandSet,
) -> Result<(), End> {
    let asked = Asked::of(context, command)?;
    metrics::counter!("maxray_dimse_c_find_total").increment(1);
    let Some(model) = asked.model(association, AeOperation::Find).await? else { return Ok(()) };
    let received = identifier::receive(association, context, command).await?;
    let read = received.and_then(|identifier| {
        Query::read(model, context.options, &identifier).map(|query| (identifier, query))
    });
    match read {
        Ok((identifier, query)) => answer(association, asked, &identifier, query).await,
        Err(refused) => asked.refuse(association, refused).await,
    }
}

async fn answer<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    identifier: &Identifier,
    query: Query,
) -> Result<(), End> {
    let backend = std::sync::Arc::clone(&association.backend);
    let scope = match backend.scope(&association.peer, &association.rights).await {
        Ok(scope) => scope,
        Err(refused) => return asked.refuse(association, refused).await,
    };
    let mut cancel = Cancel::of(asked.message_id);
    let mut pages = Pages::new(backend.as_ref(), &scope, &query);
    let mut is_recorded = false;
    let mut answers = 0_u64;
    loop {
        let page = tokio::select! {
            page = pages.next() => page,
            indication = cancel::anything(association.upper_layer) => {
                cancel.take(association.upper_layer, indication?).await?;
                if cancel.requested {
                    return cancelled(association, asked, answers).await;
                }
                continue;
            }
        };
        let page = match page {
            Ok(page) => page,
            Err(refused) => return asked.refuse(association, refused).await,
        };
        if !is_recorded {
            let (found, more) = (page.len(), pages.has_more());
            let looked = Looked::Searched { filter: query.filter_hash(), found, more, study: query.study() };
            if backend.record(&association.peer, &association.rights, looked).await.is_err() {
                let said = Refused::saying(status::UNABLE_TO_PROCESS, "what is asked for cannot be recorded");
                return asked.refuse(association, said).await;
            }
            is_recorded = true;
        }
        for found in page {
            if cancel.is_requested(association.upper_layer).await? {
                return cancelled(association, asked, answers).await;
            }
            pending(association, asked, identifier, &query, &found).await?;
            answers += 1;
        }
        if !pages.has_more() {
            tracing::info!(level = query.level.as_str(), answers, "query answered");
            return asked.respond(association, &Response::status(status::SUCCESS), None).await;
        }
    }
}

/// PS3.4 C.4.1.1.4: Matching terminated due to Cancel request.
async fn cancelled<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    answers: u64,
) -> Result<(), End> {
    tracing::info!(answers, "query cancelled");
    asked.respond(association, &Response::status(status::CANCEL), None).await
}

async fn pending<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    identifier: &Identifier,
    query: &Query,
    found: &Found,
) -> Result<(), End> {
    let mut data_set = match found {
        Found::Patient(patient) => row::of_patient(patient),
        Found::Row(found) => row::of(found),
    };
    let supported = row::select(&mut data_set, query.level, &association.door.config.ae_title, identifier);
    let status = if supported && query.is_fully_matched {
        status::PENDING
    } else {
        // "one or more Optional Keys were not supported for existence and/or matching" (PS3.4 C.4.1.1.4).
        status::PENDING_WITH_UNSUPPORTED_KEYS
    };
    let implicit_vr = asked.context.transfer_syntax.as_str() == IMPLICIT_VR_LITTLE_ENDIAN;
    let bytes = data_set.encode(implicit_vr, &identifier.character_set);
    asked.respond(association, &Response::status(status), Some(&bytes)).await
}
