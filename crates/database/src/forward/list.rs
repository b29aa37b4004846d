//! What is on its way, for people.

use chrono::{DateTime, Utc};
use model::forward::{ForwardState, UnknownForwardState};
use uuid::Uuid;

use crate::{Database, DatabaseError};

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StateText(String);

impl TryFrom<StateText> for ForwardState {
    type Error = UnknownForwardState;
    fn try_from(text: StateText) -> Result<Self, UnknownForwardState> {
        text.0.parse()
    }
}

/// An instance on its way to a destination.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ForwardItem {
    /// Identity.
    pub id: Uuid,
    /// The rule.
    pub rule_id: Uuid,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// AE title.
    pub destination: String,
    /// Where it stands.
    #[sqlx(try_from = "StateText")]
    pub state: ForwardState,
    /// Attempts begun.
    pub attempts: i32,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; empty when it did not.
    pub last_error: String,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it arrived or was given up.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForwardFilter {
    /// Where they stand; `None` for anywhere.
    pub state: Option<ForwardState>,
    /// Rows at most.
    pub limit: u32,
    /// Rows skipped.
    pub offset: u64,
}

impl Database {
    /// What is on its way, the newest first.
    pub async fn forwards(&self, filter: ForwardFilter) -> Result<Vec<ForwardItem>, DatabaseError> {
        const SQL: &str = "SELECT forward.id, rule_id, sop_instance_uid, destination, state, attempts, due_at, last_error, \
            created_at, ended_at FROM forward JOIN instance ON instance.id = forward.instance \
            WHERE (state = $1 OR $1 = '') ORDER BY forward.id DESC LIMIT $2 OFFSET $3";
        let state = filter.state.map_or("", ForwardState::as_str);
        let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
        Ok(on!(self, engine => sqlx::query_as(SQL)
            .bind(state)
            .bind(i64::from(filter.limit))
            .bind(offset)
            .fetch_all(&engine.read)
            .await?))
    }
}
