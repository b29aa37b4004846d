//! Requests that must have one effect however often they are sent (draft-ietf-httpapi-idempotency-key-header).
//!
//! A key is claimed before the request is carried out. The transaction that carries it out notes so in the claim's row, so
//! that neither a crash nor a second attempt at the same time can have the effect twice; the answer is kept after it.
//!
//! A form with a file is more than one transaction. What is made of it depends on its claim alone, so that it is carried out again until it
//! was answered, and each attempt finds what those before it left.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{AuditOutcome, Database, DatabaseError, engine::Tx};

/// How long a key is remembered.
const KEPT_FOR_HOURS: i64 = 24;
/// A claim that has had no effect for so long is taken over: whoever made it is gone.
const ABANDONED_AFTER_SECONDS: i64 = 60;

/// A key with the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClaim {
    /// The account: keys of different accounts have nothing to do with each other.
    pub user_id: Uuid,
    /// The key.
    pub key: String,
    /// Keyed hash of the request and of who sent it as what.
    pub request_hmac: [u8; 32],
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers as JSON.
    pub headers: String,
    /// Body.
    pub body: Vec<u8>,
}

/// What became of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is yours: carry the request out.
    Yours(Uuid),
    /// The request was carried out, and this was answered.
    Answered {
        /// What was answered.
        answer: KeptAnswer,
        /// The id of what the request made, empty when unknown.
        subject: String,
        /// Keyed hash of the form that it came with.
        form_hmac: Option<Vec<u8>>,
    },
    /// The request was carried out, and the answer was lost; the id of what it made, empty when unknown. Not of a form.
    AnswerLost {
        /// Id.
        subject: String,
    },
    /// Another attempt is at it.
    Running,
    /// The key came with another request.
    OtherRequest,
}

/// A form whose key is claimed, once it has come whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedForm {
    /// The claim.
    pub claim: Uuid,
    /// The account.
    pub user_id: Uuid,
    /// The key.
    pub key: String,
    /// Keyed hash of the form.
    pub form_hmac: [u8; 32],
    /// When it first came whole: nothing of it was stored before.
    pub came_at: DateTime<Utc>,
    /// It came whole in an earlier attempt, which may have stored something of it.
    pub again: bool,
    /// An earlier attempt committed all that it asks for.
    pub applied: bool,
}

/// What became of saying which form a claim is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormClaim {
    /// It is this one's.
    Yours(ClaimedForm),
    /// The key came with another form.
    OtherForm,
    /// Another attempt took the key over.
    TakenOver,
}

/// Account, key, when the form came, when all of it was committed.
type FormRow = (Uuid, String, DateTime<Utc>, Option<DateTime<Utc>>);

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    request_hmac: Vec<u8>,
    claimed_at: DateTime<Utc>,
    applied_at: Option<DateTime<Utc>>,
    subject: String,
    status: Option<i32>,
    headers: String,
    body: Option<Vec<u8>>,
    form_hmac: Option<Vec<u8>>,
}

/// Notes in the row of the claim that its effect is committed with this transaction.
pub(crate) async fn fulfil_claim(tx: &mut Tx) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE idempotency SET applied_at = COALESCE(applied_at, $2), \
        subject = CASE WHEN subject = '' THEN $3 ELSE subject END WHERE id = $1";
    let done = tx.audit.iter().find_map(|record| {
        let claim = record.actor.claim.filter(|_| record.outcome == AuditOutcome::Success)?;
        Some((claim, record.subject.clone()))
    });
    let Some((claim, subject)) = done else { return Ok(()) };
    let now = tx.now;
    let fulfilled = on_tx!(tx, connection => sqlx::query(SQL)
        .bind(claim)
        .bind(now)
        .bind(subject)
        .execute(connection)
        .await?
        .rows_affected());
    // Somebody took the key over, and carries the request out.
    if fulfilled == 0 { Err(DatabaseError::Busy) } else { Ok(()) }
}

impl Database {
    /// Claims a key for a request.
    pub async fn claim_idempotency_key(&self, new: &NewClaim) -> Result<Claim, DatabaseError> {
        const FORGET: &str = "DELETE FROM idempotency WHERE claimed_at < $1";
        const CLAIM: &str = "INSERT INTO idempotency (id, user_id, key, request_hmac, claimed_at, subject, headers) \
            VALUES ($1, $2, $3, $4, $5, '', '') ON CONFLICT DO NOTHING";
        const READ: &str = "SELECT id, request_hmac, claimed_at, applied_at, subject, status, headers, body, form_hmac \
            FROM idempotency WHERE user_id = $1 AND key = $2";
        let id = Uuid::now_v7();
        let mut tx = self.begin().await?;
        let (now, before) = (tx.now, tx.now - TimeDelta::hours(KEPT_FOR_HOURS));
        on_tx!(tx, connection => sqlx::query(FORGET).bind(before).execute(connection).await.map(drop)?);
        let claimed = on_tx!(tx, connection => sqlx::query(CLAIM)
            .bind(id)
            .bind(new.user_id)
            .bind(&new.key)
            .bind(&new.request_hmac[..])
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if claimed > 0 {
            self.commit(tx).await?;
            return Ok(Claim::Yours(id));
        }
        let row: Option<Row> = on_tx!(tx, connection => sqlx::query_as(READ)
            .bind(new.user_id)
            .bind(&new.key)
            .fetch_optional(connection)
            .await?);
        let Some(row) = row else { return Ok(Claim::Running) };
        if row.request_hmac != new.request_hmac {
            return Ok(Claim::OtherRequest);
        }
        // A form is carried out again until it was answered.
        if row.status.is_some() || (row.applied_at.is_some() && row.form_hmac.is_none()) {
            return Ok(answered(row));
        }
        if now - row.claimed_at < TimeDelta::seconds(ABANDONED_AFTER_SECONDS) {
            return Ok(Claim::Running);
        }
        let taken = take_over(&mut tx, row.id, id).await?;
        self.commit(tx).await?;
        Ok(if taken { Claim::Yours(id) } else { Claim::Running })
    }

    /// Keeps the answer to a claimed request.
    pub async fn keep_answer(&self, claim: Uuid, answer: &KeptAnswer) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE idempotency SET status = $2, headers = $3, body = $4 WHERE id = $1";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(claim)
            .bind(i32::from(answer.status))
            .bind(&answer.headers)
            .bind(&answer.body)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await
    }

