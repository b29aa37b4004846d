//! A transaction on PostgreSQL, over a connection of [`Connections`].

use std::ops::{Deref, DerefMut};

use sqlx_core::transaction::TransactionManager as _;
use sqlx_postgres::{PgConnection, PgTransactionManager, Postgres};

use crate::connections::{Borrowed, Connections};

/// Rolled back when it is dropped before [`Self::commit`] has come to its end.
pub(crate) struct Transaction(Option<Borrowed<Postgres>>);

impl Transaction {
    pub(crate) async fn begin(connections: &Connections<Postgres>) -> Result<Self, sqlx::Error> {
        let mut connection = connections.borrow().await?;
        PgTransactionManager::begin(&mut connection, None).await?;
        Ok(Self(Some(connection)))
    }

    /// After an error it is not known whether it was committed.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        PgTransactionManager::commit(&mut self).await?;
        if let Some(connection) = self.0.take() {
            connection.give_back();
        }
        Ok(())
    }
}

impl Drop for Transaction {
    /// ROLLBACK is sent by the pool, which looks at the connection next.
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
