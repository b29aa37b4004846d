//! Share links: one study for whoever holds the link, for some time and some uses.

use chrono::{DateTime, TimeDelta, Utc};
use model::{StudyInstanceUid, access::Scope};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError, audit::insert_audit, engine::Tx,
};

/// A link to be made.
#[derive(Clone)]
pub struct NewShare {
    /// SHA-256 of the token in the link.
    pub token_sha256: [u8; 32],
    /// SHA-256 of the token and the PIN together; `None` for no PIN.
    pub pin_sha256: Option<[u8; 32]>,
    /// Uses at most.
    pub uses_max: u32,
    /// How long it lives.
    pub lifetime: TimeDelta,
    /// The account that makes it.
    pub user_id: Uuid,
    /// The doctor of that account.
    pub doctor_id: Uuid,
}

/// A link, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Share {
    /// Identity.
    pub id: Uuid,
    /// The study.
    #[sqlx(try_from = "String")]
    pub study_instance_uid: StudyInstanceUid,
    /// Who made it.
    pub user_id: Uuid,
    /// The doctor who made it.
    pub doctor_id: Uuid,
    /// Whether a PIN is needed.
    pub has_pin: bool,
    /// Wrong PINs that are left.
    pub pin_tries_left: i32,
    /// How often it was used.
    pub uses: i32,
    /// How often it may be used.
    pub uses_max: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was used last.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What became of using a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareOutcome {
    /// It opened; this use is counted.
    Opened(Share),
    /// It needs a PIN, and none was given.
    PinNeeded,
    /// The PIN is wrong; so many wrong ones are left.
    PinWrong {
        /// Tries.
        left: u32,
    },
    /// There is no link that may be used: unknown, taken back, over, used up, or dead after wrong PINs.
    NotFound,
}

const COLUMNS: &str = "SELECT share.id, study.study_instance_uid, share.user_id, share.doctor_id, \
    share.pin_sha256 IS NOT NULL AS has_pin, share.pin_tries_left, share.uses, share.uses_max, share.created_at, \
    share.expires_at, share.last_used_at, share.revoked_at FROM share JOIN study ON study.id = share.study";

/// Whether a link may still be used. `$2` is now.
const LIVE: &str = "revoked_at IS NULL AND expires_at > $2 AND uses < uses_max AND pin_tries_left > 0 \
    AND EXISTS (SELECT 1 FROM users WHERE users.id = share.user_id AND users.active)";