    /// Says that somebody is still at a claimed request.
    pub async fn renew_claim(&self, claim: Uuid) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE idempotency SET claimed_at = $2 WHERE id = $1 AND status IS NULL";
        let mut tx = self.begin().await?;
        let now = tx.now;
        on_tx!(tx, connection => sqlx::query(SQL).bind(claim).bind(now).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// Says which form a claim is for, when that has come whole and before anything of it is stored: from here on the key is that
    /// form's, also when nothing is heard of this attempt any more.
    pub async fn claim_form(&self, claim: Uuid, form_hmac: &[u8; 32]) -> Result<FormClaim, DatabaseError> {
        const READ: &str = "SELECT form_hmac FROM idempotency WHERE id = $1";
        const SAY: &str = "UPDATE idempotency SET form_hmac = $2, came_at = COALESCE(came_at, $3), claimed_at = $3 \
            WHERE id = $1 AND status IS NULL RETURNING user_id, key, came_at, applied_at";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let known: Option<(Option<Vec<u8>>,)> =
            on_tx!(tx, connection => sqlx::query_as(READ).bind(claim).fetch_optional(connection).await?);
        let Some((known,)) = known else { return Ok(FormClaim::TakenOver) };
        if known.as_ref().is_some_and(|known| known.as_slice() != form_hmac.as_slice()) {
            return Ok(FormClaim::OtherForm);
        }
        let said: Option<FormRow> = on_tx!(tx, connection => sqlx::query_as(SAY)
            .bind(claim)
            .bind(form_hmac.as_slice())
            .bind(now)
            .fetch_optional(connection)
            .await?);
        let Some((user_id, key, came_at, applied_at)) = said else { return Ok(FormClaim::TakenOver) };
        self.commit(tx).await?;
        let (form_hmac, again, applied) = (*form_hmac, known.is_some(), applied_at.is_some());
        Ok(FormClaim::Yours(ClaimedForm { claim, user_id, key, form_hmac, came_at, again, applied }))
    }

    /// Takes that back of a form that was refused, and of which nothing is stored: the key may come with another one.
    pub async fn forget_form(&self, claim: Uuid) -> Result<(), DatabaseError> {
        const SQL: &str =
            "UPDATE idempotency SET form_hmac = NULL, came_at = NULL WHERE id = $1 AND applied_at IS NULL";
        let mut tx = self.begin().await?;
        on_tx!(tx, connection => sqlx::query(SQL).bind(claim).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }

    /// Gives a claim back that had no effect: the key may come again, with another request, too. With a form of which something may be
    /// stored it may come again at once, and with no other one.
    pub async fn release_claim(&self, claim: Uuid) -> Result<(), DatabaseError> {
        const FORGET: &str =
            "DELETE FROM idempotency WHERE id = $1 AND applied_at IS NULL AND form_hmac IS NULL";
        const ABANDON: &str = "UPDATE idempotency SET claimed_at = $2 \
            WHERE id = $1 AND status IS NULL AND form_hmac IS NOT NULL";
        let mut tx = self.begin().await?;
        let abandoned = tx.now - TimeDelta::seconds(ABANDONED_AFTER_SECONDS);
        on_tx!(tx, connection => sqlx::query(FORGET).bind(claim).execute(connection).await.map(drop)?);
        on_tx!(tx, connection =>
            sqlx::query(ABANDON).bind(claim).bind(abandoned).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }
}

fn answered(row: Row) -> Claim {
    match (row.status.and_then(|status| u16::try_from(status).ok()), row.body) {
        (Some(status), Some(body)) => Claim::Answered {
            answer: KeptAnswer { status, headers: row.headers, body },
            subject: row.subject,
            form_hmac: row.form_hmac,
        },
        _ => Claim::AnswerLost { subject: row.subject },
    }
}

/// The row gets a new id, so that a slow owner of the old one commits nothing any more.
async fn take_over(tx: &mut Tx, old: Uuid, new: Uuid) -> Result<bool, DatabaseError> {
    const SQL: &str = "UPDATE idempotency SET id = $2, claimed_at = $3 WHERE id = $1 AND status IS NULL \
        AND (applied_at IS NULL OR form_hmac IS NOT NULL)";
    let now = tx.now;
    let taken = on_tx!(tx, connection =>
        sqlx::query(SQL).bind(old).bind(new).bind(now).execute(connection).await?.rows_affected());
    Ok(taken > 0)
}
