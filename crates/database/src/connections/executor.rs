//! A statement that is asked of no connection in particular.

use async_stream::try_stream;
use futures_util::{TryStreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{Database, Either, Error, Execute, Executor, SqlStr};

use super::Connections;

impl<'p, DB: Database> Executor<'p> for &'_ Connections<DB>
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
                while let Some(row) = rows.try_next().await? {
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
            let row = connection.fetch_optional(query).await?;
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
            let statement = connection.prepare_with(sql, parameters).await?;
            connection.give_back().await;
            Ok(statement)
        })
    }
}
