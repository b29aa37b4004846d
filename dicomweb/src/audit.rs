//! Records of who read what, before the first byte of it leaves. It stands around every route, so that a handler
//! cannot forget it; a record that cannot be written is a 503, and nothing leaves.
//!
//! What is stored is recorded by the transaction that stores it.

mod seen;

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use axum::{
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use database::{AuditActor, AuditOutcome, AuditRecord, Encoder};
use http::{Method, StatusCode};
use service::http::{bearer::Authenticated, problem::Problem, request_id};

use self::seen::{Key, Looker, REPEAT_AFTER, Seen};
use crate::{resource::Resource, state::App, wado_uri::UriQuery};

/// What a route gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Takes instances: their transactions record it.
    Store,
    /// Takes instances away: its transaction records it.
    Delete,
    /// Rows of a search: one record a request, with a hash of the filter.
    Search,
    /// Whole instances: one record a request.
    Instances,
    /// A rendered picture: one record a request.
    Rendered,
    /// Headers, frames, bulk data, thumbnails: one record a sign-in, link or token, address and study in five minutes.
    Content,
    /// What this door can do: one record a request.
    Capabilities,
}

impl Kind {
    /// What a request to a route is for; the template decides.
    pub(crate) fn of(method: &Method, template: &str) -> Option<Self> {
        if *method == Method::POST {
            return Some(Self::Store);
        }
        if *method == Method::DELETE {
            return Some(Self::Delete);
        }
        match template.rsplit('/').next()? {
            "studies" | "series" | "instances" => Some(Self::Search),
            "{study}" | "{series}" | "{instance}" => Some(Self::Instances),
            "rendered" | "wado" => Some(Self::Rendered),
            "metadata" | "{frames}" | "{path}" | "thumbnail" => Some(Self::Content),
            // The door itself, with and without the path that it is mounted under.
            "" | "dicomweb" => Some(Self::Capabilities),
            _ => None,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Store => "store_instance",
            Self::Delete => "delete_instances",
            Self::Search => "search_archive",
            Self::Instances => "retrieve_instances",
            Self::Rendered => "render_instance",
            Self::Content => "read_study",
            Self::Capabilities => "read_capabilities",
        }
    }
}

/// How many rows a search found: left by its handler at the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found(pub usize);

/// What this door remembers of its records.
#[derive(Default)]
pub(crate) struct ReadAudit {
    seen: Mutex<Seen>,
}

/// Middleware around every route: proves who asks, lets the handler answer, and records it.
pub(crate) async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let who = match Authenticated::from_request_parts(&mut parts, &app).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let template =
        parts.extensions.get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
    let mut kind = Kind::of(&parts.method, &template).unwrap_or(Kind::Instances);
    let mut resource = Resource::from_request_parts(&mut parts, &app).await.unwrap_or_default();
    if template.ends_with("/wado")
        && let Ok(query) = UriQuery::from_request_parts(&mut parts, &app).await
    {
        (resource, kind) = (query.resource().unwrap_or_default(), query.kind());
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let response = next.run(Request::from_parts(parts, body)).await;
    // WADO-URI: what is given of a list of media types depends on the instance, and its handler says it.
    let kind = response.extensions().get::<Kind>().copied().unwrap_or(kind);
    let looked = Look { kind, who: &who, resource: &resource, query: &query };
    let found = response.extensions().get::<Found>().map_or(0, |found| found.0);
    match record(&app, &looked, response.status(), found).await {
        Ok(()) => response,
        Err(problem) => problem.into_response(),
    }
}

/// A request that was answered.
struct Look<'a> {
    kind: Kind,
    who: &'a Authenticated,
    resource: &'a Resource,
    query: &'a str,
}

async fn record(app: &App, look: &Look<'_>, status: StatusCode, found: usize) -> Result<(), Problem> {
    let mut record = AuditRecord::success(&actor(look.who), look.kind.action()).about(look.subject());
    if let Some(study) = &look.resource.study {
        record = record.of_study(study);
    }
    let who = Looker::from(look.who);
    let study = record.study_instance_uid.clone();
    let given = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let covered = match look.kind {
        Kind::Store | Kind::Delete if given => return Ok(()),
        Kind::Content | Kind::Search if given && !study.is_empty() => Some((who, look.kind.action(), study)),
        Kind::Store
        | Kind::Delete
        | Kind::Search
        | Kind::Instances
        | Kind::Rendered
        | Kind::Content
        | Kind::Capabilities
            if given =>
        {
            None
        }
        _ if status == StatusCode::FORBIDDEN => {
            record.outcome = AuditOutcome::Refused;
            "the role may never do this".clone_into(&mut record.detail);
            None
        }
        _ if status == StatusCode::NOT_FOUND => {
            record.outcome = AuditOutcome::Refused;
            "not there, or not in reach".clone_into(&mut record.detail);
            Some((who, "not found", study))
        }
        _ if look.kind == Kind::Delete && status == StatusCode::CONFLICT => {
            record.outcome = AuditOutcome::Refused;
            "a legal hold".clone_into(&mut record.detail);
            None
        }
        // Malformed, too large, overloaded: nothing was seen.
        _ => return Ok(()),
    };
    if look.kind == Kind::Search && given {
        record.detail = format!("filter {}, {found} found", filter_hash(look.query));
    }
    if let Some(key) = &covered
        && app.audit.is_covered(key)
    {
        return Ok(());
    }
    if covered.is_some() && record.detail.is_empty() {
        record.detail = format!("covers {} minutes", REPEAT_AFTER.as_secs() / 60);
    }
    app.database().audit(record).await.map_err(|error| {
        tracing::error!(%error, "what was asked for cannot be recorded and is not answered");
        Problem::unavailable("the audit trail cannot be written now")
    })?;
    if let Some(key) = covered {
        app.audit.remember(key);
    }
    Ok(())
}

impl Look<'_> {
    /// What of the study it was about.
    fn subject(&self) -> String {
        let series = self.resource.series.as_ref().map(ToString::to_string);
        self.resource.instance.as_ref().map(ToString::to_string).or(series).unwrap_or_default()
    }
}

/// The account of a request, for records.
pub(crate) fn actor(who: &Authenticated) -> AuditActor {
    AuditActor {
        user_id: Some(who.principal.user_id),
        session_id: who.principal.session_id,
        role: who.principal.acts_as().to_owned(),
        certificate: who.certificate.clone(),
        source_address: who.source_address.clone(),
        request_id: request_id::current().unwrap_or_default(),
        ..AuditActor::default()
    }
}

/// The parts of a query in one order, hashed: the filter may name a patient.
fn filter_hash(query: &str) -> String {
    let mut parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    let mut encoder = Encoder::new("MaxRay search 1");
    for part in parts {
        encoder.text(part);
    }
    model::text::hex(&encoder.finish()[..16])
}

impl ReadAudit {
    fn is_covered(&self, key: &Key) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).lately(key, Instant::now())
    }

    fn remember(&self, key: Key) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remember(key, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_same_in_any_order() {
        assert_eq!(filter_hash("PatientID=1&limit=2"), filter_hash("limit=2&PatientID=1"));
        assert_ne!(filter_hash("PatientID=1"), filter_hash("PatientID=2"));
        assert!(!filter_hash("PatientName=DOE").contains("DOE"));
    }

    #[test]
    fn every_route_has_its_kind() {
        for (path, _) in crate::router::routes() {
            assert!(Kind::of(&Method::GET, path).is_some(), "{path}");
        }
    }
}
