//! Grants: what an administrator lets a viewer's or a doctor's account read.

use chrono::{DateTime, Utc};
use model::{StudyInstanceUid, access::Role};
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, text::index_text};

/// What a grant opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantKind {
    /// One study, also when it comes later.
    Study(StudyInstanceUid),
    /// Every study of a patient.
    Patient {
        /// Patient ID (0010,0020).
        patient_id: String,
        /// Issuer of Patient ID (0010,0021); empty for any.
        issuer_of_patient_id: String,
    },
    /// Every study; for viewers only.
    Everything,
}

impl GrantKind {
    /// The word in the database and in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Study(_) => "study",
            Self::Patient { .. } => "patient",
            Self::Everything => "everything",
        }
    }
}

/// A grant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// The account.
    pub user_id: Uuid,
    /// What it opens.
    pub kind: GrantKind,
    /// When it ends by itself; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGrant {
    /// Identity.
    pub id: Uuid,
    /// The account.
    pub user_id: Uuid,
    /// What it opens.
    pub kind: GrantKind,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    study_instance_uid: String,
    patient_id: String,
    issuer_of_patient_id: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for AccessGrant {
    type Error = DatabaseError;
    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let unreadable = || DatabaseError::Corrupt(format!("grant {}", row.id));
        let kind = match row.kind.as_str() {
            "study" => {
                GrantKind::Study(StudyInstanceUid::parse(&row.study_instance_uid).map_err(|_| unreadable())?)
            }
            "patient" => GrantKind::Patient {
                patient_id: row.patient_id,
                issuer_of_patient_id: row.issuer_of_patient_id,
            },
            "everything" => GrantKind::Everything,
            _ => return Err(unreadable()),
        };
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            kind,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    }
}

impl Database {
    /// Makes a grant.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when there is no such account, [`DatabaseError::Conflict`] when its role reads
    /// nothing by grants: viewers do, doctors for studies and patients.
    pub async fn add_grant(&self, new: NewGrant, actor: &AuditActor) -> Result<AccessGrant, DatabaseError> {
        const SQL: &str = "INSERT INTO access_grant (id, user_id, kind, study_instance_uid, patient_id, \
            issuer_of_patient_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let role = self.role_of(new.user_id).await?.ok_or(DatabaseError::NotFound)?;
        let useful = match role {
            Role::Viewer => true,
            Role::Doctor => new.kind != GrantKind::Everything,
            Role::Admin | Role::Paramedic | Role::Service => false,
        };
        if !useful {
            return Err(DatabaseError::Conflict(format!("the role {} takes no such grant", role.as_str())));
        }
        let mut tx = self.begin().await?;
        let kind = match new.kind {
            GrantKind::Patient { patient_id, issuer_of_patient_id } => GrantKind::Patient {
                patient_id: index_text(&patient_id),
                issuer_of_patient_id: index_text(&issuer_of_patient_id),
            },
            other => other,
        };
        let grant = AccessGrant {
            id: Uuid::now_v7(),
            user_id: new.user_id,
            kind,
            created_at: tx.now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let (study, patient_id, issuer) = match &grant.kind {
            GrantKind::Study(uid) => (uid.as_str(), "", ""),
            GrantKind::Patient { patient_id, issuer_of_patient_id } => {
                ("", patient_id.as_str(), issuer_of_patient_id.as_str())
            }
            GrantKind::Everything => ("", "", ""),
        };
        on_tx!(tx, connection => sqlx::query(SQL)
            .bind(grant.id)
            .bind(grant.user_id)
            .bind(grant.kind.as_str())
            .bind(study)
            .bind(patient_id)
            .bind(issuer)
            .bind(grant.created_at)
            .bind(grant.expires_at)
            .execute(connection)
            .await
            .map(|_| ())?);
        let mut record = AuditRecord::success(actor, "add_grant").about(grant.id).of_study(study);
        record.detail = format!("{} for user {}", grant.kind.as_str(), grant.user_id);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(grant)
    }

    /// Grants that have not been taken back, the oldest first; of one account or of all.
    pub async fn grants(&self, user_id: Option<Uuid>, limit: u32) -> Result<Vec<AccessGrant>, DatabaseError> {
        let sql = format!(
            "SELECT id, user_id, kind, study_instance_uid, patient_id, issuer_of_patient_id, created_at, \
             expires_at, revoked_at FROM access_grant WHERE revoked_at IS NULL{} ORDER BY id LIMIT $1",
            if user_id.is_some() { " AND user_id = $2" } else { "" }
        );
        let rows: Vec<Row> = on!(self, engine => {
            let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(i64::from(limit));
            if let Some(user_id) = user_id {
                query = query.bind(user_id);
            }
            query.fetch_all(&engine.read).await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Takes a grant back at once; false when there was none.
    pub async fn revoke_grant(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        const SQL: &str = "UPDATE access_grant SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let revoked = on_tx!(tx, connection =>
            sqlx::query(SQL).bind(id).bind(now).execute(connection).await?.rows_affected());
        if revoked == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "revoke_grant").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Whether the account may see every study now.
    pub(crate) async fn is_granted_everything(
        &self,
        user_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "SELECT id FROM access_grant WHERE user_id = $1 AND kind = 'everything' \
            AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) LIMIT 1";
        let found: Option<Uuid> = on!(self, engine =>
            sqlx::query_scalar(SQL).bind(user_id).bind(now).fetch_optional(&engine.read).await?);
        Ok(found.is_some())
    }

    async fn role_of(&self, user_id: Uuid) -> Result<Option<Role>, DatabaseError> {
        let word: Option<String> = on!(self, engine => sqlx::query_scalar("SELECT role FROM users WHERE id = $1")
            .bind(user_id)
            .fetch_optional(&engine.read)
            .await?);
        word.map(|word| word.parse().map_err(|_| DatabaseError::Corrupt(format!("role of user {user_id}"))))
            .transpose()
    }
}
