//! The work of one or several turns as one text: one trip to the thread of the connection for all of them. While that thread works
//! nobody else does, for whoever books waits; so trips, not work, were most of the time of fifty bookings at once.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Executor as _};
use sqlx_sqlite::SqliteConnection;

use crate::batch::{Batch, bound, run_to_the_end};

/// [`super::gathering`]'s way from one turn to the next, as statements.
const NEXT: [&str; 2] = ["RELEASE turn", "SAVEPOINT turn"];

/// Turns whose statements are known.
pub(super) struct Together {
    statements: Batch,
    /// Where the statements of each turn begin and end, counted from the first of all.
    spans: Vec<Range<usize>>,
}

/// How it ended.
pub(super) enum End {
    /// Every turn is whole.
    Whole,
    /// A statement of a turn failed; what that turn did before is still there.
    Stopped(sqlx::Error),
    /// Between two turns, or with the connection: the transaction is not what it was.
    Lost(sqlx::Error),
}

impl Together {
    /// In this order; `fresh` when the savepoint of the first is there already.
    pub(super) fn of(turns: impl Iterator<Item = Batch>, fresh: bool) -> Self {
        let (mut statements, mut spans) = (Batch::default(), Vec::new());
        for turn in turns {
            if !(fresh && spans.is_empty()) {
                for sql in NEXT {
                    statements.push(sql, []);
                }
            }
            let start = statements.len();
            statements.append(turn);
            spans.push(start..statements.len());
        }
        Self { statements, spans }
    }

    /// How many turns are whole, and how it ended.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> (usize, End) {
        let all = self.statements.len();
        let (sql, binds) = self.statements.joined();
        let results = connection.fetch_many(bound!(sqlx::query(AssertSqlSafe(sql)), binds));
        let (over, error) = run_to_the_end(results, all).await;
        let Some(error) = error else { return (self.spans.len(), End::Whole) };
        let whole = self.spans.iter().filter(|span| span.end <= over).count();
        let own = self.spans.get(whole).is_some_and(|span| span.start <= over);
        (whole, if own { End::Stopped(error) } else { End::Lost(error) })
    }
}
