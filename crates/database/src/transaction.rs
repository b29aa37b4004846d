//! A transaction on PostgreSQL, over a connection of [`Connections`].

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx_core::{sql_str::SqlSafeStr as _, transaction::TransactionManager as _};
use sqlx_postgres::{PgConnection, PgTransactionManager, Postgres};

use crate::connections::{Borrowed, Connections, InTime, in_time};

/// Rolled back when it is dropped before [`Self::commit`] has come to its end.
pub(crate) struct Transaction {
    connection: Option<Borrowed<Postgres>>,
    answer_max: Duration,
}

impl Transaction {
    /// With BEGIN, or with one text of several statements that begins with it.
    pub(crate) async fn begin(
        connections: &Connections<Postgres>,
        begin: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let mut beginning = Beginning(Some(connections.borrow().await?));
        let answer_max = connections.answer_max();
        if let Some(connection) = &mut beginning.0 {
            let begun = PgTransactionManager::begin(connection, Some(begin.into_sql_str()));
            in_time(answer_max, begun).await?;
        }
        Ok(Self { connection: beginning.0.take(), answer_max })
    }

    /// For one statement.
    pub(crate) fn in_time(&mut self) -> InTime<'_> {
        let answer_max = self.answer_max;
        InTime(self, answer_max)
    }

    /// After an error it is not known whether it was committed.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        in_time(self.answer_max, PgTransactionManager::commit(&mut self)).await?;
        if let Some(connection) = self.connection.take() {
            connection.give_back().await;
        }
        Ok(())
    }
}

/// A connection whose BEGIN was not answered: nobody knows what it is in, so it is closed.
struct Beginning(Option<Borrowed<Postgres>>);

impl Drop for Beginning {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for Transaction {
    /// ROLLBACK goes before whatever the connection is asked next.
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            PgTransactionManager::start_rollback(connection);
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("it is there until the commit")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is there until the commit")
    }
}
