//! `Idempotency-Key` on any POST with a token: a request that is sent again has its effect once and gets the same answer.
//!
//! The claim of a key goes with the request to the database, whose transaction notes in it that the effect is
//! committed: see `database::Claim`. Answers that hold a secret are not kept, and of requests only a keyed hash is: their
//! bodies hold passwords.
//!
//! A form with a file is known by its fields and the content of its file. Both are hashed as they come: the operation says which form it
//! is when it has come whole, before it stores anything ([`claim_form`]).

use std::{pin::pin, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use database::{AuditRecord, Claim, ClaimedForm, FormClaim, KeptAnswer, NewClaim};
use model::access::{Grant, Principal};
use service::http::{bearer::Authenticated, problem::Problem};
use uuid::Uuid;

use crate::{audit, errors, policy::Caller, state::AppState, xrays::hash_form};

/// The header.
const KEY: &str = "idempotency-key";
/// Longest key in characters.
const KEY_LENGTH_MAX: usize = 200;
/// Longest answer that is kept.
const ANSWER_LENGTH_MAX_BYTES: usize = 1 << 20;
/// Headers of an answer that are kept.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// The operation that takes a form with a file.
const OF_FORMS: &str = "/xrays";
/// Time between two words that a request is still being carried out. A claim of which nothing is heard for a minute is taken over.
const RENEWED_EVERY: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(15) };

/// Operations whose answers hold a secret that is shown once.
pub const SECRET: &[&str] = &[
    "/clients",
    "/clients/{id}/secret",
    "/consultations/{id}/room",
    "/consultations/{id}/viewer-token",
    "/devices",
    "/oauth2/token",
    "/sessions",
    "/sessions/refresh",
    "/shares/redeem",
    "/studies/{study_instance_uid}/shares",
    "/webhooks",
];

/// The claim that a request carries out.
#[derive(Debug, Clone, Copy)]
pub struct ClaimOfRequest(pub Uuid);

/// The middleware.
pub async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    carry_out(&state, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn carry_out(state: &AppState, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    // Without a token there is nobody whose key it could be.
    let Ok(who) = Authenticated::from_request_parts(&mut parts, state).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let caller = Caller::from(who);
    let key = key(&parts.headers)?;
    refuse_borrowed_token(state, &caller).await?;
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let template = path.as_ref().map_or("", MatchedPath::as_str);
    let is_form = template == OF_FORMS && is_multipart(&parts.headers);
    let line = line(&caller.principal, &parts);
    let (body, request_hmac) = if is_form {
        (body, state.doctor_keys.fingerprint_of(line.as_bytes()))
    } else {
        fingerprint(state, &line, body).await?
    };
    let new = NewClaim { user_id: caller.principal.user_id, key, request_hmac };
    let claim = match state.database().claim_idempotency_key(&new).await.map_err(errors::database)? {
        Claim::Yours(claim) => claim,
        Claim::Answered { answer, subject, form_hmac } => {
            if is_form {
                let form = hash_form(Request::from_parts(parts, body), state).await?;
                let form = form.map(|form| state.doctor_keys.fingerprint_of(&form).to_vec());
                if form.is_none() || form != form_hmac {
                    return Err(other_request());
                }
            }
            let record = AuditRecord::success(&caller.actor(), "replay_answer").about(subject);
            audit::written(state, record.saying(format!("POST {template}"))).await?;
            return Ok(again(answer));
        }
        Claim::AnswerLost { subject } => return Err(lost(&subject)),
        Claim::Running => return Err(running()),
        Claim::OtherRequest => return Err(other_request()),
    };
    parts.extensions.insert(ClaimOfRequest(claim));
    let response = renewing(state, claim, next.run(Request::from_parts(parts, body))).await;
    // A form that is refused is looked at anew when it comes again.
    let kept = response.status().is_success() || (response.status() == StatusCode::CONFLICT && !is_form);
    let secret = SECRET.contains(&template);
    if !kept || (secret && response.status().is_success()) {
        // What had an effect stays claimed.
        state.database().release_claim(claim).await.map_err(errors::database)?;
        return Ok(response);
    }
    keep(state, claim, response).await
}

/// Carries a request out, and says meanwhile that somebody is still at it.
async fn renewing(state: &AppState, claim: Uuid, work: impl Future<Output = Response>) -> Response {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            response = &mut work => return response,
            () = renew(state, claim) => {}
        }
    }
}

