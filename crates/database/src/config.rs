//! Settings of the database.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
};

use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions as _;
use sqlx_postgres::PgConnectOptions;

use crate::{
    AccessConfig, DatabaseError, REMINDER_MINUTES_BEFORE,
    open::{STATEMENT_CACHE, check_way},
};

/// Name of the SQLite file in the data directory.
const SQLITE_FILE: &str = "maxray.sqlite";

/// Who brings the schema up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Migrate {
    /// A node that starts, and `maxray migrate`.
    #[default]
    Start,
    /// `maxray migrate` alone.
    Command,
}

/// Settings of the database; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user@host/name` or `sqlite:///path`; empty for a SQLite file in the data directory.
    pub url: String,
    /// Reach a PostgreSQL server on another machine without proving who it is. Only for a network that is trusted.
    pub insecure: bool,
    /// Connections at most: of the pool on PostgreSQL, for reading on SQLite (one more writes).
    pub connections_max: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout_ms: u64,
    /// Longest run of one statement.
    pub statement_timeout_ms: u64,
    /// Instances that share one transaction at most.
    pub group_commit_instances_max: usize,
    /// Instances that wait for a transaction at most; beyond that senders wait.
    pub group_commit_queue_max: usize,
    /// Page cache of each SQLite connection.
    pub sqlite_cache_max_bytes: u64,
    /// Memory map of the SQLite file at most; 0 for none. A file that grows is mapped anew by every connection, which
    /// costs more than it saves: see `bench/README.md`.
    pub sqlite_mmap_max_bytes: u64,
    /// Who brings the schema up to date.
    pub migrate: Migrate,
    /// Takes a PostgreSQL server that may lose commits (`fsync=off`, `full_page_writes=off`, `data_sync_retry=on`), or whose clock is
    /// another one than this machine's. Only for tests.
    pub allow_unsafe: bool,
    /// How long access lasts: the section `[access]`, put here by whoever opens the database.
    #[serde(skip)]
    pub access: AccessConfig,
    /// How long before a consultation its reminders are due: `notifications.reminder_minutes_before`, put here likewise.
    #[serde(skip)]
    pub reminder_minutes_before: Vec<u32>,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            insecure: false,
            connections_max: 16,
            acquire_timeout_ms: 5_000,
            statement_timeout_ms: 10_000,
            group_commit_instances_max: 64,
            group_commit_queue_max: 1_024,
            sqlite_cache_max_bytes: 16 << 20,
            sqlite_mmap_max_bytes: 0,
            migrate: Migrate::Start,
            allow_unsafe: false,
            access: AccessConfig::default(),
            reminder_minutes_before: REMINDER_MINUTES_BEFORE.to_vec(),
        }
    }
}

/// Where a database is.
pub(crate) enum Place {
    Postgres,
    Sqlite(PathBuf),
}

impl DatabaseConfig {
    /// Says what is wrong with the URL, or the way to the server. Nobody is asked.
    ///
    /// # Errors
    /// [`DatabaseError::Refused`].
    pub fn check(&self) -> Result<(), DatabaseError> {
        match self.place(Path::new(""))? {
            Place::Postgres => self.postgres().map(drop),
            Place::Sqlite(_) => Ok(()),
        }
    }

    /// How a PostgreSQL server is reached.
    pub(crate) fn postgres(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = PgConnectOptions::from_str(&self.url)
            .map_err(|_| DatabaseError::Refused("the PostgreSQL URL does not parse".to_owned()))?
            .application_name("maxray")
            .statement_cache_capacity(STATEMENT_CACHE)
            .disable_statement_logging();
        check_way(&options, self)?;
        Ok(options)
    }

    /// Where it is, by its URL.
    pub(crate) fn place(&self, data_directory: &Path) -> Result<Place, DatabaseError> {
        let url = self.url.as_str();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Place::Postgres)
        } else if url.is_empty() {
            Ok(Place::Sqlite(data_directory.join(SQLITE_FILE)))
        } else if let Some(path) = url.strip_prefix("sqlite://") {
            Ok(Place::Sqlite(path.into()))
        } else {
            Err(DatabaseError::Refused("the URL starts with neither postgres:// nor sqlite://".into()))
        }
    }
}
