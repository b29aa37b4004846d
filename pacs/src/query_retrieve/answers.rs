//! PS3.4 C.4.1.2 and K.4.1.2, PS3.7 9.3.2: the answers of a C-FIND, of whatever it is, are read in pages and sent one by one, so
//! that memory does not grow with their number; C-CANCEL ends them.

use std::{future::Future, sync::Arc};

use model::{access::Scope, transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN};

use super::{
    cancel::{self, Cancel},
    data_set::DataSet,
    lookup::Looked,
    response::{Asked, Refused, Response},
};
use crate::{
    association::{Association, operation_of},
    backend::Backend,
    dimse::status,
    upper_layer::{End, framing::Transport},
};

/// What is answered.
pub(crate) trait Answers: Send {
    /// Something that was found.
    type Found: Send + Sync;

    /// The next page. One that is not waited for is read again.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Self::Found>, Refused>> + Send;

    /// How far the studies go that it looks among; none when it looks for something else.
    fn scope(&self) -> Option<&Scope>;

    /// There is another page, or may be.
    fn has_more(&self) -> bool;

    /// What the audit trail says of the first page.
    fn looked(&self, found: usize) -> Looked;

    /// What a response says of it, and whether every key is known here and was matched on.
    fn data_set(&self, found: &Self::Found) -> (DataSet, bool);

    /// Specific Character Set of the request.
    fn character_set(&self) -> &str;
}

/// Records the query before its first answer leaves, and sends the answers.
pub(crate) async fn send<S: Transport, B: Backend, A: Answers>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    answers: &mut A,
) -> Result<(), End> {
    let mut cancel = Cancel::of(asked.message_id);
    let (mut is_recorded, mut sent) = (false, 0_u64);
    let scope = answers.scope().cloned();
    loop {
        let page = tokio::select! {
            page = answers.next() => page,
            indication = cancel::anything(association.upper_layer) => {
                cancel.take(association.upper_layer, indication?).await?;
                if cancel.requested {
                    return end(association, asked, status::CANCEL, sent).await;
                }
                continue;
            }
        };
        if is_cut(association, asked, scope.as_ref()).await? {
            return Ok(());
        }
        let page = match page {
            Ok(page) => page,
            Err(refused) => return asked.refuse(association, refused).await,
        };
        if !is_recorded {
            let (backend, looked) = (Arc::clone(&association.backend), answers.looked(page.len()));
            if backend.record(&association.peer, &association.rights, looked).await.is_err() {
                let said = Refused::saying(status::UNABLE_TO_PROCESS, "what is asked for cannot be recorded");
                return asked.refuse(association, said).await;
            }
            is_recorded = true;
        }
        for found in page {
            if cancel.is_requested(association.upper_layer).await? {
                return end(association, asked, status::CANCEL, sent).await;
            }
            if is_cut(association, asked, scope.as_ref()).await? {
                return Ok(());
            }
            pending(association, asked, answers, &found).await?;
            sent += 1;
        }
        if !answers.has_more() {
            return end(association, asked, status::SUCCESS, sent).await;
        }
    }
}

/// Whether it may not go on, which is told then.
async fn is_cut<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    scope: Option<&Scope>,
) -> Result<bool, End> {
    let Some(operation) = operation_of(asked.context, asked.command) else { return Ok(false) };
    if association.may_go_on(operation, scope).await {
        return Ok(false);
    }
    let said = Refused::saying(status::NOT_AUTHORIZED, "it is not allowed any more");
    asked.refuse(association, said).await.map(|()| true)
}

/// Success, or "Matching terminated due to Cancel request" (PS3.4 C.4.1.1.4).
async fn end<S: Transport, B: Backend>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    status: u16,
    answers: u64,
) -> Result<(), End> {
    tracing::info!(answers, cancelled = status == status::CANCEL, "query answered");
    asked.respond(association, &Response::status(status), None).await
}

async fn pending<S: Transport, B: Backend, A: Answers>(
    association: &mut Association<'_, S, B>,
    asked: Asked<'_>,
    answers: &A,
    found: &A::Found,
) -> Result<(), End> {
    let (data_set, is_complete) = answers.data_set(found);
    // "one or more Optional Keys were not supported for existence and/or matching" (PS3.4 C.4.1.1.4, K.4.1.1.4).
    let status = if is_complete { status::PENDING } else { status::PENDING_WITH_UNSUPPORTED_KEYS };
    let implicit_vr = asked.context.transfer_syntax.as_str() == IMPLICIT_VR_LITTLE_ENDIAN;
    let bytes = data_set.encode(implicit_vr, answers.character_set());
    asked.respond(association, &Response::status(status), Some(&bytes)).await
}
