//! Every operation's right to be called, as a type in its arguments: without the argument there is no scope, and
//! without a scope the database answers no clinical question.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use database::AuditActor;
use model::access::{Action, Principal, Scope};
use service::http::{bearer::Authenticated, problem::Problem, request_id};
use uuid::Uuid;

use crate::{audit, idempotency::ClaimOfRequest, state::AppState};

/// Who calls, from where, in which request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    pub source_address: String,
    pub certificate: String,
    pub request_id: String,
    /// The claim of the Idempotency-Key that the request came with.
    pub claim: Option<Uuid>,
}

impl Caller {
    async fn of(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authenticated::from_request_parts(parts, state).await.map(Self::from)?;
        Ok(Self { claim: parts.extensions.get::<ClaimOfRequest>().map(|claim| claim.0), ..caller })
    }

    /// As the audit log names it.
    pub fn actor(&self) -> AuditActor {
        AuditActor {
            user_id: Some(self.principal.user_id),
            session_id: self.principal.session_id,
            role: self.principal.acts_as().to_owned(),
            certificate: self.certificate.clone(),
            source_address: self.source_address.clone(),
            request_id: self.request_id.clone(),
            claim: self.claim,
            ..AuditActor::default()
        }
    }
}

impl From<Authenticated> for Caller {
    fn from(authenticated: Authenticated) -> Self {
        Self {
            principal: authenticated.principal,
            source_address: authenticated.source_address,
            certificate: authenticated.certificate,
            request_id: request_id::current().unwrap_or_default(),
            claim: None,
        }
    }
}

/// Whoever signed in, for operations on the own account. A token that was made for a viewer or a share link is none of
/// these.
impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Self::of(parts, state).await?;
        if caller.principal.grant.is_some() {
            audit::refused(state, &caller, "use_account").await?;
            return Err(Problem::forbidden());
        }
        Ok(caller)
    }
}

/// An action as a type.
pub trait Policy: Send + Sync + 'static {
    const ACTION: Action;
}

macro_rules! policies {
    ($($action:ident),+ $(,)?) => {
        $(
            /// See the action of the same name.
            pub struct $action;
            impl Policy for $action {
                const ACTION: Action = Action::$action;
            }
        )+
    };
}

policies!(
    ReadStudy,
    UploadXray,
    DeleteInstances,
    ReadDoctor,
    ManageDoctors,
    ManageUsers,
    CreateDevice,
    UpdateDoctor,
    ReadConsultation,
    CreateConsultation,
    UpdateConsultation,
    ReadNote,
    WriteNote,
    ReadPrescription,
    WritePrescription,
    ReadReport,
    WriteReport,
    LinkStudy,
    ReadEvents,
    IssueViewerToken,
    ShareStudy,
    BreakGlass,
    ReviewBreakGlass,
    ManageGrants,
    ReadAudit,
    ReadAccessReport,
    ManageAes,
    ManageWebhooks,
    ReadWorklist,
    ManageWorklist,
);

/// Proof that the caller may do `P`, and how far. It is checked before the body is read: 401 without a valid token,
/// 403 when the role may never do this, which is audited.
pub struct Permit<P> {
    pub caller: Caller,
    pub scope: Scope,
    action: PhantomData<P>,
}

impl<P: Policy> FromRequestParts<AppState> for Permit<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::of(parts, state).await?;
        if let Ok(scope) = caller.principal.authorize(P::ACTION) {
            return Ok(Self { caller, scope, action: PhantomData });
        }
        audit::refused(state, &caller, &audit::name(P::ACTION)).await?;
        Err(Problem::forbidden())
    }
}
