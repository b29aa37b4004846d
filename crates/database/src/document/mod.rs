//! What doctors write and sign, prescriptions and reports: written as drafts, signed once, unchanged from then on. One code for
//! all kinds, each with a table of the same form under its own name.

mod settle;
mod studies;
mod write;

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    clinical::{
        ClinicalDocument, ConsultationStatus, DocumentContent, DocumentSignature, DocumentStatus,
        UnknownDocumentStatus,
    },
};
use sqlx::{AssertSqlSafe, types::Json};
use uuid::Uuid;

use self::studies::FIRST_OF_REACH;
use crate::{AuditActor, AuditRecord, Database, DatabaseError, engine::Tx, scope::Reach, statement::Dialect};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A document that stands there does not take this.
    #[error("not possible for a document that is {}", .0.as_str())]
    Settled(DocumentStatus),
    /// Its doctor is deactivated: who takes no consultations signs nothing.
    #[error("its doctor is deactivated")]
    DoctorInactive,
    /// Nothing is written in a consultation that stands there.
    #[error("nothing is written in a consultation that is {}", .0.as_str())]
    NotMet(ConsultationStatus),
    /// It is at another version.
    #[error("it was changed meanwhile")]
    Changed,
    /// Another draft takes the place of the same document already.
    #[error("another draft takes its place already")]
    ReplacedAlready,
    /// The document whose place it would take was taken back meanwhile.
    #[error("the document whose place it takes was taken back")]
    ReplacedGone,
    /// Studies, by their place in the list, that are not of the consultation's patient, or not in reach.
    #[error("it names studies that are not of its patient, or not in reach")]
    ForeignStudies(Vec<usize>),
    /// Anything else.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// How far a writer sees: the documents, and the studies that they may name.
#[derive(Debug, Clone, Copy)]
pub struct WriterScope<'a> {
    /// Of documents and consultations.
    pub documents: &'a Scope,
    /// Of studies.
    pub studies: &'a Scope,
}

/// The same as SQL, each for its own statement.
struct WriterReach {
    documents: Reach,
    consultations: Reach,
    studies: Reach,
}

#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct StatusText(String);

impl TryFrom<StatusText> for DocumentStatus {
    type Error = UnknownDocumentStatus;
    fn try_from(text: StatusText) -> Result<Self, UnknownDocumentStatus> {
        text.0.parse()
    }
}

