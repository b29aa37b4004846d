//! What is asked of a connection that may be of no use any more.

use std::{future::Future, io};

use sqlx::{Connection as _, Database, Error};
use sqlx_postgres::{PgConnection, Postgres};
use sqlx_sqlite::{Sqlite, SqliteConnection};

/// An engine that can be asked for a sign of life.
pub trait Server: Database {
    /// An error when nothing can be done over it.
    fn sign_of_life(connection: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Server for Sqlite {
    async fn sign_of_life(connection: &mut SqliteConnection) -> Result<(), Error> {
        connection.ping().await
    }
}

impl Server for Postgres {
    /// One that has become a standby answers all the same, and takes nothing: whoever asks the name of the server anew finds the one
    /// that does.
    async fn sign_of_life(connection: &mut PgConnection) -> Result<(), Error> {
        let standby = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(connection).await?;
        if standby {
            return Err(Error::Io(io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                "the server is a standby",
            )));
        }
        Ok(())
    }
}
