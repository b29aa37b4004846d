//! Finding what was changed: recomputes a chain and says where it breaks.
//!
//! A record is checked against the hash that stands at the record before it, so that ranges can be checked apart
//! and at the same time, and one change is one finding and not all that follows.

use std::{collections::BTreeMap, fmt};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    read::{COLUMNS, Row},
    write::ChainHead,
};
use crate::{Database, DatabaseError};

/// Rows fetched at once.
const PAGE_MAX: i64 = 2_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditFindingKind {
    /// The record, or the hash of the one before it, is not as it was written.
    Altered,
    /// It follows from the one before, but is not what a checkpoint was signed for: the chain was written anew.
    NotAsSigned,
    /// The record cannot be read: a column holds what no record has.
    Unreadable,
    /// There is more than one record of this number, or one of no number.
    Added,
    /// Records are missing, up to and including this number.
    Missing {
        /// The last one missing.
        until: i64,
    },
}

/// What is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditFinding {
    /// The chain.
    pub chain_id: Uuid,
    /// The record in it.
    pub chain_sequence: i64,
    /// What.
    pub kind: AuditFindingKind,
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, chain_sequence, kind } = self;
        write!(f, "chain {chain_id}: ")?;
        match kind {
            AuditFindingKind::Altered => {
                write!(
                    f,
                    "record {chain_sequence} is not what was written, or does not follow from the one before"
                )
            }
            AuditFindingKind::NotAsSigned => {
                write!(f, "record {chain_sequence} is not the one that a checkpoint was signed for")
            }
            AuditFindingKind::Unreadable => write!(f, "record {chain_sequence} holds what no record has"),
            AuditFindingKind::Added => write!(f, "record {chain_sequence} was put in"),
            AuditFindingKind::Missing { until } if until == chain_sequence => {
                write!(f, "record {chain_sequence} is missing")
            }
            AuditFindingKind::Missing { until } => {
                write!(f, "records {chain_sequence} to {until} are missing")
            }
        }
    }
}

/// Where a range stands while it is checked.
struct Cursor<'a> {
    chain_id: Uuid,
    signed: &'a BTreeMap<i64, [u8; 32]>,
    next: i64,
    /// Hash of the record before; none when that record is missing, which is reported where it is.
    previous: Option<[u8; 32]>,
    findings: Vec<AuditFinding>,
}

impl Cursor<'_> {
    fn find(&mut self, chain_sequence: i64, kind: AuditFindingKind) {
        self.findings.push(AuditFinding { chain_id: self.chain_id, chain_sequence, kind });
    }

    fn take(&mut self, row: Row) {
        let (number, found) = (row.chain_sequence, <[u8; 32]>::try_from(row.hash.as_slice()).ok());
        if number < self.next {
            return self.find(number, AuditFindingKind::Added);
        }
        if number > self.next {
            self.find(self.next, AuditFindingKind::Missing { until: number - 1 });
            self.previous = None;
        }
        let expected = self.previous.map(|previous| row.expected_hash(&previous));
        if found.is_none() || expected.is_some_and(|expected| Some(expected) != found) {
            self.find(number, AuditFindingKind::Altered);
        } else if self.signed.get(&number).is_some_and(|signed| Some(*signed) != found) {
            self.find(number, AuditFindingKind::NotAsSigned);
        }
        self.previous = found;
        self.next = number + 1;
    }

    fn unreadable(&mut self, number: i64) {
        self.find(number, AuditFindingKind::Unreadable);
        self.previous = None;
        self.next = number + 1;
    }

    fn end(&mut self, last: i64) {
        if self.next <= last {
            self.find(self.next, AuditFindingKind::Missing { until: last });
        }
    }
}

impl Database {
    /// The end of every chain in the trail.
    pub async fn audit_heads(&self) -> Result<Vec<ChainHead>, DatabaseError> {
        const NEXT: &str = "SELECT chain_id FROM audit WHERE chain_id > $1 ORDER BY chain_id LIMIT 1";
        let (mut heads, mut after) = (Vec::new(), Uuid::nil());
        // From one chain to the next by the index: the trail itself is not read.
        loop {
            let next: Option<Uuid> =
                on!(self, engine => sqlx::query_scalar(NEXT).bind(after).fetch_optional(&engine.read).await?);
            let Some(chain_id) = next else { return Ok(heads) };
            heads.extend(self.audit_head(chain_id).await?);
            after = chain_id;
        }
    }

