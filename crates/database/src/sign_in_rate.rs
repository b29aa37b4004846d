//! How often something may fail: token buckets that survive a restart and are shared by all nodes. They limit
//! guessing, and never lock anybody out for good: what was used up comes back with time.

use chrono::TimeDelta;

use crate::{Database, DatabaseError};

/// Rows removed with each attempt, when nothing is used up in them any more.
const SWEEP_MAX: i64 = 20;

/// An allowance: `burst` attempts at once, and as many again spread over `period`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Whose it is, hashed.
    pub key: [u8; 32],
    /// Attempts at once.
    pub burst: u32,
    /// Time in which all of them come back.
    pub period: TimeDelta,
}

impl Allowance {
    fn interval_us(&self) -> i64 {
        let period = self.period.num_microseconds().unwrap_or(i64::MAX / 4);
        (period / i64::from(self.burst.max(1))).max(1)
    }

    /// The latest state in which one more attempt fits.
    fn fits_until_us(&self, now_us: i64) -> i64 {
        now_us + self.interval_us() * (i64::from(self.burst.max(1)) - 1)
    }

    fn wait_seconds(&self, whole_again_at_us: i64, now_us: i64) -> u32 {
        let wait = whole_again_at_us - self.fits_until_us(now_us);
        u32::try_from((wait + 999_999) / 1_000_000).unwrap_or(1).max(1)
    }
}

impl Database {
    /// Takes one attempt from each allowance, or from none; then gives in how many seconds one is possible again.
    pub async fn take_attempt(&self, allowances: &[Allowance]) -> Result<Result<(), u32>, DatabaseError> {
        const TAKE: &str = "INSERT INTO sign_in_rate (key, whole_again_at_us) VALUES ($1, $3) \
            ON CONFLICT (key) DO UPDATE SET whole_again_at_us = $4 + CASE \
            WHEN sign_in_rate.whole_again_at_us > $2 THEN sign_in_rate.whole_again_at_us ELSE $2 END \
            WHERE sign_in_rate.whole_again_at_us <= $5 RETURNING whole_again_at_us";
        const SWEEP: &str = "DELETE FROM sign_in_rate WHERE key IN \
            (SELECT key FROM sign_in_rate WHERE whole_again_at_us < $1 ORDER BY whole_again_at_us LIMIT $2)";
        let now_us = self.shared().clock.now().timestamp_micros();
        // Those who are over their allowance cost a read, not a write.
        for allowance in allowances {
            let used = self.attempts_used(&allowance.key).await?;
            if let Some(used) = used.filter(|used| *used > allowance.fits_until_us(now_us)) {
                return Ok(Err(allowance.wait_seconds(used, now_us)));
            }
        }
        // Always in one order, so that two of these never wait for each other.
        let mut ordered: Vec<&Allowance> = allowances.iter().collect();
        ordered.sort_by_key(|allowance| allowance.key);
        let mut tx = self.begin().await?;
        for allowance in ordered {
            let taken: Option<i64> = on_tx!(tx, connection => sqlx::query_scalar(TAKE)
                .bind(&allowance.key[..])
                .bind(now_us)
                .bind(now_us + allowance.interval_us())
                .bind(allowance.interval_us())
                .bind(allowance.fits_until_us(now_us))
                .fetch_optional(connection)
                .await?);
            if taken.is_none() {
                // Others took the last one meanwhile. Dropping the transaction gives back what was taken.
                let wait = allowance.interval_us() / 1_000_000;
                return Ok(Err(u32::try_from(wait).unwrap_or(1).max(1)));
            }
        }
        on_tx!(tx, connection =>
            sqlx::query(SWEEP).bind(now_us).bind(SWEEP_MAX).execute(connection).await.map(|_| ())?);
        self.commit(tx).await?;
        Ok(Ok(()))
    }

    /// Gives one attempt back to each allowance: it succeeded, and only failures count.
    pub async fn give_back_attempt(&self, allowances: &[Allowance]) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE sign_in_rate SET whole_again_at_us = whole_again_at_us - $2 WHERE key = $1";
        let mut ordered: Vec<&Allowance> = allowances.iter().collect();
        ordered.sort_by_key(|allowance| allowance.key);
        let mut tx = self.begin().await?;
        for allowance in ordered {
            on_tx!(tx, connection => sqlx::query(SQL)
                .bind(&allowance.key[..])
                .bind(allowance.interval_us())
                .execute(connection)
                .await
                .map(|_| ())?);
        }
        self.commit(tx).await
    }

    async fn attempts_used(&self, key: &[u8; 32]) -> Result<Option<i64>, DatabaseError> {
        const SQL: &str = "SELECT whole_again_at_us FROM sign_in_rate WHERE key = $1";
        Ok(on!(self, engine =>
            sqlx::query_scalar(SQL).bind(&key[..]).fetch_optional(&engine.read).await?))
    }
}
