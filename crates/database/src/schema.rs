//! Marked place: which steps of the schema a database has, and who may take it further. The rules for steps are in CONTRIBUTING.md.

use std::{future::Future, path::Path};

use fail_point::Point;
use sqlx::{
    Connection as _, Error,
    migrate::{Migrate as Migrates, MigrateError, Migration},
};
use sqlx_postgres::PgConnection;
use sqlx_sqlite::SqliteConnection;

use crate::{
    Database, DatabaseConfig, DatabaseError, Migrate,
    config::Place,
    migrate::migrations,
    open::{check_sqlite, connect_postgres, sqlite_options},
    statement::Dialect,
};

/// Where sqlx notes what was done.
const TABLE: &str = "_sqlx_migrations";
/// See `migrations/0031_schema_floor.sql`.
const FLOOR: &str = "SELECT step FROM schema_floor";

/// Where the schema of a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The last step that was done; 0 when the database is empty.
    pub step: i64,
    /// The last step that this program knows.
    pub known: i64,
    /// What is to be done: number and name of each step.
    pub pending: Vec<(i64, String)>,
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opener {
    /// A node that starts, or whoever has the database to itself.
    Node,
    /// A command beside nodes that may run.
    Command,
}

/// A connection over which the schema is looked at and changed.
pub(crate) trait Steps: Migrates + Send {
    const DIALECT: Dialect;

    /// Whether anything was ever done.
    fn has_steps(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The first step whose programs can run on what is there.
    fn floor(&mut self) -> impl Future<Output = Result<i64, Error>> + Send;
}

impl Steps for PgConnection {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn has_steps(&mut self) -> Result<bool, Error> {
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(self).await
    }

    async fn floor(&mut self) -> Result<i64, Error> {
        sqlx::query_scalar(FLOOR).fetch_one(self).await
    }
}

impl Steps for SqliteConnection {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn has_steps(&mut self) -> Result<bool, Error> {
        const SQL: &str =
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
        let tables: i64 = sqlx::query_scalar(SQL).fetch_one(self).await?;
        Ok(tables > 0)
    }

    async fn floor(&mut self) -> Result<i64, Error> {
        sqlx::query_scalar(FLOOR).fetch_one(self).await
    }
}

impl Database {
    /// Says where the schema stands and what is to be done, and changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError::Refused`] when it is of a later version on which this one cannot run.
    pub async fn schema(config: &DatabaseConfig, data_directory: &Path) -> Result<Schema, DatabaseError> {
        match config.place(data_directory)? {
            Place::Postgres => {
                let (mut connection, _) = connect_postgres(config).await?;
                let schema = look(&mut connection, &migrations(Dialect::Postgres)).await?;
                connection.close().await?;
                Ok(schema)
            }
            Place::Sqlite(path) if !path.exists() => Ok(nothing_done(&migrations(Dialect::Sqlite))),
            Place::Sqlite(path) => {
                let options = sqlite_options(config, &path).create_if_missing(false);
                let mut connection = SqliteConnection::connect_with(&options).await?;
                let schema = look(&mut connection, &migrations(Dialect::Sqlite)).await?;
                connection.close().await?;
                Ok(schema)
            }
        }
    }

    /// Brings the schema up to date, whatever `database.migrate` says; gives where it stood before, with what was done. On
    /// PostgreSQL nodes may run meanwhile, and whoever else migrates waits; a SQLite file must be nobody else's.
    ///
    /// # Errors
    /// As [`Self::schema`], and when a step fails: those before it stay done.
    pub async fn migrate(config: &DatabaseConfig, data_directory: &Path) -> Result<Schema, DatabaseError> {
        match config.place(data_directory)? {
            Place::Postgres => {
                let (mut connection, _) = connect_postgres(config).await?;
                let before = bring_up(&mut connection, &migrations(Dialect::Postgres)).await?;
                connection.close().await?;
                Ok(before)
            }
            Place::Sqlite(path) => {
                let mut connection = SqliteConnection::connect_with(&sqlite_options(config, &path)).await?;
                check_sqlite(&mut connection).await?;
                let before = bring_up(&mut connection, &migrations(Dialect::Sqlite)).await?;
                connection.close().await?;
                Ok(before)
            }
        }
    }
}

/// A schema on which this program can work, or an error that says what to do.
pub(crate) async fn settle<C: Steps>(
    connection: &mut C,
    config: &DatabaseConfig,
    opener: Opener,
) -> Result<(), DatabaseError> {
    let steps = migrations(C::DIALECT);
    let Schema { step, known, pending } = look(connection, &steps).await?;
    if pending.is_empty() {
        return Ok(());
    }
    let why = match (config.migrate, opener) {
        (Migrate::Command, _) => "database.migrate = \"command\" leaves it to maxray migrate: run that",
        // Where nothing is, nobody runs on it.
        (Migrate::Start, Opener::Command) if step > 0 => {
            "nodes of an older version may run on it, so that this command leaves it alone: run maxray migrate, or start a \
             node of this version"
        }
        (Migrate::Start, _) => return bring_up(connection, &steps).await.map(drop),
    };
    Err(DatabaseError::Refused(format!(
        "its schema is at step {step}, and this program needs step {known}; {why}"
    )))
}

/// Does what is to be done, each step in a transaction of its own, under the lock of migrations; gives where the schema stood before.
async fn bring_up<C: Steps>(connection: &mut C, steps: &[Migration]) -> Result<Schema, DatabaseError> {
    // Whoever waited for it finds what others have done meanwhile. It ends with the connection.
    connection.lock().await?;
    let before = look(connection, steps).await?;
    if before.step == 0 {
        connection.ensure_migrations_table(TABLE).await?;
    }
    for step in steps {
        if before.pending.iter().any(|(pending, _)| *pending == step.version) {
            connection.apply(TABLE, step).await?;
            fail_point::pass(Point::K41Migrated);
        }
    }
    connection.unlock().await?;
    Ok(before)
}

async fn look<C: Steps>(connection: &mut C, steps: &[Migration]) -> Result<Schema, DatabaseError> {
    let mut schema = nothing_done(steps);
    if !connection.has_steps().await? {
        return Ok(schema);
    }
    let done = connection.list_applied_migrations(TABLE).await?;
    for migration in steps {
        let Some(done) = done.iter().find(|done| done.version == migration.version) else { continue };
        if done.checksum != migration.checksum {
            return Err(MigrateError::VersionMismatch(migration.version).into());
        }
        schema.pending.retain(|(step, _)| *step != migration.version);
    }
    schema.step = done.iter().map(|done| done.version).max().unwrap_or(0);
    if schema.step > schema.known {
        let floor = connection.floor().await?;
        if floor > schema.known {
            return Err(DatabaseError::Refused(format!(
                "its schema is at step {}, of a later version: programs of step {floor} and later run on it, and this one \
                 knows {}; install that version",
                schema.step, schema.known
            )));
        }
    }
    Ok(schema)
}

/// An empty database.
fn nothing_done(steps: &[Migration]) -> Schema {
    let pending: Vec<_> = steps.iter().map(|step| (step.version, step.description.to_string())).collect();
    Schema { step: 0, known: pending.last().map_or(0, |(step, _)| *step), pending }
}
