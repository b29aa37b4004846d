//! Erasing a patient: one transaction takes every row away and notes what is still to be destroyed.

use chrono::{DateTime, Utc};
use model::event::Event;
use uuid::Uuid;

use super::{
    drop::drop_objects,
    forget::{forget_in_consultations, forget_performed_steps, forget_rights, forget_worklist_items},
    gate::retire_keys,
};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    outbox::insert_events,
    statement::{Statement, uuid_rows},
    text::clean,
};

/// Why somebody is erased, and how much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure<'a> {
    /// For the audit trail; it names nobody.
    pub reason: &'a str,
    /// Whether consultations and items of the worklist go whose name of the patient was written in another way, too, and rights that
    /// name nothing but a Patient ID that others have.
    pub any_name: bool,
}

/// What was erased. The receipt of an erasure: it names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The patient record that was; in the audit trail it stays under this name.
    pub patient: Uuid,
    /// When it became invisible.
    pub at: DateTime<Utc>,
    /// Studies.
    pub studies: u64,
    /// Instances, conflict versions too.
    pub instances: u64,
    /// Consultations of which the patient's name was taken.
    pub consultations: u64,
    /// Consultations under the same Patient ID and another name, which stay.
    pub consultations_left: Vec<Uuid>,
    /// Items of the worklist under the same Patient ID and another name, which stay.
    pub worklist_items_left: Vec<Uuid>,
    /// Grants under the same Patient ID that may be another patient's, and stay.
    pub grants_left: Vec<Uuid>,
    /// Emergency accesses of that kind.
    pub emergency_accesses_left: Vec<Uuid>,
    /// Objects to remove.
    pub objects: Vec<Uuid>,
    /// Keys to destroy.
    pub keys: Vec<Uuid>,
}

static LEDGER: Statement = Statement::new(
    "INSERT INTO destroyed_key (key_id, reason, destroyed_at) SELECT id, 'erased', $2 FROM ROWS($1: id uuid) AS r \
     WHERE true ON CONFLICT DO NOTHING",
);

const INSTANCES_OF: &str = "SELECT instance.id FROM study JOIN series ON series.study = study.id \
    JOIN instance ON instance.series = series.id WHERE study.patient = $1";

impl Database {
    /// Takes every row of a patient away, at once and for good. The ledger has the patient's keys from now on, and the
    /// lists of dropped objects and keys what is to be destroyed: whoever runs the archive does that.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], and [`DatabaseError::Conflict`] when a legal hold forbids it.
    pub async fn erase_patient(
        &self,
        patient: Uuid,
        erasure: Erasure<'_>,
        actor: &AuditActor,
    ) -> Result<Erased, DatabaseError> {
        let mut tx = self.begin().await?;
        retire_keys(&mut tx).await?;
        overwrite_what_is_deleted(&mut tx, true).await?;
        let taken = take_rows(&mut tx, patient, erasure, actor).await;
        overwrite_what_is_deleted(&mut tx, false).await?;
        let erased = taken?;
        self.commit(tx).await?;
        self.empty_log().await?;
        Ok(erased)
    }

    /// Which of these keys serve a patient that is there.
    pub async fn patients_of_keys(&self, keys: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, DatabaseError> {
        static SQL: Statement = Statement::new(
            "SELECT k.key_id, k.patient FROM ROWS($1: id uuid) AS r CROSS JOIN patient_key k \
             JOIN patient ON patient.id = k.patient WHERE k.key_id = r.id",
        );
        let (sql, list) = (SQL.on(self.dialect()), uuid_rows(keys.iter().copied()));
        Ok(on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?))
    }

    /// SQLite keeps what was written in its log until that is written over. PostgreSQL has `VACUUM`.
    async fn empty_log(&self) -> Result<(), DatabaseError> {
        if let Self::Sqlite(engine) = self {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&engine.write).await?;
        }
        Ok(())
    }
}