impl Database {
    /// Makes a link; `None` when the study is not in reach.
    pub async fn create_share(
        &self,
        scope: &Scope,
        study_instance_uid: &StudyInstanceUid,
        new: NewShare,
        actor: &AuditActor,
    ) -> Result<Option<Share>, DatabaseError> {
        const SQL: &str = "INSERT INTO share (id, study, token_sha256, user_id, doctor_id, pin_sha256, \
            pin_tries_left, uses, uses_max, created_at, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10)";
        let Some(study) = self.study_in_reach(scope, study_instance_uid).await? else { return Ok(None) };
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mut tx = self.begin().await?;
        let share = Share {
            id: Uuid::now_v7(),
            study_instance_uid: study_instance_uid.clone(),
            user_id: new.user_id,
            doctor_id: new.doctor_id,
            has_pin: new.pin_sha256.is_some(),
            pin_tries_left: count(self.access().share_pin_tries_max),
            uses: 0,
            uses_max: count(new.uses_max),
            created_at: tx.now,
            expires_at: tx.now + new.lifetime,
            last_used_at: None,
            revoked_at: None,
        };
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(share.id)
            .bind(study)
            .bind(new.token_sha256.as_slice())
            .bind(share.user_id)
            .bind(share.doctor_id)
            .bind(new.pin_sha256.map(|hash| hash.to_vec()))
            .bind(share.pin_tries_left)
            .bind(share.uses_max)
            .bind(share.created_at)
            .bind(share.expires_at)
            .execute(connection)
            .await
            .map(|_| ())?);
        let record = AuditRecord::success(actor, "create_share").about(share.id).of_study(study_instance_uid);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(Some(share))
    }

    /// The links to a study that a doctor made, the newest first.
    pub async fn shares_of_study(
        &self,
        doctor_id: Uuid,
        study_instance_uid: &StudyInstanceUid,
        limit: u32,
    ) -> Result<Vec<Share>, DatabaseError> {
        let sql = AssertSqlSafe(format!(
            "{COLUMNS} WHERE study.study_instance_uid = $1 AND share.doctor_id = $2 ORDER BY share.id DESC LIMIT $3"
        ));
        Ok(on!(self, engine => sqlx::query_as(sql)
            .bind(study_instance_uid.as_str())
            .bind(doctor_id)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Takes a doctor's link back; false when there is none to take back. What it opened is closed at once.
    pub async fn revoke_share(
        &self,
        doctor_id: Uuid,
        id: Uuid,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str =
            "UPDATE share SET revoked_at = $3 WHERE id = $1 AND doctor_id = $2 AND revoked_at IS NULL";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let revoked = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(doctor_id)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if revoked == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "revoke_share").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Uses the link with this token, if its PIN fits. A wrong PIN is counted before this returns, so that neither a
    /// crash nor many callers at once give more tries.
    pub async fn redeem_share(
        &self,
        token_sha256: &[u8; 32],
        pin_sha256: Option<[u8; 32]>,
        actor: &AuditActor,
    ) -> Result<ShareOutcome, DatabaseError> {
        const WRONG: &str = "UPDATE share SET pin_tries_left = pin_tries_left - 1 WHERE id = $1";
        const USED: &str = "UPDATE share SET uses = uses + 1, last_used_at = $2 WHERE id = $1";
        // The first statement takes the row, so that the next use waits for this one's end.
        let take = AssertSqlSafe(format!("UPDATE share SET uses = uses WHERE token_sha256 = $1 AND {LIVE}"));
        let find = AssertSqlSafe(format!("{COLUMNS} WHERE share.token_sha256 = $1"));
        let mut tx = self.begin().await?;
        let (now, token) = (tx.now, token_sha256.as_slice());
        let taken = on_tx!(tx, connection =>
            sqlx::query(take).bind(token).bind(now).execute(connection).await?.rows_affected());
        if taken == 0 {
            return Ok(ShareOutcome::NotFound);
        }
        let mut share: Share =
            on_tx!(tx, connection => sqlx::query_as(find).bind(token).fetch_one(connection).await?);
        let expected = pin_of(&mut tx, share.id).await?;
        let (sql, outcome) = match (&expected, pin_sha256) {
            (Some(_), None) => return Ok(ShareOutcome::PinNeeded),
            (Some(expected), Some(given)) if *expected != given => {
                let left = u32::try_from(share.pin_tries_left - 1).unwrap_or(0);
                (WRONG, ShareOutcome::PinWrong { left })
            }
            _ => {
                share.uses += 1;
                share.last_used_at = Some(now);
                (USED, ShareOutcome::Opened(share.clone()))
            }
        };
        on_tx!(tx, connection => {
            let query = sqlx::query(sql).bind(share.id);
            let query = if sql == USED { query.bind(now) } else { query };
            query.execute(connection).await.map(|_| ())?;
        });
        let mut record =
            AuditRecord::success(actor, "redeem_share").about(share.id).of_study(&share.study_instance_uid);
        if sql == WRONG {
            record.outcome = AuditOutcome::Refused;
            "wrong PIN".clone_into(&mut record.detail);
        }
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(outcome)
    }
}

async fn pin_of(tx: &mut Tx, share: Uuid) -> Result<Option<Vec<u8>>, DatabaseError> {
    const SQL: &str = "SELECT pin_sha256 FROM share WHERE id = $1";
    Ok(on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(share).fetch_one(connection).await?))
}
