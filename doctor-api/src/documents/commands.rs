//! What a doctor does with a document, whichever kind it is.

use axum::http::{HeaderMap, header};
use chrono::NaiveDate;
use database::WriterScope;
use model::{
    access::{Action, Scope},
    clinical::{ClinicalDocument, DocumentContent, DocumentSignature, DocumentStatus},
};
use service::http::problem::Problem;
use uuid::Uuid;

use super::{licence, patient, refusal, settled, signing::document};
use crate::{
    consultations::change::{REMARK_LENGTH_MAX, Remark},
    errors,
    input::{
        check::Checks,
        etag::{changed_meanwhile, expected_version},
    },
    policy::{Caller, Permit},
    state::AppState,
};

/// The studies that a writer may name.
fn study_scope(caller: &Caller) -> Result<Scope, Problem> {
    caller.principal.authorize(Action::ReadStudy).map_err(|_| Problem::forbidden())
}

/// One document in reach.
pub async fn read<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    id: Uuid,
) -> Result<ClinicalDocument<C>, Problem> {
    let found = state.database().document(&permit.scope, id).await.map_err(errors::database)?;
    found.ok_or_else(Problem::not_found)
}

/// Begins a draft. When it does not say whom it is for, the booking does, or the images that the doctor may see.
pub async fn create<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    of: (Uuid, Uuid),
    mut content: C,
) -> Result<ClinicalDocument<C>, Problem> {
    if content.patient().is_none() {
        let consultation = state.database().consultation(&permit.scope, of.1).await;
        let consultation = consultation.map_err(errors::database)?.ok_or_else(Problem::not_found)?;
        *content.patient_mut() = Some(patient::known(state, &permit.caller, &consultation).await?);
    }
    let studies = study_scope(&permit.caller)?;
    let scope = WriterScope { documents: &permit.scope, studies: &studies };
    let made = state.database().create_document(scope, of, content, &permit.caller.actor()).await;
    made.map_err(refusal::<C>)
}

/// Changes the draft that If-Match names.
pub async fn update<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    (id, headers): (Uuid, &HeaderMap),
    content: C,
) -> Result<ClinicalDocument<C>, Problem> {
    let change = (expected_version(headers)?, content);
    let studies = study_scope(&permit.caller)?;
    let scope = WriterScope { documents: &permit.scope, studies: &studies };
    let updated = state.database().update_document(scope, id, change, &permit.caller.actor()).await;
    updated.map_err(refusal::<C>)
}

/// Begins a draft that takes the place of a signed one.
pub async fn replace<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    id: Uuid,
    content: C,
) -> Result<ClinicalDocument<C>, Problem> {
    let studies = study_scope(&permit.caller)?;
    let scope = WriterScope { documents: &permit.scope, studies: &studies };
    let made = state.database().replace_document(scope, id, content, &permit.caller.actor()).await;
    made.map_err(refusal::<C>)
}

/// Signs a draft with its doctor's key; `is_whole` says what it lacks. With it the last day of the doctor's licences, when they
/// are over.
pub async fn finalize<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    (id, headers): (Uuid, &HeaderMap),
    is_whole: impl Fn(&C) -> Result<(), Problem>,
) -> Result<(ClinicalDocument<C>, Option<NaiveDate>), Problem> {
    let draft: ClinicalDocument<C> = read(state, permit, id).await?;
    if !permit.scope.includes_doctor(draft.doctor_id) {
        return Err(Problem::not_found());
    }
    if headers.contains_key(header::IF_MATCH) && expected_version(headers)? != draft.version {
        return Err(changed_meanwhile());
    }
    if draft.status != DocumentStatus::Draft {
        return Err(settled::<C>(draft.status));
    }
    is_whole(&draft.content)?;
    let doctor = state.database().doctor(draft.doctor_id).await.map_err(errors::database)?;
    let doctor = doctor.ok_or_else(Problem::not_found)?;
    let finalized_at = state.clock.now();
    let signed = state.doctor_keys.sign(doctor.id, &document(&draft, &doctor, finalized_at));
    let signed = signed.map_err(|error| Problem::internal(&error))?;
    let signed = DocumentSignature {
        jws: signed.jws,
        content_sha256: signed.sha256,
        key_id: signed.key_id,
        finalized_at,
    };
    let (studies, actor) = (study_scope(&permit.caller)?, permit.caller.actor());
    let scope = WriterScope { documents: &permit.scope, studies: &studies };
    let kept = state.database().finalize_document(scope, id, (draft.version, signed), &actor).await;
    let licence_ended = licence::ended(&doctor, finalized_at);
    kept.map(|kept| (kept, licence_ended)).map_err(refusal::<C>)
}

/// Takes a draft or a signed document back.
pub async fn cancel<C: DocumentContent, P>(
    state: &AppState,
    permit: &Permit<P>,
    id: Uuid,
    Remark { remark }: Remark,
) -> Result<ClinicalDocument<C>, Problem> {
    let mut checks = Checks::new();
    checks.text("remark", &remark, REMARK_LENGTH_MAX);
    checks.finish()?;
    let actor = permit.caller.actor();
    let cancelled = state.database().cancel_document(&permit.scope, id, &remark, &actor).await;
    cancelled.map_err(refusal::<C>)
}
