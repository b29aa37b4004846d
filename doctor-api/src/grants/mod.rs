//! What administrators let viewers' and doctors' accounts read.

pub mod add_grant;
pub mod list_grants;
pub mod revoke_grant;

use chrono::{DateTime, Utc};
use database::{AccessGrant, GrantKind};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantBody {
    /// Identity.
    id: Uuid,
    /// The account.
    user_id: Uuid,
    /// `study`, `patient` or `everything`.
    #[schema(example = "patient")]
    kind: &'static str,
    /// Study Instance UID (0020,000D), for a study.
    #[serde(skip_serializing_if = "Option::is_none")]
    study_instance_uid: Option<String>,
    /// Patient ID (0010,0020), for a patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_id: Option<String>,
    /// Issuer of Patient ID (0010,0021), for a patient; empty for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_of_patient_id: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

impl From<AccessGrant> for GrantBody {
    fn from(grant: AccessGrant) -> Self {
        let kind = grant.kind.as_str();
        let (study_instance_uid, patient_id, issuer_of_patient_id) = match grant.kind {
            GrantKind::Study(study) => (Some(study.into()), None, None),
            GrantKind::Patient { patient_id, issuer_of_patient_id } => {
                (None, Some(patient_id), Some(issuer_of_patient_id))
            }
            GrantKind::Everything => (None, None, None),
        };
        Self {
            id: grant.id,
            user_id: grant.user_id,
            kind,
            study_instance_uid,
            patient_id,
            issuer_of_patient_id,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
        }
    }
}
