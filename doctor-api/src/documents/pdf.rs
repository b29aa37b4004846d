//! A document on paper, with a code that leads to its check.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    clinical::{ClinicalDocument, Doctor, DocumentContent, SignerProfile},
    text::hex,
};
use paper::{Language, MissingScript, Paper, PaperError, Printed, Proof, Standing};
use serde::Deserialize;
use service::http::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{commands::read, signing::SignedContent};
use crate::{
    audit::{self, Looked},
    errors,
    input::etag::is_known,
    policy::Permit,
    state::AppState,
};

/// Wait for a turn before 503.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// In which language.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PdfQuery {
    /// Language of the labels, `en` unless it says otherwise. What the doctor wrote stays as it was written.
    #[param(inline)]
    lang: Option<PdfLanguage>,
}

/// A language of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PdfLanguage {
    /// English.
    En,
    /// German.
    De,
    /// Spanish.
    Es,
    /// French.
    Fr,
}

impl From<PdfLanguage> for Language {
    fn from(language: PdfLanguage) -> Self {
        match language {
            PdfLanguage::En => Self::English,
            PdfLanguage::De => Self::German,
            PdfLanguage::Es => Self::Spanish,
            PdfLanguage::Fr => Self::French,
        }
    }
}

/// The paper of a document in reach.
pub async fn pdf<C: Printed, P>(
    state: &AppState,
    permit: &Permit<P>,
    (id, headers): (Uuid, &HeaderMap),
    query: &PdfQuery,
) -> Result<Response, Problem> {
    let document: ClinicalDocument<C> = read(state, permit, id).await?;
    let doctor = state.database().doctor(document.doctor_id).await.map_err(errors::database)?;
    let doctor = doctor.ok_or_else(Problem::not_found)?;
    let language = query.lang.map(Language::from).unwrap_or_default();
    let pdf = make(state, document, doctor, language).await?;
    // It leaves the house as a file: recorded every time, not once for a while.
    let what = Looked {
        action: &format!("get_{}_pdf", C::NOUN),
        study_instance_uid: "",
        subject: id.to_string(),
        consultation_id: None,
    };
    audit::exported(state, &permit.caller, what).await?;
    let tag = format!("\"{}\"", hex(&service::identity::sha256_of(&pdf)));
    if is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let answer = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::ETAG, text(&tag)),
        (header::CONTENT_DISPOSITION, text(&format!("inline; filename=\"{}-{id}.pdf\"", C::NOUN))),
    ];
    Ok((answer, pdf).into_response())
}

/// Of text that is hexadecimal, or an id.
fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Makes it on a thread of its own: fonts are read, and a long document takes a core for a while.
async fn make<C: Printed>(
    state: &AppState,
    document: ClinicalDocument<C>,
    doctor: Doctor,
    language: Language,
) -> Result<Vec<u8>, Problem> {
    let turn = turn(&state.pdfs, TURN_TIMEOUT).await?;
    let state = state.clone();
    let made = tokio::task::spawn_blocking(move || {
        // With the work and not with the asker, who may be gone before it ends.
        let _turn = turn;
        let signed = SignedContent::of(&state.doctor_keys, &document);
        let proof = proof(&state, &document);
        let standing = Standing::of(document.status, signed.is_some());
        let signer =
            signed.as_ref().map_or((doctor.name.as_str(), doctor.licence_number.as_str()), |signed| {
                (signed.doctor.name.as_str(), signed.doctor.licence_number.as_str())
            });
        // Where it was not signed, as it is now.
        let of_now = SignerProfile::from(&doctor);
        let profile = signed.as_ref().and_then(|signed| signed.doctor.profile.as_ref()).unwrap_or(&of_now);
        let paper = Paper { document: &document, signer, profile, standing, proof, language };
        paper::render(&paper, &state.fonts.of(&paper.text()))
    });
    made.await.map_err(|error| Problem::internal(&error))?.map_err(|error| refusal(&error))
}

/// One of the places for those that are made at the same time.
async fn turn(places: &Arc<Semaphore>, patience: Duration) -> Result<OwnedSemaphorePermit, Problem> {
    let turn = tokio::time::timeout(patience, Arc::clone(places).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Problem::unavailable("too many PDFs at the same time"));
    };
    Ok(turn)
}

fn proof<C: DocumentContent>(state: &AppState, document: &ClinicalDocument<C>) -> Option<Proof> {
    let signed = document.signed.as_ref()?;
    let code = state.doctor_keys.code_of(document.id);
    let base = state.config.public_url.trim_end_matches('/');
    Some(Proof {
        finalized_at: signed.finalized_at,
        content_sha256: hex(&signed.content_sha256),
        key_id: signed.key_id.clone(),
        link: format!("{base}/{}s/{}/verify?code={code}", C::NOUN, document.id),
        code,
    })
}

/// Total on purpose, as [`errors::database`].
fn refusal(error: &PaperError) -> Problem {
    match error {
        PaperError::FontMissing(script) => font_missing(*script),
        PaperError::Refused(_) => Problem::internal(error),
    }
}

/// Names the script and no character: what a document says is not for error texts.
fn font_missing(script: MissingScript) -> Problem {
    let what = match script.package() {
        Some(package) => format!(
            "no font on this server has all characters of {script}; install the Debian package {package}, or name a \
             directory in doctor_api.prescription.font_directories, and start MaxRay again"
        ),
        None => format!("it has characters of {script}, which mean nothing on paper"),
    };
    Problem::conflict(what).kind("font-missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gets_no_turn_is_told_to_come_again() {
        let places = Arc::new(Semaphore::new(1));
        let patience = Duration::from_millis(20);
        let first = turn(&places, patience).await.expect("a place");
        let refused = turn(&places, patience).await.expect_err("there is one place");
        assert_eq!(refused.status, 503);
        drop(first);
        drop(turn(&places, patience).await.expect("it is free again"));
    }
}
