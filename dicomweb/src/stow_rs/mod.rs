//! PS3.18 10.5, Store Transaction.

pub(crate) mod metadata;
pub(crate) mod request;
mod response;
pub(crate) mod spool;
mod store;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use model::access::Action;
use service::http::{bearer::Authenticated, problem::Problem};

use self::{
    metadata::Refused,
    request::Payload,
    store::{Interrupted, Storing},
};
use crate::{
    acceptable::Acceptable,
    media_type::prefers_xml,
    multipart::{BodyLimits, LimitedBody, MultipartReader},
    resource::Resource,
    state::App,
    urls::Urls,
};

/// `POST /studies` and `POST /studies/{study}`.
pub(crate) async fn store_instances(
    State(app): State<App>,
    who: Authenticated,
    resource: Resource,
    acceptable: Acceptable,
    urls: Urls,
    request: Request,
) -> Result<Response, Problem> {
    let scope = who.authorize(Action::StoreInstance)?;
    let length_max_bytes = app.config.store_request_length_max_bytes;
    let payload = request::payload(request.headers(), length_max_bytes)?;
    let limits = BodyLimits { length_max_bytes, idle_timeout_ms: app.config.store_idle_timeout_ms };
    let body = LimitedBody::new(request.into_body().into_data_stream(), limits);
    let mut storing = Storing::new(&app, &urls, (&who, &scope), resource.study);
    let reader = |boundary: &str, body| {
        MultipartReader::new(body, boundary, app.config.store_request_parts_max).map_err(Interrupted)
    };
    let result = match payload {
        Payload::Multipart { boundary } => match reader(&boundary, body) {
            Ok(reader) => storing.store_parts(reader).await.map_err(Refused::from),
            Err(error) => Err(error.into()),
        },
        Payload::SinglePart => storing.store_single(body).await.map_err(Refused::from),
        Payload::MultipartMetadata { boundary, form } => match reader(&boundary, body) {
            Ok(reader) => storing.store_metadata_parts(reader, form).await,
            Err(error) => Err(error.into()),
        },
        Payload::Metadata(form) => storing.store_metadata(body, form).await,
    };
    let (response, overloaded) = storing.finish().await;
    match result {
        Ok(()) => {}
        Err(Refused::Interrupted(Interrupted(error))) => return Err(interrupted(&error, response.stored())),
        Err(Refused::Problem(problem)) => return Err(problem),
    }
    if response.instances.is_empty() {
        return Err(Problem::bad_request("the request has no instance in it").kind("multipart"));
    }
    let study_url = match response.single_study() {
        Some(study) => format!("{}/studies/{study}", urls.base()),
        None => String::new(),
    };
    let mut response = response.into_response(&study_url, prefers_xml(&acceptable.accept));
    if overloaded {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(http::header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    Ok(response)
}

/// Seconds after which a sender may try again when storage or database had no room.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The payload broke off. What came whole before that is stored, and sending it again is safe.
fn interrupted(error: &crate::multipart::MultipartError, stored: usize) -> Problem {
    let mut problem = request::multipart(error);
    if stored > 0 {
        problem = problem.detail(format!(
            "{error}; the {stored} instances that came whole are stored, and all may be sent again"
        ));
    }
    problem
}
