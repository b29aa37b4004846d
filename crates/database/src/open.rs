//! Marked place: opening either engine so that a commit is durable, and refusing one that cannot promise it.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use model::{clock::Clock, host::is_this_machine};
use sqlx::{ConnectOptions, Connection, pool::PoolOptions};
use sqlx_postgres::{PgConnectOptions, PgConnection, PgSslMode, Postgres};
use sqlx_sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    Database, DatabaseConfig, DatabaseError, Engine,
    audit::ChainMemory,
    clock_skew::check_clock,
    config::Place,
    connections::{Age, Connections, Server as _},
    engine::Shared,
    ingest,
    node::node_id,
    own_thread,
    schema::{Opener, settle},
    search,
    sequence_base::sequence_base,
    session::RevokedSessions,
    statement::Dialect,
    turn::Turns,
};

/// Earlier versions can corrupt a WAL when a checkpoint meets a commit.
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// `pg_current_xact_id` came with 13.
const POSTGRES_VERSION_MIN: i32 = 130_000;
/// How much longer than its longest statement the word of a server may take.
const ON_THE_WAY: Duration = Duration::from_secs(5);
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

/// A connection to a server that keeps what is committed, with what it was opened by.
pub(crate) async fn connect_postgres(
    config: &DatabaseConfig,
) -> Result<(PgConnection, PgConnectOptions), DatabaseError> {
    let options = config.postgres()?;
    let mut connection = PgConnection::connect_with(&options).await?;
    check_postgres(&mut connection, config).await?;
    Ok((connection, options))
}

/// The pool for reading and the one for writing: searches cannot take the connections that instances come in by.
async fn open_postgres(
    config: &DatabaseConfig,
    clock: &Clock,
    opener: Opener,
) -> Result<(Connections<Postgres>, Connections<Postgres>), DatabaseError> {
    let (mut connection, options) = connect_postgres(config).await?;
    check_clock(&mut connection, clock, config).await?;
    settle(&mut connection, config, opener).await?;
    let sequence_base = sequence_base(&mut connection).await?.to_string();
    connection.close().await?;
    let timeout = format!("{}ms", config.statement_timeout_ms);
    let options = options.options([
        ("statement_timeout", timeout.as_str()),
        ("idle_in_transaction_session_timeout", timeout.as_str()),
        ("synchronous_commit", "on"),
        ("maxray.sequence_base", sequence_base.as_str()),
        // A machine that vanishes says nothing. What its connections hold, as the turn to start, is free in a minute.
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
        // Ours are many small statements over indexes; compiling one costs more than it saves.
        ("jit", "off"),
        // Every statement here is made for an index and returns few rows. Without statistics, or with a plan that was
        // kept from when the tables were small, the planner would read whole tables instead.
        ("random_page_cost", "1.1"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ]);
    // A server that stops and starts within a second is noticed by a statement that fails, not before it.
    let age = Age {
        trusted: Duration::from_secs(1),
        unused_max: Duration::from_mins(10),
        max: Duration::from_mins(30),
        answer_max: match config.statement_timeout_ms {
            0 => Duration::MAX,
            longest => Duration::from_millis(longest) + ON_THE_WAY,
        },
    };
    let writers = (config.connections_max / 4).max(2);
    let pool = |connections: u32| {
        let pool = PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
            // The name of the server may lead to one that has become a standby meanwhile.
            .after_connect(|connection, _| Box::pin(Postgres::sign_of_life(connection)))
            .connect_lazy_with(options.clone());
        Connections::new(pool, Some(age))
    };
    Ok((pool(config.connections_max.saturating_sub(writers).max(1)), pool(writers)))
}

/// Every `sslmode` below `verify-ca` can be talked out of encryption, or into a stranger's server.
pub(crate) fn check_way(options: &PgConnectOptions, config: &DatabaseConfig) -> Result<(), DatabaseError> {
    let host = options.get_host();
    let here = options.get_socket().is_some() || host.starts_with('/') || is_this_machine(host);
    let verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if here || verified || config.insecure {
        return Ok(());
    }
    Err(DatabaseError::Refused(
        "PostgreSQL on another machine needs sslmode=verify-full (and sslrootcert=FILE) in database.url, or \
         database.insecure = true if the network is trusted"
            .to_owned(),
    ))
}

async fn check_postgres(connection: &mut PgConnection, config: &DatabaseConfig) -> Result<(), DatabaseError> {
    const SQL: &str = "SELECT current_setting('server_version_num'), current_setting('server_encoding'), \
        pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), \
        COALESCE(current_setting('data_sync_retry', TRUE), 'off')";
    let (version, encoding, standby, fsync, full_page_writes, data_sync_retry): (
        String,
        String,
        bool,
        String,
        String,
        String,
    ) = sqlx::query_as(SQL).fetch_one(&mut *connection).await?;
    let refuse = |why: &str| Err(DatabaseError::Refused(why.to_owned()));
    if version.parse::<i32>().unwrap_or(0) < POSTGRES_VERSION_MIN {
        return refuse("PostgreSQL is older than 13");
    }
    if encoding != "UTF8" {
        return refuse("the PostgreSQL database is not encoded in UTF8");
    }
    if standby {
        return refuse("the PostgreSQL server is a standby and cannot write");
    }
    if (fsync == "off" || full_page_writes == "off") && !config.allow_unsafe {
        return refuse("PostgreSQL runs with fsync or full_page_writes off and may lose commits");
    }
    // What the kernel says to a second sync means nothing: the pages that the first one lost are clean by then.
    if data_sync_retry == "on" && !config.allow_unsafe {
        return refuse(
            "PostgreSQL runs with data_sync_retry on and may lose commits when a disk fails: set it to off",
        );
    }
    Ok(())
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
    use std::str::FromStr as _;

    use sqlx::Pool;

    use super::*;

    // threats.md section 2: nothing that a patient's row goes over is readable on the way.
    #[test]
    fn postgres_elsewhere_is_reached_over_tls_alone() {
        let check = |url: &str, insecure| {
            let options = PgConnectOptions::from_str(url).expect("a URL");
            check_way(&options, &DatabaseConfig { insecure, ..DatabaseConfig::default() }).is_ok()
        };
        for mode in ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require"] {
            assert!(!check(&format!("postgres://maxray@db.example.org/maxray{mode}"), false), "{mode}");
            assert!(!check(&format!("postgres://maxray@192.0.2.7/maxray{mode}"), false), "{mode}");
        }
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(check(&format!("postgres://maxray@{here}/maxray"), false), "{here}");
        }
        assert!(check("postgres://maxray@localhost/maxray?host=/run/postgresql", false));
        for mode in ["verify-ca", "verify-full"] {
            assert!(check(&format!("postgres://maxray@db.example.org/maxray?sslmode={mode}"), false));
        }
        assert!(check("postgres://maxray@db.example.org/maxray", true));
    }

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
