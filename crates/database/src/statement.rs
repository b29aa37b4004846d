//! Marked place: the few words of our SQL that each engine spells in its own way.
//!
//! A [`Statement`] is one text in which these words are rewritten:
//! - `ROWS($1: id uuid, uid text)` is a table made from one JSON parameter, an array of arrays: a batch is one
//!   statement with one text and one bind, whatever its size (`jsonb_array_elements` / `json_each`).
//!   UUIDs are 32 hex digits and `bytes` are hex; see [`rows`].
//! - `SEQUENCE($1)` is the next value of an ever growing key in commit order; `$1` counts within the transaction.
//!   SQLite has one writer, so AUTOINCREMENT is in commit order. On PostgreSQL an identity column is not: a
//!   transaction that took its number first may commit last, and a reader that went by would miss its rows. There
//!   the transaction id is the upper part of the number. Ids belong to a server, so a base is added to them, which a
//!   restored database raises: see `sequence_base.rs`.
//! - `FIRST_SEQUENCE` is the number before the first such key of this transaction in the audit trail, whose records
//!   know theirs before they are written. And
//! - `SETTLED` is true of rows below which nothing can appear any more: every older transaction has ended.
//! - `GATHERED(a, b)` makes all rows of a SELECT one JSON text, an array of arrays of these columns; see `gathered.rs`.

use std::{fmt::Write as _, sync::OnceLock};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::gathered::array_of;

/// Which engine a statement is spelt for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// What stands before and after a subquery of which a column equals any row. PostgreSQL may turn `IN` into a join
    /// that starts from the other side; an array it must make first.
    pub(crate) fn any_of(self) -> (&'static str, &'static str) {
        match self {
            Self::Postgres => ("= ANY(ARRAY(", "))"),
            Self::Sqlite => ("IN (", ")"),
        }
    }
}

/// Where a text comes from: only ever our own constants.
enum Text {
    Constant(&'static str),
    Made(fn() -> String),
}

/// One SQL text, spelt for an engine when first used.
pub(crate) struct Statement {
    text: Text,
    postgres: OnceLock<String>,
    sqlite: OnceLock<String>,
}

impl Statement {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text: Text::Constant(text), postgres: OnceLock::new(), sqlite: OnceLock::new() }
    }

    /// Of a text that is put together out of several constants.
    pub(crate) const fn made(text: fn() -> String) -> Self {
        Self { text: Text::Made(text), postgres: OnceLock::new(), sqlite: OnceLock::new() }
    }

    /// The text that `dialect` understands.
    pub(crate) fn on(&'static self, dialect: Dialect) -> &'static str {
        let slot = match dialect {
            Dialect::Postgres => &self.postgres,
            Dialect::Sqlite => &self.sqlite,
        };
        slot.get_or_init(|| match self.text {
            Text::Constant(text) => spell(text, dialect),
            Text::Made(text) => spell(&text(), dialect),
        })
    }
}

/// Bits of a `SEQUENCE` that count within one transaction on PostgreSQL.
pub(crate) const ORDINAL_BITS: u32 = 20;
/// What is added to a transaction id. Connections are opened with it.
const SEQUENCE_BASE: &str = "current_setting('maxray.sequence_base')::bigint";

/// Rewrites the words. Only ever given our own constant texts.
pub(crate) fn spell(text: &str, dialect: Dialect) -> String {
    let mut spelt = String::with_capacity(text.len() + 256);
    let mut rest = text;
    loop {
        let next = ["ROWS(", "FIRST_SEQUENCE", "SEQUENCE(", "SETTLED", "GATHERED("]
            .into_iter()
            .filter_map(|word| rest.find(word).map(|at| (at, word)))
            .min_by_key(|(at, _)| *at);
        let Some((at, word)) = next else {
            spelt.push_str(rest);
            return spelt;
        };
        spelt.push_str(&rest[..at]);
        rest = &rest[at + word.len()..];
        let inner = if word.ends_with('(') {
            let end = rest.find(')').unwrap_or(rest.len());
            let inner = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or("");
            inner
        } else {
            ""
        };
        match (word, dialect) {
            ("ROWS(", _) => spell_rows(&mut spelt, inner, dialect),
            ("SEQUENCE(", Dialect::Sqlite) => spelt.push_str("NULL"),
            ("GATHERED(", Dialect::Sqlite) => spelt.push_str(&array_of(inner)),
            ("GATHERED(", Dialect::Postgres) => {
                let _ = write!(spelt, "COALESCE(json_agg(json_build_array({inner})), '[]')::text");
            }
            ("SEQUENCE(", Dialect::Postgres) => {
                let _ = write!(
                    spelt,
                    "(((pg_current_xact_id()::text::bigint + {SEQUENCE_BASE}) << {ORDINAL_BITS}) + ({inner})::bigint)"
                );
            }
            ("FIRST_SEQUENCE", Dialect::Sqlite) => {
                spelt.push_str("COALESCE((SELECT MAX(sequence) FROM audit), 0)");
            }
            ("FIRST_SEQUENCE", Dialect::Postgres) => {
                let _ = write!(
                    spelt,
                    "((pg_current_xact_id()::text::bigint + {SEQUENCE_BASE}) << {ORDINAL_BITS})"
                );
            }
            (_, Dialect::Sqlite) => spelt.push_str("(1 = 1)"),
            (_, Dialect::Postgres) => {
                let _ = write!(
                    spelt,
                    "(sequence < ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + {SEQUENCE_BASE}) \
                     << {ORDINAL_BITS}))"
                );
            }
        }
    }
}

