//! Statements that are waited for no longer than their server would let them run: one whose machine has vanished says nothing, ever.

use std::{future::Future, io, time::Duration};

use async_stream::try_stream;
use futures_util::{TryStreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{Either, Error, Execute, Executor, SqlStr};
use sqlx_postgres::{PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use tokio::time::timeout;

use super::{Connections, Server};

/// An answer, or the error that none came.
pub(crate) async fn in_time<T>(
    answer_max: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // SQLite always answers: it needs no timer for each row.
    if answer_max == Duration::MAX {
        return answer.await;
    }
    timeout(answer_max, answer).await.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())))
}

/// A connection in a transaction, and how long each answer is waited for. After that nothing comes of it any more.
#[derive(Debug)]
pub(crate) struct InTime<'c>(pub(crate) &'c mut PgConnection, pub(crate) Duration);

impl<'c> Executor<'c> for InTime<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Self(connection, answer_max) = self;
        Box::pin(try_stream! {
            let mut rows = connection.fetch_many(query);
            while let Some(row) = in_time(answer_max, rows.try_next()).await? {
                yield row;
            }
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Self(connection, answer_max) = self;
        Box::pin(in_time(answer_max, connection.fetch_optional(query)))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        let Self(connection, answer_max) = self;
        Box::pin(in_time(answer_max, connection.prepare_with(sql, parameters)))
    }
}

impl<'p, DB: Server> Executor<'p> for &'_ Connections<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        Box::pin(try_stream! {
            let mut connection = connections.borrow().await?;
            {
                let mut rows = connection.fetch_many(query);
                while let Some(row) = in_time(connections.answer_max(), rows.try_next()).await? {
                    yield row;
                }
            }
            connection.give_back().await;
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.borrow().await?;
            let row = in_time(connections.answer_max(), connection.fetch_optional(query)).await?;
            connection.give_back().await;
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.borrow().await?;
            let statement =
                in_time(connections.answer_max(), connection.prepare_with(sql, parameters)).await?;
            connection.give_back().await;
            Ok(statement)
        })
    }
}
