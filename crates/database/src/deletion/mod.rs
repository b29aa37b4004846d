//! Deleting studies, series and instances: gone for everybody with the transaction, kept for a grace period in which
//! they can be restored, then removed. PS3.18 has no such transaction; the paths are those of its resources.
//!
//! The rows leave the index, so that no search has to know of it. What is kept names the object, from which
//! [`crate::NewInstance`] is read again.

mod delete;
mod links;
mod purge;
mod restore;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Database, DatabaseError};

pub(crate) use self::links::{Remembered, put_back};
pub use self::restore::DeletedInstance;

/// What is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeletionTarget {
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID; `None` for all of the study.
    pub series_instance_uid: Option<String>,
    /// SOP Instance UID; `None` for all of the series.
    pub sop_instance_uid: Option<String>,
}

/// How a deletion is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionRules {
    /// Whether another account has to ask for the same before anything is deleted: one that nobody made or changed since.
    pub two_person: bool,
    /// How long it can be restored.
    pub grace: chrono::TimeDelta,
    /// How long previews stay, for readers that began before.
    pub preview_grace: chrono::TimeDelta,
}

/// A deletion that was asked for or done.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Deletion {
    /// Its name.
    pub id: Uuid,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID; empty for all of the study.
    pub series_instance_uid: String,
    /// SOP Instance UID; empty for all of the series.
    pub sop_instance_uid: String,
    /// `asked`, `deleted`, `restored` or `purged`.
    pub state: String,
    /// The account that asked first.
    pub asked_by: Uuid,
    /// When it did.
    pub asked_at: DateTime<Utc>,
    /// The account that asked for the same.
    pub confirmed_by: Option<Uuid>,
    /// When it was gone for everybody.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When it is gone for good.
    pub purge_after: Option<DateTime<Utc>>,
    /// Instances, hidden versions too.
    pub instances: i32,
}

const COLUMNS: &str = "SELECT id, study_instance_uid, series_instance_uid, sop_instance_uid, state, asked_by, \
    asked_at, confirmed_by, deleted_at, purge_after, instances FROM deletion";

impl Database {
    /// Deletions, newest first; at most `limit`.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn deletions(&self, limit: u32) -> Result<Vec<Deletion>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY id DESC LIMIT $1"));
        Ok(on!(self, engine => sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(&engine.read).await?))
    }

    /// A deletion by its name.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn deletion(&self, id: Uuid) -> Result<Option<Deletion>, DatabaseError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"));
        Ok(on!(self, engine => sqlx::query_as(sql).bind(id).fetch_optional(&engine.read).await?))
    }
}
