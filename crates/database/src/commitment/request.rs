//! A request comes in: kept before it is answered.

use model::{AeTitle, SopReference};
use sqlx::types::Json;
use uuid::Uuid;

use super::pairs;
use crate::{AuditActor, AuditRecord, Database, DatabaseError, Encoder, audit::insert_audit, engine::Tx};

/// A request for storage commitment.
#[derive(Debug, Clone, Copy)]
pub struct NewCommitment<'a> {
    /// Who asks.
    pub ae_title: &'a AeTitle,
    /// The title that it calls us by.
    pub called_ae_title: &'a AeTitle,
    /// Transaction UID (0008,1195).
    pub transaction_uid: &'a str,
    /// The instances.
    pub references: &'a [SopReference],
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitmentRequested {
    /// It will be reported on.
    Kept {
        /// The transaction.
        id: Uuid,
    },
    /// Too many requests of this AE wait.
    TooMany,
}

impl NewCommitment<'_> {
    fn hash(&self) -> Vec<u8> {
        let mut encoder = Encoder::new("MaxRay commitment 1");
        for reference in self.references {
            encoder.text(reference.sop_class_uid.as_str()).text(reference.sop_instance_uid.as_str());
        }
        encoder.finish().to_vec()
    }
}

impl Database {
    /// Keeps a request; durable when this returns. One that is sent again, with the same Transaction UID for the same
    /// instances, is the same one and will be reported on again. At most `pending_max` of one AE wait at once.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn request_commitment(
        &self,
        new: NewCommitment<'_>,
        pending_max: u32,
        actor: &AuditActor,
    ) -> Result<CommitmentRequested, DatabaseError> {
        const PENDING: &str = "SELECT COUNT(*) FROM commitment WHERE ae_title = $1 AND state = 'pending'";
        const KNOWN: &str = "SELECT id, referenced_sha256, state FROM commitment \
            WHERE ae_title = $1 AND transaction_uid = $2 ORDER BY id LIMIT 1000";
        let hash = new.hash();
        let mut tx = self.begin().await?;
        let pending: i64 = on_tx!(tx, connection =>
            sqlx::query_scalar(PENDING).bind(new.ae_title.as_str()).fetch_one(connection).await?);
        let known: Vec<(Uuid, Vec<u8>, String)> = on_tx!(tx, connection => sqlx::query_as(KNOWN)
            .bind(new.ae_title.as_str())
            .bind(new.transaction_uid)
            .fetch_all(connection)
            .await?);
        let same = known.iter().find(|(_, found, _)| *found == hash);
        let waits = same.is_some_and(|(_, _, state)| state == "pending");
        if !waits && pending >= i64::from(pending_max) {
            return Ok(CommitmentRequested::TooMany);
        }
        let id = match same {
            Some((id, ..)) => {
                ask_again(&mut tx, *id, new).await?;
                *id
            }
            None => insert(&mut tx, new, hash, !known.is_empty()).await?,
        };
        let record = AuditRecord::success(actor, "request_commitment")
            .about(new.transaction_uid)
            .saying(format!("{} instances", new.references.len()));
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(CommitmentRequested::Kept { id })
    }
}

async fn ask_again(tx: &mut Tx, id: Uuid, new: NewCommitment<'_>) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE commitment SET called_ae_title = $2, referenced = $3, state = 'pending', attempts = 0, \
        due_at = $4, requested_at = $4, ended_at = NULL WHERE id = $1";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(id)
        .bind(new.called_ae_title.as_str())
        .bind(Json(pairs(new.references)))
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    new: NewCommitment<'_>,
    hash: Vec<u8>,
    duplicate: bool,
) -> Result<Uuid, DatabaseError> {
    const SQL: &str = "INSERT INTO commitment (id, ae_title, called_ae_title, transaction_uid, referenced, \
        referenced_sha256, duplicate, state, attempts, due_at, requested_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, $8, $8)";
    let (id, now) = (Uuid::now_v7(), tx.now);
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(id)
        .bind(new.ae_title.as_str())
        .bind(new.called_ae_title.as_str())
        .bind(new.transaction_uid)
        .bind(Json(pairs(new.references)))
        .bind(hash)
        .bind(duplicate)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    Ok(id)
}
