//! Opening PostgreSQL: the way to the server, what it must promise, and how its connections are set up.

use std::time::Duration;

use model::{clock::Clock, host::is_this_machine};
use sqlx::{Connection as _, pool::PoolOptions};
use sqlx_postgres::{PgConnectOptions, PgConnection, PgSslMode, Postgres};

use crate::{
    DatabaseConfig, DatabaseError,
    clock_skew::check_clock,
    connections::{Age, Connections, Server as _},
    schema::{Opener, settle},
    sequence_base::sequence_base,
};

/// `pg_current_xact_id` came with 13.
const POSTGRES_VERSION_MIN: i32 = 130_000;
/// How much longer than its longest statement the word of a server may take.
const ON_THE_WAY: Duration = Duration::from_secs(5);

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
pub(super) async fn open_postgres(
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

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

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
}
