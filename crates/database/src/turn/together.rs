//! The work of one or several turns as one text: one trip to the thread of the connection for all of them. While that thread works
//! nobody else does, for whoever books waits; so trips, not work, were most of the time of fifty bookings at once.

use futures_util::StreamExt as _;
use sqlx::{AssertSqlSafe, Either, Executor as _};
use sqlx_sqlite::SqliteConnection;

use crate::batch::{Batch, bound};

/// [`super::gathering`]'s way from one turn to the next, as statements.
const NEXT: [&str; 2] = ["RELEASE turn", "SAVEPOINT turn"];

/// Turns whose statements are known.
pub(super) struct Together {
    statements: Batch,
    /// How many statements are over when a turn is.
    ends: Vec<usize>,
}

impl Together {
    /// In this order; `fresh` when the savepoint of the first is there already.
    pub(super) fn of<'a>(turns: impl Iterator<Item = &'a Batch>, fresh: bool) -> Self {
        let (mut statements, mut ends) = (Batch::default(), Vec::new());
        for turn in turns {
            if !(fresh && ends.is_empty()) {
                for sql in NEXT {
                    statements.push(sql, []);
                }
            }
            statements.append(turn);
            ends.push(statements.len());
        }
        Self { statements, ends }
    }

    /// How many turns are whole, and what stopped the one after them: what that one did is still there.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> (usize, Result<(), sqlx::Error>) {
        let (sql, binds) = self.statements.joined();
        let mut results = connection.fetch_many(bound!(sqlx::query(AssertSqlSafe(sql)), binds));
        let mut over = 0;
        while let Some(result) = results.next().await {
            match result {
                Ok(Either::Left(_)) => over += 1,
                Ok(Either::Right(_)) => {}
                Err(error) => return (self.ends.iter().filter(|end| **end <= over).count(), Err(error)),
            }
        }
        (self.ends.len(), Ok(()))
    }
}
