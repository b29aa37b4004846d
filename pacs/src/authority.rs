//! PS3.7 9.1, Refused: Not Authorized: what the peer of an association may do by now, by the registration of its AE and by
//! the person for whom it asks.

use std::{sync::Arc, time::Duration};

use model::{StudyInstanceUid, access::Scope, ae::AeOperation};
use tokio::time::Instant;

use crate::{
    association::Association,
    backend::{Backend, RefusedAct, Unavailable},
    dimse::{command_set::CommandSet, status},
    identification::NotProved,
    reception::TurnedAway,
    upper_layer::{End, framing::Transport, negotiation::PresentationContext, pdu::AbortReason},
};

/// How long what the registry said is good for what comes in bulk, and what was known of an AE, its account and its person
/// for an operation that goes on.
const RIGHTS_FOR: Duration = Duration::from_secs(2);
/// Who goes on asking for what is not allowed is cut off: each of them costs a record.
const DENIED_OPERATIONS_MAX: u32 = 100;

/// Whether it shows somebody what is kept here: that is for the person who asks. What a machine brings and reports is its
/// own act.
fn shows(operation: AeOperation) -> bool {
    match operation {
        AeOperation::Find | AeOperation::Move | AeOperation::Get | AeOperation::Worklist => true,
        AeOperation::Echo | AeOperation::Store | AeOperation::Commit | AeOperation::Mpps => false,
    }
}

/// What the peer is told.
fn comment(act: RefusedAct) -> &'static str {
    match act {
        RefusedAct::Person => "the user identity is not good any more",
        RefusedAct::Association(_) | RefusedAct::Operation(_) | RefusedAct::Step | RefusedAct::Reading => {
            "this AE may not do that here"
        }
    }
}

impl<S: Transport, B: Backend> Association<'_, S, B> {
    /// What speaks against doing it now; `None`: nothing. An association can live for days, so that the registry is asked
    /// each time: whom an operator has taken the right from has lost it. For what comes in bulk, and shows nobody, once in
    /// a while.
    pub(crate) async fn refusal(
        &mut self,
        operation: AeOperation,
    ) -> Result<Option<RefusedAct>, Unavailable> {
        let by_registration = self.refusal_by_registration(operation).await?;
        if by_registration.is_some() || !shows(operation) {
            return Ok(by_registration);
        }
        let by_person = self.refusal_by_person().await?;
        if by_person.is_none() {
            self.allowed_at = Instant::now();
        }
        Ok(by_person)
    }

    async fn refusal_by_registration(
        &mut self,
        operation: AeOperation,
    ) -> Result<Option<RefusedAct>, Unavailable> {
        let refused = RefusedAct::Operation(operation);
        let of = |allowed: bool| (!allowed).then_some(refused);
        let in_bulk = matches!(operation, AeOperation::Echo | AeOperation::Store);
        if in_bulk && self.rights_read_at.elapsed() < RIGHTS_FOR {
            return Ok(of(self.rights.allow(operation)));
        }
        match self.door.rights(&self.peer).await {
            Ok(rights) => (self.rights, self.rights_read_at) = (rights, Instant::now()),
            Err(TurnedAway::Denied(_)) => return Ok(Some(refused)),
            // What cannot be kept is refused later, with the reason, and without asking again each time.
            Err(TurnedAway::Later(_)) if in_bulk => self.rights_read_at = Instant::now(),
            Err(TurnedAway::Later(_)) => return Err(Unavailable),
        }
        Ok(of(self.rights.allow(operation)))
    }

    /// Without its person an association does not fall back on what its AE may see: that can be more.
    async fn refusal_by_person(&mut self) -> Result<Option<RefusedAct>, Unavailable> {
        let backend = Arc::clone(&self.backend);
        let Some(person) = &mut self.peer.person else { return Ok(None) };
        match backend.identify_again(person).await {
            Ok(principal) => {
                person.principal = principal;
                Ok(None)
            }
            Err(NotProved::Wrong | NotProved::TriedTooOften) => Ok(Some(RefusedAct::Person)),
            Err(NotProved::Unavailable) => Err(Unavailable),
        }
    }

    /// Whether an operation that runs may go on: what is taken from the AE, from the account that it reads as, or from the
    /// person, is taken from it, too. `scope`: how far it was let see when it began.
    pub(crate) async fn may_go_on(&mut self, operation: AeOperation, scope: Option<&Scope>) -> bool {
        if self.allowed_at.elapsed() < RIGHTS_FOR {
            return true;
        }
        if !self.may_still(operation).await {
            return false;
        }
        let Some(scope) = scope else { return true };
        let backend = Arc::clone(&self.backend);
        let allowed = backend.scope(&self.peer, &self.rights).await.is_ok_and(|now| now == *scope);
        if !allowed {
            tracing::warn!(operation = operation.as_str(), "an operation is broken off: out of reach");
        }
        allowed
    }

    /// The same with what it shows of this study.
    pub(crate) async fn may_go_on_with(&mut self, operation: AeOperation, study: &StudyInstanceUid) -> bool {
        if self.allowed_at.elapsed() < RIGHTS_FOR {
            return true;
        }
        if !self.may_still(operation).await {
            return false;
        }
        // An AE that asks for nobody, and reads as nobody, sees every study.
        if self.peer.person.is_none() && self.rights.reads_as.is_none() {
            return true;
        }
        let backend = Arc::clone(&self.backend);
        let allowed = match backend.scope(&self.peer, &self.rights).await {
            Ok(scope) => backend.is_in_reach(&scope, study).await.unwrap_or(false),
            Err(_) => false,
        };
        if !allowed {
            tracing::warn!(operation = operation.as_str(), "an operation is broken off: out of reach");
        }
        allowed
    }

    async fn may_still(&mut self, operation: AeOperation) -> bool {
        match self.refusal(operation).await {
            Ok(None) => true,
            Ok(Some(act)) => {
                tracing::warn!(operation = operation.as_str(), "an operation is broken off");
                self.backend.record_refusal(&self.peer, act).await;
                false
            }
            // What cannot be known is not shown.
            Err(Unavailable) => false,
        }
    }

    /// PS3.7 9.1: Refused: Not Authorized.
    pub(crate) async fn deny(
        &mut self,
        context: &PresentationContext,
        command: &CommandSet,
        (operation, act): (AeOperation, RefusedAct),
    ) -> Result<(), End> {
        self.skip_data_set(context, command).await?;
        tracing::warn!(operation = operation.as_str(), "operation not allowed");
        metrics::counter!("maxray_dimse_operations_denied_total", "operation" => operation.as_str())
            .increment(1);
        self.record_denied(act).await?;
        self.respond(context, command, status::NOT_AUTHORIZED, comment(act)).await
    }

    /// Records that the peer tried what is not for it, and ends the association when it goes on trying.
    pub(crate) async fn record_denied(&mut self, act: RefusedAct) -> Result<(), End> {
        self.backend.record_refusal(&self.peer, act).await;
        self.denied_operations += 1;
        if self.denied_operations > DENIED_OPERATIONS_MAX {
            return Err(End::Aborting(AbortReason::NotSpecified));
        }
        Ok(())
    }
}