async fn renew(state: &AppState, claim: Uuid) {
    tokio::time::sleep(RENEWED_EVERY).await;
    if let Err(error) = state.database().renew_claim(claim).await {
        tracing::warn!(%error, "it could not be said that a request is still being carried out");
    }
}

/// Says which form a claim is for, when that has come whole and before anything of it is stored.
///
/// # Errors
/// 422 when the key came with another form, 409 when another attempt is at it by now.
pub async fn claim_form(
    state: &AppState,
    claim: Uuid,
    form_sha256: &[u8; 32],
) -> Result<ClaimedForm, Problem> {
    let form_hmac = state.doctor_keys.fingerprint_of(form_sha256);
    match state.database().claim_form(claim, &form_hmac).await.map_err(errors::database)? {
        FormClaim::Yours(form) => Ok(form),
        FormClaim::OtherForm => Err(other_request()),
        FormClaim::TakenOver => Err(running()),
    }
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let (first, second) = (values.next().and_then(|value| value.to_str().ok()), values.next());
    let key =
        first.map(str::trim).filter(|key| !key.is_empty() && key.len() <= KEY_LENGTH_MAX && second.is_none());
    key.map(str::to_owned).ok_or_else(|| {
        Problem::bad_request(format!(
            "Idempotency-Key is one key of 1 to {KEY_LENGTH_MAX} visible ASCII characters"
        ))
    })
}

/// A token for a viewer and the session of a share link are in other hands than the account, and change nothing.
async fn refuse_borrowed_token(state: &AppState, caller: &Caller) -> Result<(), Problem> {
    match caller.principal.grant {
        None | Some(Grant::Device) => Ok(()),
        Some(Grant::Consultation(_) | Grant::Share(_)) => {
            audit::refused(state, caller, "use_idempotency_key").await?;
            Err(Problem::forbidden())
        }
    }
}

/// What makes a request the same beside its body: as what the account sends it, method, path and query. An account that became another
/// role's or another doctor's does not get what was answered to the former.
fn line(who: &Principal, parts: &Parts) -> String {
    let sender = format!("{} {:?} {:?}", who.role.as_str(), who.doctor_id, who.grant);
    format!("{sender}\n{} {}\n", parts.method, parts.uri)
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/"))
}

async fn fingerprint(state: &AppState, line: &str, body: Body) -> Result<(Body, [u8; 32]), Problem> {
    let length_max = state.config.body_length_max_bytes;
    let bytes = to_bytes(body, length_max).await.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE)
            .detail(format!("the body was cut off or is larger than {length_max} bytes"))
    })?;
    let whole = [line.as_bytes(), &bytes].concat();
    Ok((Body::from(bytes), state.doctor_keys.fingerprint_of(&whole)))
}

/// Keeps an answer, and gives it.
async fn keep(state: &AppState, claim: Uuid, response: Response) -> Result<Response, Problem> {
    let status = response.status();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, ANSWER_LENGTH_MAX_BYTES).await.map_err(|error| Problem::internal(&error))?;
    let headers: Vec<(&str, &str)> = KEPT_HEADERS
        .iter()
        .filter_map(|name| Some((name.as_str(), parts.headers.get(name)?.to_str().ok()?)))
        .collect();
    let headers = serde_json::to_string(&headers).map_err(|error| Problem::internal(&error))?;
    let answer = KeptAnswer { status: status.as_u16(), headers, body: bytes.to_vec() };
    // The effect is committed: an answer that cannot be kept is given all the same.
    if let Err(error) = state.database().keep_answer(claim, &answer).await {
        tracing::warn!(%error, "an answer could not be kept for a repeated request");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn again(answer: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(Bytes::from(answer.body))).into_response();
    let kept: Vec<(String, String)> = serde_json::from_str(&answer.headers).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in kept {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

fn lost(subject: &str) -> Problem {
    let detail = format!(
        "the request was carried out, but its answer was not kept; look at what it made: {}",
        if subject.is_empty() { "list it" } else { subject }
    );
    Problem::conflict(detail).kind("idempotency-answer-not-kept")
}

fn running() -> Problem {
    Problem::conflict("the request with this Idempotency-Key is being carried out")
        .kind("idempotency-running")
        .retry_after(1)
}

fn other_request() -> Problem {
    Problem::unprocessable()
        .kind("idempotency-key-reused")
        .detail("this Idempotency-Key came with another request; each request needs a key of its own")
}
