//! How a transaction that writes begins and ends.

use std::mem;

use fail_point::Point;

use crate::{
    DatabaseError,
    audit::write_chained,
    batch::Batch,
    engine::{Database, Tx, TxInner},
    idempotency::fulfil_claim,
    keys::BEGIN_HOLDING_KEYS,
    neighbours::say_that_sessions_end,
    statement::Dialect,
    transaction::Transaction,
    turn::{NotDone, Turn},
};

/// What may fail between the audit records and COMMIT.
pub(crate) fn before_commit() -> Result<(), sqlx::Error> {
    fail_point::reach(Point::K16AuditWritten)?;
    fail_point::reach(Point::K17BeforeCommit)?;
    Ok(())
}

pub(crate) fn disk_failed() -> DatabaseError {
    DatabaseError::Unavailable("the disk failed under a commit".to_owned())
}

impl Database {
    /// Begins a transaction that writes. On SQLite it waits for its turn at the one writing connection.
    pub(crate) async fn begin(&self) -> Result<Tx, DatabaseError> {
        self.begin_with("BEGIN").await
    }

    /// As [`Self::begin`]; until the end no patient key is retired.
    pub(crate) async fn begin_holding_keys(&self) -> Result<Tx, DatabaseError> {
        self.begin_with(BEGIN_HOLDING_KEYS).await
    }

    async fn begin_with(&self, begin: &'static str) -> Result<Tx, DatabaseError> {
        self.refuse_when_broken()?;
        let inner = match self {
            Self::Postgres(engine) => TxInner::Postgres(Transaction::begin(&engine.write, begin).await?),
            Self::Sqlite(engine) => {
                TxInner::Sqlite(engine.turns.as_ref().ok_or_else(DatabaseError::closing)?.take().await?)
            }
        };
        Ok(Tx::new(inner, self.now()))
    }

    pub(crate) fn refuse_when_broken(&self) -> Result<(), DatabaseError> {
        if self.has_disk_failed() {
            return Err(disk_failed());
        }
        Ok(())
    }

    /// Begins a transaction of which nothing is asked before its [`Self::commit_batch`]: on SQLite it takes the writing connection
    /// one trip. Its time is that of the asking: what expires while it waits is there for it. Not for one that fulfils a claim or ends
    /// sessions.
    pub(crate) async fn begin_batch(&self) -> Result<Tx, DatabaseError> {
        let Self::Sqlite(engine) = self else { return self.begin().await };
        let turns = engine.turns.clone().ok_or_else(DatabaseError::closing)?;
        self.refuse_when_broken()?;
        Ok(Tx::new(TxInner::Sqlite(Turn::Later(turns)), self.now()))
    }

    /// Runs these statements as the last of a transaction, and commits it.
    ///
    /// # Errors
    /// [`NotDone::Statement`] when one of them fails.
    pub(crate) async fn commit_batch(&self, mut tx: Tx, batch: Batch) -> Result<(), NotDone> {
        let TxInner::Sqlite(Turn::Later(turns)) = &tx.inner else {
            batch.run(&mut tx).await.map_err(NotDone::Statement)?;
            return Ok(self.commit(tx).await?);
        };
        debug_assert!(
            tx.revoked_sessions.is_empty() && tx.audit.iter().all(|record| record.actor.claim.is_none())
        );
        let (audit, clock) = (mem::take(&mut tx.audit), self.shared().clock.clone());
        Turn::carry_out(turns.clone(), batch, audit, clock).await?;
        self.tell(tx.made_events(), tx.made_events());
        Ok(())
    }

    /// Writes the audit records, commits, and wakes who waits for events.
    pub(crate) async fn commit(&self, mut tx: Tx) -> Result<(), DatabaseError> {
        fulfil_claim(&mut tx).await?;
        say_that_sessions_end(&mut tx).await?;
        // On PostgreSQL any commit may be the one that events of another transaction waited for: see `SETTLED`.
        let made = tx.made_events();
        let announce = made || tx.dialect() == Dialect::Postgres;
        match tx.inner {
            TxInner::Postgres(mut transaction) => {
                let chain = &self.shared().chain;
                let head = write_chained(chain, &mut transaction, tx.audit, tx.now).await?;
                before_commit()?;
                transaction.commit().await?;
                chain.committed(head);
            }
            TxInner::Sqlite(turn) => turn.keep(tx.audit, tx.now).await?,
        }
        if !tx.revoked_sessions.is_empty() {
            self.shared().revoked_sessions.add(tx.revoked_sessions);
            self.shared().own_revocations.send_modify(|commits| *commits += 1);
        }
        self.tell(made, announce);
        Ok(())
    }

    /// Wakes who waits for events, after a commit that made some or may have made some readable.
    fn tell(&self, made: bool, readable: bool) {
        if made {
            self.shared().own_events.send_modify(|commits| *commits += 1);
        }
        if readable {
            self.shared().commits.send_modify(|commits| *commits += 1);
        }
    }
}