#[derive(sqlx::FromRow)]
struct Row<C> {
    id: Uuid,
    consultation_id: Uuid,
    doctor_id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    #[sqlx(try_from = "StatusText")]
    status: DocumentStatus,
    version: i64,
    supersedes: Option<Uuid>,
    content: Json<C>,
    jws: Option<String>,
    content_sha256: Option<Vec<u8>>,
    key_id: Option<String>,
    finalized_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    remark: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<C> From<Row<C>> for ClinicalDocument<C> {
    fn from(row: Row<C>) -> Self {
        let hash = row.content_sha256.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let signed = row.jws.zip(hash).zip(row.key_id).zip(row.finalized_at);
        let signed = signed.map(|(((jws, content_sha256), key_id), finalized_at)| DocumentSignature {
            jws,
            content_sha256,
            key_id,
            finalized_at,
        });
        Self {
            id: row.id,
            consultation_id: row.consultation_id,
            doctor_id: row.doctor_id,
            patient_id: row.patient_id,
            issuer_of_patient_id: row.issuer_of_patient_id,
            status: row.status,
            version: row.version,
            supersedes: row.supersedes,
            content: row.content.0,
            signed,
            cancelled_at: row.cancelled_at,
            remark: row.remark,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The documents of a kind, to be put before conditions.
fn select<C: DocumentContent>() -> String {
    format!(
        "SELECT id, consultation_id, doctor_id, patient_id, issuer_of_patient_id, status, version, supersedes, \
         content, jws, content_sha256, key_id, finalized_at, cancelled_at, remark, created_at, updated_at FROM {}",
        C::NOUN
    )
}

impl Database {
    async fn writer_reach<C: DocumentContent>(
        &self,
        scope: WriterScope<'_>,
    ) -> Result<WriterReach, DatabaseError> {
        Ok(WriterReach {
            documents: self.document_reach(scope.documents, C::NOUN, 2),
            consultations: self.consultation_reach(scope.documents, 2),
            studies: self.study_reach(scope.studies, FIRST_OF_REACH).await?,
        })
    }

    /// One document; `None` when it is not in reach.
    pub async fn document<C: DocumentContent>(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<Option<ClinicalDocument<C>>, DatabaseError> {
        let reach = self.document_reach(scope, C::NOUN, 2);
        let sql = AssertSqlSafe(format!("{} WHERE id = $1{}", select::<C>(), reach.sql));
        let row: Option<Row<C>> = on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(&engine.read).await?
        });
        Ok(row.map(Into::into))
    }

    /// A patient's documents of a kind in reach, the newest first; of an issuer also those that name none.
    pub async fn documents_of_patient<C: DocumentContent>(
        &self,
        scope: &Scope,
        patient_id: &str,
        issuer_of_patient_id: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ClinicalDocument<C>>, DatabaseError> {
        if patient_id.is_empty() {
            return Ok(Vec::new());
        }
        let reach = self.document_reach(scope, C::NOUN, 4);
        let sql = AssertSqlSafe(format!(
            "{} WHERE patient_id = $1 \
             AND (issuer_of_patient_id = $2 OR issuer_of_patient_id = '' OR $2 = ''){} ORDER BY created_at DESC, id DESC LIMIT $3",
            select::<C>(),
            reach.sql
        ));
        let rows: Vec<Row<C>> = on!(self, engine => {
            let query = sqlx::query_as(sql)
                .bind(patient_id)
                .bind(issuer_of_patient_id.unwrap_or_default())
                .bind(i64::from(limit));
            bind_reach!(query, reach).fetch_all(&engine.read).await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Keeps others from changing it until the transaction ends.
async fn lock_row<C: DocumentContent>(
    tx: &mut Tx,
    id: Uuid,
    reach: &Reach,
) -> Result<ClinicalDocument<C>, DatabaseError> {
    let lock = match tx.dialect() {
        Dialect::Postgres => " FOR UPDATE",
        Dialect::Sqlite => "",
    };
    let sql = AssertSqlSafe(format!("{} WHERE id = $1{}{lock}", select::<C>(), reach.sql));
    let row: Option<Row<C>> = on_tx!(tx, connection => {
        bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(connection).await?
    });
    row.map(Into::into).ok_or(DatabaseError::NotFound)
}

/// The same, when it is of the doctor who writes: others may read it and no more.
async fn lock_own<C: DocumentContent>(
    tx: &mut Tx,
    id: Uuid,
    (scope, reach): (&Scope, &Reach),
) -> Result<ClinicalDocument<C>, DatabaseError> {
    let document = lock_row(tx, id, reach).await?;
    if scope.includes_doctor(document.doctor_id) { Ok(document) } else { Err(DatabaseError::NotFound) }
}

/// The same, when it is a draft that nobody has changed since.
async fn lock_own_draft<C: DocumentContent>(
    tx: &mut Tx,
    id: Uuid,
    of: (&Scope, &Reach),
    expected_version: i64,
) -> Result<ClinicalDocument<C>, DocumentError> {
    let draft = lock_own(tx, id, of).await?;
    if draft.status != DocumentStatus::Draft {
        return Err(DocumentError::Settled(draft.status));
    }
    if draft.version == expected_version { Ok(draft) } else { Err(DocumentError::Changed) }
}

/// That somebody did this with a document: `finalize_report`.
fn record<C: DocumentContent>(actor: &AuditActor, verb: &str, document: &ClinicalDocument<C>) -> AuditRecord {
    let record = AuditRecord::success(actor, &format!("{verb}_{}", C::NOUN));
    record.of_consultation(document.consultation_id).about(document.id)
}