    /// The end of one chain; none when it has no record.
    pub async fn audit_head(&self, chain_id: Uuid) -> Result<Option<ChainHead>, DatabaseError> {
        const LAST: &str =
            "SELECT chain_sequence, hash FROM audit WHERE chain_id = $1 ORDER BY chain_sequence DESC LIMIT 1";
        let last: Option<(i64, Vec<u8>)> = on!(self, engine =>
            sqlx::query_as(LAST).bind(chain_id).fetch_optional(&engine.read).await?);
        Ok(last.map(|(sequence, hash)| ChainHead { chain_id, sequence, hash: as_hash(&hash) }))
    }

    /// The hash that stands at a record; none when there is no such record.
    pub async fn audit_hash(&self, chain_id: Uuid, sequence: i64) -> Result<Option<[u8; 32]>, DatabaseError> {
        const ONE: &str = "SELECT hash FROM audit WHERE chain_id = $1 AND chain_sequence = $2";
        let found: Option<Vec<u8>> = on!(self, engine =>
            sqlx::query_scalar(ONE).bind(chain_id).bind(sequence).fetch_optional(&engine.read).await?);
        Ok(found.map(|hash| as_hash(&hash)))
    }

    /// Checks the records `from..=until` of a chain, also against the hashes that were `signed`; `progress` hears how
    /// many were read.
    pub async fn verify_audit(
        &self,
        chain_id: Uuid,
        from: i64,
        until: i64,
        signed: &BTreeMap<i64, [u8; 32]>,
        progress: impl Fn(u64),
    ) -> Result<Vec<AuditFinding>, DatabaseError> {
        let previous = if from <= 1 { Some([0; 32]) } else { self.audit_hash(chain_id, from - 1).await? };
        // What stands before the first record was put there.
        let below = if from <= 1 { i64::MIN } else { from - 1 };
        let mut cursor = Cursor { chain_id, signed, next: from.max(1), previous, findings: Vec::new() };
        let mut after = below;
        loop {
            let rows = match self.chain_page(chain_id, after, until, PAGE_MAX).await {
                Err(DatabaseError::Corrupt(_)) => {
                    after = self.verify_one_by_one(&mut cursor, after, until).await?;
                    continue;
                }
                rows => rows?,
            };
            let Some(last) = rows.last() else { break };
            after = last.chain_sequence;
            progress(rows.len() as u64);
            for row in rows {
                cursor.take(row);
            }
        }
        cursor.end(until);
        Ok(cursor.findings)
    }

    async fn chain_page(
        &self,
        chain_id: Uuid,
        after: i64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Row>, DatabaseError> {
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM audit WHERE chain_id = $1 AND chain_sequence > $2 AND chain_sequence <= $3 \
             ORDER BY chain_sequence LIMIT $4"
        ));
        Ok(on!(self, engine => sqlx::query_as(sql)
            .bind(chain_id)
            .bind(after)
            .bind(until)
            .bind(limit)
            .fetch_all(&engine.read)
            .await?))
    }

    /// Gets past a row that does not decode; gives the number of the last row it looked at.
    async fn verify_one_by_one(
        &self,
        cursor: &mut Cursor<'_>,
        mut after: i64,
        until: i64,
    ) -> Result<i64, DatabaseError> {
        const NEXT: &str = "SELECT chain_sequence FROM audit WHERE chain_id = $1 AND chain_sequence > $2 \
             AND chain_sequence <= $3 ORDER BY chain_sequence LIMIT 1";
        for _ in 0..PAGE_MAX {
            let next: Option<i64> = on!(self, engine => sqlx::query_scalar(NEXT)
                .bind(cursor.chain_id)
                .bind(after)
                .bind(until)
                .fetch_optional(&engine.read)
                .await?);
            let Some(number) = next else { break };
            match self.chain_page(cursor.chain_id, after, number, 1).await {
                Err(DatabaseError::Corrupt(_)) => cursor.unreadable(number),
                rows => {
                    for row in rows? {
                        cursor.take(row);
                    }
                }
            }
            after = number;
        }
        Ok(after)
    }
}

/// A hash of another length is none of ours: zeros, which no record has.
fn as_hash(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or([0; 32])
}
