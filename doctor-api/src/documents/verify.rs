//! Whether a document is genuine, for whoever has the code that is printed on it.

use chrono::{DateTime, NaiveDate, Utc};
use database::AuditRecord;
use model::{
    access::Scope,
    clinical::{ClinicalDocument, DocumentContent, Licence, SignerProfile},
    text::hex,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::http::{json::Json, problem::Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::signing::SignedContent;
use crate::{audit, errors, sessions::create_session::SourceAddress, state::AppState};

/// The code.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// The code that is printed on it.
    code: String,
}

/// Whether a document is genuine. It says nothing about the patient and what was written: they stand on the paper, and their
/// hash is here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification {
    /// The document.
    id: Uuid,
    /// What is kept is what its doctor signed: the signature holds, and what was signed is this document.
    genuine: bool,
    /// `finalized`, `cancelled` or `superseded`: only a finalized one is good.
    #[schema(example = "finalized")]
    status: &'static str,
    /// When it was signed.
    finalized_at: DateTime<Utc>,
    /// SHA-256 of what was signed, hexadecimal.
    content_sha256: String,
    /// Who signed, as the signed document says; empty when it is not genuine.
    doctor_name: String,
    /// The doctor's licence number, as the signed document says; empty when it is not genuine.
    licence_number: String,
    /// What else the paper shows of the doctor, as the signed document says; none when it was signed before that was a part of what
    /// is signed, and when it is not genuine.
    doctor_profile: Option<SignedProfileBody>,
    /// The public key, as a JWK, for those who verify the signature themselves.
    #[schema(value_type = Object)]
    key: Value,
}

/// What the paper of a signed document shows of its doctor beside name and licence number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedProfile)]
pub struct SignedProfileBody {
    /// Specialties in words.
    #[schema(example = json!(["Radiology"]))]
    specialties: Vec<String>,
    /// Licences to practise.
    licences: Vec<SignedLicenceBody>,
    /// Lines of contact.
    #[schema(example = json!(["ada@example.org"]))]
    contacts: Vec<String>,
}

/// A licence to practise, as it was signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedLicence)]
pub struct SignedLicenceBody {
    /// Its number.
    number: String,
    /// Who gave it.
    issuer: String,
    /// Last day on which it is good.
    expires_on: Option<NaiveDate>,
}

impl From<SignerProfile> for SignedProfileBody {
    fn from(SignerProfile { specialties, licences, contacts }: SignerProfile) -> Self {
        let show = |Licence { number, issuer, expires_on }| SignedLicenceBody { number, issuer, expires_on };
        Self { specialties, licences: licences.into_iter().map(show).collect(), contacts }
    }
}

/// What is known of a document, for who has its code.
pub async fn verify<C: DocumentContent>(
    state: &AppState,
    source: SourceAddress,
    id: Uuid,
    query: &VerifyQuery,
) -> Result<Json<Verification>, Problem> {
    if !state.doctor_keys.is_code_of(id, &query.code) {
        return Err(Problem::not_found());
    }
    // The code is the right to ask; what was never signed is out of this scope.
    let found = state.database().document(&Scope::internal(), id).await.map_err(errors::database)?;
    let document: ClinicalDocument<C> = found.ok_or_else(Problem::not_found)?;
    let signed = document.signed.clone().ok_or_else(Problem::not_found)?;
    let actor = database::AuditActor { role: "public".to_owned(), ..source.actor() };
    let action = format!("verify_{}", C::NOUN);
    audit::written(state, AuditRecord::success(&actor, &action).about(id)).await?;
    let content = SignedContent::of(&state.doctor_keys, &document);
    let genuine = content.is_some();
    let signer = content.map(|content| content.doctor).unwrap_or_default();
    let key = state.doctor_keys.public_jwk(document.doctor_id);
    Ok(Json(Verification {
        id,
        genuine,
        status: document.status.as_str(),
        finalized_at: signed.finalized_at,
        content_sha256: hex(&signed.content_sha256),
        doctor_name: signer.name,
        licence_number: signer.licence_number,
        doctor_profile: signer.profile.map(SignedProfileBody::from),
        key: key.map_err(|error| Problem::internal(&error))?,
    }))
}
