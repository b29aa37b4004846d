//! Stands around every operation: what a handler did not record itself is recorded here, before the answer leaves. So
//! an operation that forgot the audit trail is in it all the same.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State},
    http::{Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use service::http::{bearer::Authenticated, problem::Problem};
use utoipa::openapi::OpenApi as Document;

use crate::{
    audit::{self, Looked},
    openapi::operations,
    policy::Caller,
    state::AppState,
};

tokio::task_local! {
    /// Whether the handler of this request wrote a record of what it showed.
    static RECORDED: Arc<AtomicBool>;
}

/// Says that the handler of this request recorded what it shows.
pub fn is_recorded() {
    let _ = RECORDED.try_with(|recorded| recorded.store(true, Ordering::Relaxed));
}

/// What the middleware needs.
#[derive(Clone)]
pub struct Watch {
    state: AppState,
    /// Name of the operation by method and path template.
    names: Arc<HashMap<(Method, String), String>>,
}

impl Watch {
    /// For the operations of the document.
    pub fn new(state: AppState, document: &Document) -> Self {
        let names = operations(document).into_iter().filter_map(|(method, path, operation)| {
            let method = Method::from_bytes(method.as_bytes()).ok()?;
            Some(((method, path.to_owned()), operation.operation_id.clone()?))
        });
        Self { state, names: Arc::new(names.collect()) }
    }
}

/// The middleware.
pub async fn watch(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let had_token = parts.headers.contains_key(header::AUTHORIZATION);
    // Who is known is known to the handler too; what it makes of nobody is its own affair.
    let who =
        if had_token { Authenticated::from_request_parts(&mut parts, &watch.state).await.ok() } else { None };
    let template = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let operation = template.and_then(|path| watch.names.get(&(method.clone(), path)).cloned());
    let subject = subject(&mut parts).await;
    let recorded = Arc::new(AtomicBool::new(false));
    let answer = next.run(Request::from_parts(parts, body));
    let response = RECORDED.scope(Arc::clone(&recorded), answer).await;
    let status = response.status();
    let Some(who) = who else { return response };
    let Some(operation) = operation else { return response };
    let shown = method == Method::GET && (status.is_success() || status == StatusCode::NOT_MODIFIED);
    let caller = Caller::from(who);
    let outcome = if shown && !recorded.load(Ordering::Relaxed) {
        let what = Looked {
            action: &operation,
            study_instance_uid: subject.study(),
            subject: subject.id(),
            consultation_id: None,
        };
        audit::looked(&watch.state, &caller, what).await
    } else if status == StatusCode::NOT_FOUND && subject.names_something() {
        audit::not_found(&watch.state, &caller, &operation, subject.study(), subject.id()).await
    } else {
        Ok(())
    };
    outcome.map_or_else(Problem::into_response, |()| response)
}

/// What the path names. Other parameters may name a patient and stay out of the trail.
#[derive(Default)]
struct Subject {
    id: String,
    study_instance_uid: String,
    other: bool,
}

impl Subject {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn study(&self) -> &str {
        &self.study_instance_uid
    }

    fn names_something(&self) -> bool {
        self.other || !self.id.is_empty() || !self.study_instance_uid.is_empty()
    }
}

async fn subject(parts: &mut Parts) -> Subject {
    let mut subject = Subject::default();
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else { return subject };
    for (name, value) in &parameters {
        match name {
            "id" if value.parse::<uuid::Uuid>().is_ok() => value.clone_into(&mut subject.id),
            "study_instance_uid" if model::StudyInstanceUid::parse(value).is_ok() => {
                value.clone_into(&mut subject.study_instance_uid);
            }
            _ => subject.other = true,
        }
    }
    subject
}
