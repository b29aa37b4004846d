//! Marked place: opening either engine so that a commit is durable, and refusing one that cannot promise it.

mod postgres;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use model::clock::Clock;
use sqlx::{ConnectOptions, pool::PoolOptions};
use sqlx_sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Notify, mpsc, watch};

use self::postgres::open_postgres;
use crate::{
    Database, DatabaseConfig, DatabaseError, Engine,
    audit::ChainMemory,
    config::Place,
    connections::Connections,
    engine::Shared,
    ingest,
    node::node_id,
    own_thread,
    schema::{Opener, settle},
    search,
    session::RevokedSessions,
    statement::Dialect,
    turn::Turns,
};

pub(crate) use self::postgres::{check_way, connect_postgres};

/// Earlier versions can corrupt a WAL when a checkpoint meets a commit.
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// Prepared statements kept on each connection.
pub(crate) const STATEMENT_CACHE: usize = 256;

impl Database {
    /// Connects as a node does, or as somebody who has the database alone: checks that commits are durable, and brings the
    /// schema up to date unless `database.migrate` leaves that to [`Self::migrate`].
    ///
    /// # Errors
    /// [`DatabaseError::Refused`] when the engine is too old or may lose commits, the schema is of another time, or the clock.
    pub async fn open(
        config: &DatabaseConfig,
        data_directory: &Path,
        clock: Clock,
    ) -> Result<Self, DatabaseError> {
        Self::open_as(Opener::Node, config, data_directory, clock).await
    }

    /// Connects beside nodes that may run: a schema that is older than this program stays as it is, and is refused.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn attach(
        config: &DatabaseConfig,
        data_directory: &Path,
        clock: Clock,
    ) -> Result<Self, DatabaseError> {
        Self::open_as(Opener::Command, config, data_directory, clock).await
    }

    async fn open_as(
        opener: Opener,
        config: &DatabaseConfig,
        data_directory: &Path,
        clock: Clock,
    ) -> Result<Self, DatabaseError> {
        let shared = Arc::new(Shared {
            clock,
            config: config.clone(),
            commits: watch::channel(0).0,
            own_events: watch::channel(0).0,
            own_revocations: watch::channel(0).0,
            heard: Notify::new(),
            broken: watch::channel(false).0,
            revoked_sessions: RevokedSessions::default(),
            chain: Arc::new(ChainMemory::new(node_id(data_directory)?)),
            name_trigrams: OnceLock::new(),
        });
        let (sender, receiver) = mpsc::channel(config.group_commit_queue_max.max(1));
        let writer = match config.place(data_directory)? {
            Place::Postgres => {
                let (read, write) = open_postgres(config, &shared.clock, opener).await?;
                Self::Postgres(Engine { read, write, shared, ingest: None, turns: None })
            }
            Place::Sqlite(path) => open_sqlite(config, &path, shared, opener).await?,
        };
        search::fill_name_words(&writer).await?;
        search::find_name_trigrams(&writer).await?;
        let commits = ingest::commit_in_groups(writer.clone(), receiver);
        match writer.dialect() {
            Dialect::Postgres => drop(tokio::spawn(commits)),
            Dialect::Sqlite => own_thread::run("group-commit", commits).map_err(sqlx::Error::Io)?,
        }
        Ok(match writer {
            Self::Postgres(engine) => Self::Postgres(Engine { ingest: Some(sender), ..engine }),
            Self::Sqlite(engine) => Self::Sqlite(Engine { ingest: Some(sender), ..engine }),
        })
    }
}

/// How its file is opened, and made when it is not there.
pub(crate) fn sqlite_options(config: &DatabaseConfig, path: &Path) -> SqliteConnectOptions {
    let cache_kib = i64::try_from(config.sqlite_cache_max_bytes / 1024).unwrap_or(i64::MAX);
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .statement_cache_capacity(STATEMENT_CACHE)
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("mmap_size", config.sqlite_mmap_max_bytes.to_string())
        .disable_statement_logging()
}

async fn open_sqlite(
    config: &DatabaseConfig,
    path: &Path,
    shared: Arc<Shared>,
    opener: Opener,
) -> Result<Database, DatabaseError> {
    let options = sqlite_options(config, path);
    let patience = Duration::from_millis(config.acquire_timeout_ms.max(config.statement_timeout_ms));
    // Never closed for being idle or old: its statements are prepared and its pages are cached.
    let write = PoolOptions::<Sqlite>::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        .acquire_timeout(patience)
        .connect_with(options.clone())
        .await?;
    let mut connection = write.acquire().await?;
    check_sqlite(&mut connection).await?;
    settle(&mut *connection, config, opener).await?;
    drop(connection);
    let read = PoolOptions::<Sqlite>::new()
        .max_connections(config.connections_max.max(1))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    let (read, write) = (Connections::new(read, None), Connections::new(write, None));
    let turns = Some(Turns::new(write.clone(), Arc::clone(&shared.chain), shared.broken.clone(), patience));
    Ok(Database::Sqlite(Engine { read, write, shared, ingest: None, turns }))
}

/// Refuses a SQLite that may lose commits, or was not set up as we want it.
pub(crate) async fn check_sqlite(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < SQLITE_VERSION_MIN {
        return Err(DatabaseError::Refused(format!(
            "SQLite {version} can corrupt its log; 3.51.3 is needed"
        )));
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *connection).await?;
    if journal != "wal" || synchronous < 2 || foreign_keys != 1 {
        return Err(DatabaseError::Refused(
            "SQLite does not take WAL, synchronous=FULL, foreign keys".into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::Pool;

    use super::*;

    // Without `.cargo/config.toml` every statement with a bound LIMIT would be planned again each time it runs.
    #[tokio::test]
    async fn sqlite_is_compiled_as_the_configuration_of_cargo_says() {
        let pool = Pool::<Sqlite>::connect("sqlite::memory:").await.expect("SQLite");
        let options: Vec<String> =
            sqlx::query_scalar("PRAGMA compile_options").fetch_all(&pool).await.expect("options");
        assert!(options.iter().any(|option| option == "ENABLE_QPSG"), "{options:?}");
        assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
        for slow in ["ENABLE_MEMORY_MANAGEMENT", "ENABLE_STAT4"] {
            assert!(!options.iter().any(|option| option == slow), "{options:?}");
        }
    }
}
