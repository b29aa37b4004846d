//! A transaction on PostgreSQL, over a connection of [`Connections`].

use std::ops::{Deref, DerefMut};

use sqlx_core::transaction::TransactionManager as _;
use sqlx_postgres::{PgConnection, PgTransactionManager, Postgres};

use crate::connections::{Borrowed, Connections};

/// Rolled back when it is dropped before [`Self::commit`] has come to its end.
pub(crate) struct Transaction(Option<Borrowed<Postgres>>);

impl Transaction {
    pub(crate) async fn begin(connections: &Connections<Postgres>) -> Result<Self, sqlx::Error> {
        let mut beginning = Beginning(Some(connections.borrow().await?));
        if let Some(connection) = &mut beginning.0 {
            PgTransactionManager::begin(connection, None).await?;
        }
        Ok(Self(beginning.0.take()))
    }

    /// After an error it is not known whether it was committed.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        PgTransactionManager::commit(&mut self).await?;
        if let Some(connection) = self.0.take() {
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
        if let Some(connection) = &mut self.0 {
            PgTransactionManager::start_rollback(connection);
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("it is there until the commit")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is there until the commit")
    }
}