/// SQLite leaves the bytes of deleted rows where they are, unless told.
async fn overwrite_what_is_deleted(tx: &mut Tx, on: bool) -> Result<(), DatabaseError> {
    if let crate::engine::TxInner::Sqlite(transaction) = &mut tx.inner {
        let sql = if on { "PRAGMA secure_delete = ON" } else { "PRAGMA secure_delete = OFF" };
        sqlx::query(sql).execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn take_rows(
    tx: &mut Tx,
    patient: Uuid,
    erasure: Erasure<'_>,
    actor: &AuditActor,
) -> Result<Erased, DatabaseError> {
    let of = lock(tx, patient).await?;
    let keys: Vec<Uuid> = on_tx!(tx, connection => {
        sqlx::query_scalar("SELECT key_id FROM patient_key WHERE patient = $1 ORDER BY key_id")
            .bind(patient)
            .fetch_all(connection)
            .await?
    });
    let objects = objects(tx, patient).await?;
    let now = tx.now;
    let (ledger, list) = (LEDGER.on(tx.dialect()), uuid_rows(keys.iter().copied()));
    on_tx!(tx, connection => sqlx::query(ledger).bind(list).bind(now).execute(connection).await.map(drop)?);
    drop_objects(tx, &objects, now).await?;
    let (consultations, consultations_left) = forget_in_consultations(tx, &of, erasure.any_name).await?;
    // Which of the answers that are kept for repeated requests are about the patient nothing tells: whoever repeats a
    // request later repeats it anew.
    on_tx!(tx, connection => sqlx::query("DELETE FROM idempotency").execute(connection).await.map(drop)?);
    let [grants_left, emergency_accesses_left] = forget_rights(tx, patient, &of, erasure.any_name).await?;
    let worklist_items_left = forget_worklist_items(tx, &of, erasure.any_name).await?;
    forget_performed_steps(tx, patient, &of, erasure.any_name).await?;
    let (studies, instances) = delete_rows(tx, patient).await?;
    let mut record = AuditRecord::success(actor, "erase_patient").about(patient);
    record.detail = format!(
        "{studies} studies, {instances} instances, {} objects, {} keys; reason: {}",
        objects.len(),
        keys.len(),
        clean(erasure.reason)
    );
    insert_events(tx, &[Event::PatientErased { patient }]).await?;
    insert_audit(tx, &[record]).await?;
    Ok(Erased {
        patient,
        at: now,
        studies,
        instances,
        consultations,
        consultations_left,
        worklist_items_left,
        grants_left,
        emergency_accesses_left,
        objects,
        keys,
    })
}

/// How consultations name the patient.
#[derive(sqlx::FromRow)]
pub(super) struct Named {
    pub(super) patient_id: String,
    pub(super) issuer_of_patient_id: String,
    patient_name_folded: String,
}

impl Named {
    /// Whether somebody with this name, folded, may be the patient: unless both have names that differ.
    pub(super) fn may_be(&self, folded: &str) -> bool {
        folded.is_empty() || self.patient_name_folded.is_empty() || folded == self.patient_name_folded
    }
}

/// Keeps others from adding to the patient until the transaction ends, and looks for legal holds.
async fn lock(tx: &mut Tx, patient: Uuid) -> Result<Named, DatabaseError> {
    const LOCK: &str = "UPDATE patient SET review = review WHERE id = $1 \
        RETURNING patient_id, issuer_of_patient_id, patient_name_folded";
    const HOLDS: &str = "SELECT COUNT(*) FROM legal_hold WHERE patient = $1";
    let named: Option<Named> =
        on_tx!(tx, connection => sqlx::query_as(LOCK).bind(patient).fetch_optional(connection).await?);
    let named = named.ok_or(DatabaseError::NotFound)?;
    let holds: i64 =
        on_tx!(tx, connection => sqlx::query_scalar(HOLDS).bind(patient).fetch_one(connection).await?);
    if holds > 0 {
        return Err(DatabaseError::Conflict("a legal hold keeps the patient from being erased".to_owned()));
    }
    Ok(named)
}

/// Objects of the patient. The rows of previews are taken away with it.
async fn objects(tx: &mut Tx, patient: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
    const SQL: &str = "SELECT instance.object_key FROM study JOIN series ON series.study = study.id \
        JOIN instance ON instance.series = series.id WHERE study.patient = $1";
    // What the rows name in the moment they go: one may have been made since they were looked at.
    let previews = format!(
        "DELETE FROM preview WHERE instance IN ({INSTANCES_OF}) RETURNING preview_key, thumbnail_key"
    );
    let previews: Vec<(Option<Uuid>, Option<Uuid>)> = on_tx!(tx, connection =>
        sqlx::query_as(sqlx::AssertSqlSafe(previews)).bind(patient).fetch_all(connection).await?);
    let mut all: Vec<Uuid> =
        on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(patient).fetch_all(connection).await?);
    all.extend(previews.into_iter().flat_map(|(large, small)| [large, small]).flatten());
    all.extend(deleted_objects(tx, patient).await?);
    Ok(all)
}

/// What was deleted before and could have been restored.
async fn deleted_objects(tx: &mut Tx, patient: Uuid) -> Result<Vec<Uuid>, DatabaseError> {
    const SQL: &str = "SELECT gone.object_key FROM deleted_instance gone \
        JOIN patient_key ON patient_key.key_id = gone.patient_key_id WHERE patient_key.patient = $1";
    Ok(on_tx!(tx, connection => sqlx::query_scalar(SQL).bind(patient).fetch_all(connection).await?))
}

/// Gives how many studies and instances there were. What refers to a study or an instance goes with it.
async fn delete_rows(tx: &mut Tx, patient: Uuid) -> Result<(u64, u64), DatabaseError> {
    let statements = [
        format!("DELETE FROM instance_header WHERE instance IN ({INSTANCES_OF})"),
        format!("DELETE FROM instance WHERE id IN ({INSTANCES_OF})"),
        "DELETE FROM series WHERE study IN (SELECT id FROM study WHERE patient = $1)".to_owned(),
        "DELETE FROM study WHERE patient = $1".to_owned(),
        "DELETE FROM remembered_link WHERE study_instance_uid IN \
         (SELECT study_instance_uid FROM deletion WHERE patient = $1)"
            .to_owned(),
        "DELETE FROM deletion WHERE id IN (SELECT gone.deletion FROM deleted_instance gone \
         JOIN patient_key ON patient_key.key_id = gone.patient_key_id WHERE patient_key.patient = $1)"
            .to_owned(),
        "DELETE FROM deletion WHERE patient = $1".to_owned(),
        "DELETE FROM patient_demographics WHERE patient = $1".to_owned(),
        "DELETE FROM remembered_patient WHERE patient = $1".to_owned(),
        "UPDATE patient_key SET state = 'dropped', destroy_after = created_at WHERE patient = $1".to_owned(),
        "DELETE FROM patient WHERE id = $1".to_owned(),
    ];
    let mut counts = Vec::with_capacity(statements.len());
    for sql in statements {
        counts.push(on_tx!(tx, connection => sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(patient)
            .execute(connection)
            .await?
            .rows_affected()));
    }
    Ok((counts[3], counts[1]))
}
