//! Statements of one transaction whose answers nobody waits for one by one. SQLite gets them all in one trip to the thread of
//! its connection, which is what a short turn at the one writer mostly consists of; PostgreSQL gets one after another, or, when
//! none sees what another does, all as one.

use std::{fmt::Write as _, future::ready};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use sqlx::{AssertSqlSafe, Either, Executor as _};
use sqlx_sqlite::SqliteQueryResult;
use uuid::Uuid;

use crate::engine::{Tx, TxInner};

/// What is bound to a parameter: NULLs have a type on PostgreSQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Integer(i64),
    Time(Option<DateTime<Utc>>),
}

impl From<Uuid> for Bind {
    fn from(id: Uuid) -> Self {
        Self::Uuid(Some(id))
    }
}

impl From<Option<Uuid>> for Bind {
    fn from(id: Option<Uuid>) -> Self {
        Self::Uuid(id)
    }
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Bind {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<String> for Bind {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<DateTime<Utc>> for Bind {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(Some(time))
    }
}

impl From<Option<DateTime<Utc>>> for Bind {
    fn from(time: Option<DateTime<Utc>>) -> Self {
        Self::Time(time)
    }
}

/// Statements in the order in which they are to be run. Their texts are constants of ours, with `$1`, `$2` .. from one for
/// each statement.
#[derive(Debug, Default, Clone)]
pub(crate) struct Batch(Vec<(&'static str, Vec<Bind>)>);

/// Binds a list of [`Bind`] to a query.
macro_rules! bound {
    ($query:expr, $binds:expr) => {{
        let mut query = $query;
        for bind in $binds {
            query = match bind {
                $crate::batch::Bind::Uuid(id) => query.bind(id),
                $crate::batch::Bind::Text(text) => query.bind(text),
                $crate::batch::Bind::Integer(number) => query.bind(number),
                $crate::batch::Bind::Time(time) => query.bind(time),
            };
        }
        query
    }};
}

pub(crate) use bound;

/// Follows statements of one text of SQLite: how many have run to their end, and the error of the next one unless that
/// is all.
pub(crate) async fn run_to_the_end<R>(
    mut results: impl Stream<Item = Result<Either<SqliteQueryResult, R>, sqlx::Error>> + Unpin,
    all: usize,
) -> (usize, Option<sqlx::Error>) {
    // Each statement that has run to its end says so once.
    let mut over = 0;
    loop {
        match results.next().await {
            Some(Ok(Either::Left(_))) => over += 1,
            Some(Ok(Either::Right(_))) => {}
            Some(Err(error)) => return (over, Some(error)),
            None if over == all => return (over, None),
            None => return (over, Some(sqlx::Error::WorkerCrashed)),
        }
    }
}

impl Batch {
    /// Adds one to the end.
    pub(crate) fn push<const N: usize>(&mut self, sql: &'static str, binds: [Bind; N]) {
        self.0.push((sql, binds.into()));
    }

    /// Adds those of another one to the end.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The same statements, whatever is bound to them.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.0.iter().map(|(sql, _)| sql).eq(other.0.iter().map(|(sql, _)| sql))
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Runs all of them; gives how many rows they have changed together.
    ///
    /// # Errors
    /// Of the first one that fails; those before it have run, so that the transaction is of no use any more.
    pub(crate) async fn run(self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        if self.0.is_empty() {
            return Ok(0);
        }
        match &mut tx.inner {
            TxInner::Postgres(transaction) => {
                let mut changed = 0;
                for (sql, binds) in self.0 {
                    changed +=
                        bound!(sqlx::query(sql), binds).execute(transaction.in_time()).await?.rows_affected();
                }
                Ok(changed)
            }
            TxInner::Sqlite(turn) => {
                let done = match self.alone() {
                    Ok((sql, binds)) => bound!(sqlx::query(sql), binds).execute(&mut **turn).await?,
                    Err(several) => {
                        let (sql, binds) = several.joined();
                        bound!(sqlx::query(AssertSqlSafe(sql)), binds).execute(&mut **turn).await?
                    }
                };
                Ok(done.rows_affected())
            }
        }
    }

    /// Runs INSERTs into different tables, and these others after them; gives how many rows the first have written. On PostgreSQL they
    /// are parts of one statement, which looks for the rows that they refer to when all are there.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) async fn run_at_once(mut self, others: Self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        let counted = self.len();
        self.append(others);
        if self.is_empty() {
            return Ok(0);
        }
        match &mut tx.inner {
            TxInner::Postgres(transaction) => {
                let (sql, binds) = self.at_once(counted);
                let query = bound!(sqlx::query_scalar(AssertSqlSafe(sql)), binds);
                let written: i64 = query.fetch_one(transaction.in_time()).await?;
                Ok(u64::try_from(written).unwrap_or_default())
            }
            TxInner::Sqlite(turn) => {
                let (sql, binds) = self.joined();
                let results = turn.fetch_many(bound!(sqlx::query(AssertSqlSafe(sql)), binds));
                let ends = results.try_filter_map(|result| ready(Ok(result.left())));
                let written: Vec<_> = ends.map_ok(|end| end.rows_affected()).try_collect().await?;
                Ok(written.iter().take(counted).sum())
            }
        }
    }

    /// The only statement, whose text need not be made.
    fn alone(mut self) -> Result<(&'static str, Vec<Bind>), Self> {
        if self.0.len() > 1 {
            return Err(self);
        }
        self.0.pop().ok_or(self)
    }

    /// As one text of SQLite, whose parameters are counted through.
    pub(crate) fn joined(self) -> (String, Vec<Bind>) {
        let mut text = String::with_capacity(self.0.iter().map(|(sql, _)| sql.len() + 16).sum());
        let mut all = Vec::new();
        for (sql, binds) in self.0 {
            push_counted(&mut text, &mut all, (sql, binds));
            text.push_str("; ");
        }
        (text, all)
    }

    /// As one statement, which gives how many rows the first ones have written.
    fn at_once(self, counted: usize) -> (String, Vec<Bind>) {
        let mut text = String::with_capacity(self.0.iter().map(|(sql, _)| sql.len() + 64).sum());
        let (mut all, mut sum) = (Vec::new(), String::from("SELECT 0"));
        for (number, (sql, binds)) in self.0.into_iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{} w{number} AS (", if number == 0 { "WITH" } else { "," });
            push_counted(&mut text, &mut all, (sql, binds));
            text.push_str(" RETURNING 1)");
            if number < counted {
                let _ = write!(sum, " + (SELECT COUNT(*) FROM w{number})");
            }
        }
        text.push(' ');
        text.push_str(&sum);
        (text, all)
    }
}

/// Adds a statement, whose parameters come after those that are there.
fn push_counted(text: &mut String, all: &mut Vec<Bind>, (sql, mut binds): (&str, Vec<Bind>)) {
    let mut pieces = sql.split('$');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = piece[..digits].parse().unwrap_or_default();
        debug_assert!((1..=binds.len()).contains(&number), "no parameter ${number} of {sql}");
        let _ = write!(text, "${}{}", all.len() + number, &piece[digits..]);
    }
    all.append(&mut binds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_through() {
        let mut batch = Batch::default();
        batch.push("DELETE FROM a WHERE b = $1 OR c = $2 - 1 OR d = $1", [1.into(), 2.into()]);
        batch.push("DELETE FROM e", []);
        batch.push("INSERT INTO f VALUES ($2,$1)", ["3".into(), Bind::Time(None)]);
        let (sql, binds) = batch.joined();
        assert_eq!(
            sql,
            "DELETE FROM a WHERE b = $1 OR c = $2 - 1 OR d = $1; DELETE FROM e; INSERT INTO f VALUES ($4,$3); "
        );
        assert_eq!(binds, [1.into(), 2.into(), "3".into(), Bind::Time(None)]);
    }

    #[test]
    fn inserts_become_one_statement_that_counts() {
        let mut batch = Batch::default();
        batch.push("INSERT INTO a VALUES ($1)", [1.into()]);
        batch.push("INSERT INTO b VALUES ($2, $1)", [2.into(), 3.into()]);
        let (sql, binds) = batch.at_once(1);
        assert_eq!(
            sql,
            "WITH w0 AS (INSERT INTO a VALUES ($1) RETURNING 1), w1 AS (INSERT INTO b VALUES ($3, $2) RETURNING 1) \
             SELECT 0 + (SELECT COUNT(*) FROM w0)"
        );
        assert_eq!(binds, [1.into(), 2.into(), 3.into()]);
    }
}