fn spell_rows(spelt: &mut String, inner: &str, dialect: Dialect) {
    let (parameter, columns) = inner.split_once(':').unwrap_or((inner, ""));
    spelt.push_str("(SELECT ");
    for (index, column) in columns.split(',').enumerate() {
        let mut words = column.split_whitespace();
        let (name, kind) = (words.next().unwrap_or(""), words.next().unwrap_or("text"));
        if index > 0 {
            spelt.push_str(", ");
        }
        let _ = match (kind, dialect) {
            ("uuid" | "bytes", Dialect::Sqlite) => write!(spelt, "unhex(value->>{index}) AS {name}"),
            (_, Dialect::Sqlite) => write!(spelt, "value->>{index} AS {name}"),
            ("bytes", Dialect::Postgres) => write!(spelt, "decode(value->>{index}, 'hex') AS {name}"),
            ("text", Dialect::Postgres) => write!(spelt, "(value->>{index}) COLLATE \"C\" AS {name}"),
            (_, Dialect::Postgres) => write!(spelt, "(value->>{index})::{kind} AS {name}"),
        };
    }
    let _ = match dialect {
        Dialect::Sqlite => write!(spelt, " FROM json_each({parameter}))"),
        Dialect::Postgres => {
            write!(spelt, " FROM jsonb_array_elements({parameter}::jsonb) AS json_rows(value))")
        }
    };
}

/// The JSON parameter of a `ROWS` word: one array a row.
pub(crate) fn rows(rows: Vec<Vec<Value>>) -> String {
    Value::Array(rows.into_iter().map(Value::Array).collect()).to_string()
}

/// The JSON parameter of a `ROWS` word with one text column.
pub(crate) fn text_rows<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    rows(texts.into_iter().map(|text| vec![Value::from(text)]).collect())
}

/// The JSON parameter of a `ROWS` word with one UUID column.
pub(crate) fn uuid_rows(ids: impl IntoIterator<Item = Uuid>) -> String {
    rows(ids.into_iter().map(|id| vec![uuid_value(id)]).collect())
}

/// A UUID as `ROWS` takes it.
pub(crate) fn uuid_value(id: Uuid) -> Value {
    Value::from(id.simple().to_string())
}

/// A time as `ROWS` takes it: as sqlx writes times, for SQLite compares them as texts.
pub(crate) fn time_value(time: DateTime<Utc>) -> Value {
    Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
}

/// Bytes as `ROWS` takes them.
pub(crate) fn bytes_value(bytes: &[u8]) -> Value {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    Value::from(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_for_both_engines() {
        let gathered = "SELECT GATHERED(a, b) FROM t";
        assert_eq!(spell(gathered, Dialect::Sqlite), "SELECT json_group_array(json_array(a, b)) FROM t");
        let of_postgres = "SELECT COALESCE(json_agg(json_build_array(a, b)), '[]')::text FROM t";
        assert_eq!(spell(gathered, Dialect::Postgres), of_postgres);
        let text = "INSERT INTO t SELECT SEQUENCE(n), id FROM ROWS($1: n bigint, id uuid) AS r WHERE SETTLED";
        assert_eq!(
            spell(text, Dialect::Sqlite),
            "INSERT INTO t SELECT NULL, id FROM (SELECT value->>0 AS n, unhex(value->>1) AS id \
             FROM json_each($1)) AS r WHERE (1 = 1)"
        );
        assert_eq!(
            spell(text, Dialect::Postgres),
            "INSERT INTO t SELECT (((pg_current_xact_id()::text::bigint + \
             current_setting('maxray.sequence_base')::bigint) << 20) + (n)::bigint), id FROM (SELECT \
             (value->>0)::bigint AS n, (value->>1)::uuid AS id FROM jsonb_array_elements($1::jsonb) AS \
             json_rows(value)) AS r WHERE (sequence < ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + \
             current_setting('maxray.sequence_base')::bigint) << 20))"
        );
    }

    #[test]
    fn hex() {
        assert_eq!(bytes_value(&[0, 15, 255]), Value::from("000fff"));
    }
}
