//! Links that open one study to whoever holds them, for some time and some uses.

pub mod create_share;
pub mod list_shares;
pub mod redeem_share;
pub mod revoke_share;

use chrono::{DateTime, Utc};
use database::Share;
use serde::Serialize;
use service::identity::sha256;
use utoipa::ToSchema;
use uuid::Uuid;

/// Prefix of the tokens in links.
const SHARE_TOKEN: &str = "mxs_";
/// Shortest PIN in digits.
const PIN_LENGTH_MIN: usize = 4;
/// Longest PIN in digits.
const PIN_LENGTH_MAX: usize = 12;

/// A share link, without its token: that is shown once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Share)]
pub struct ShareBody {
    /// Identity.
    id: Uuid,
    /// Study Instance UID (0020,000D).
    study_instance_uid: String,
    /// Whether a PIN is needed.
    has_pin: bool,
    /// Wrong PINs that are left before it is dead.
    pin_tries_left: i32,
    /// How often it was used.
    uses: i32,
    /// How often it may be used.
    uses_max: i32,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
    /// When it was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Share> for ShareBody {
    fn from(share: Share) -> Self {
        Self {
            id: share.id,
            study_instance_uid: share.study_instance_uid.into(),
            has_pin: share.has_pin,
            pin_tries_left: share.pin_tries_left,
            uses: share.uses,
            uses_max: share.uses_max,
            created_at: share.created_at,
            expires_at: share.expires_at,
            last_used_at: share.last_used_at,
            revoked_at: share.revoked_at,
        }
    }
}

/// What is kept of a PIN: together with 256 random bits that the database does not have, nobody can try them out.
fn pin_sha256(token: &str, pin: &str) -> [u8; 32] {
    sha256(&format!("{token} {pin}"))
}
