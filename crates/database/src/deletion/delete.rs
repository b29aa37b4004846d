//! The transaction that takes instances out of the index.

use chrono::{DateTime, TimeDelta, Utc};
use model::event::Event;
use uuid::Uuid;

use super::{COLUMNS, Deletion, DeletionRules, DeletionTarget};
use crate::{
    AuditActor, AuditOutcome, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    keys::{drop_objects, patient_key_of, retire_keys},
    outbox::insert_events,
    statement::{Statement, bytes_value, rows, uuid_rows, uuid_value},
};

/// Who asked for the same longer ago is not the second person.
const ASKED_FOR: TimeDelta = TimeDelta::hours(24);

const CHANGED_SINCE: &str = "the account was made, or its password, role or activation was changed, after the deletion was asked \
    for: let another administrator send the same request, or ask again when 24 hours are over";

static KEEP: Statement = Statement::new(
    "INSERT INTO deleted_instance (instance, deletion, patient_key_id, object_key, object_seal, uploaded_by) \
     SELECT r.instance, $2, r.key_id, r.object_key, r.seal, $3 \
     FROM ROWS($1: instance uuid, key_id uuid, object_key uuid, seal bytes) AS r WHERE true",
);

/// Columns as in `xray_metadata`.
static KEEP_SAID: Statement = Statement::new(
    "INSERT INTO deleted_xray_metadata (instance, consultation_id, captured_at, paramedic, body_part, view_position, \
     laterality, notes, version, updated_by, updated_at) \
     SELECT instance, consultation_id, captured_at, paramedic, body_part, view_position, laterality, notes, version, \
     updated_by, updated_at FROM xray_metadata WHERE instance IN (SELECT id FROM ROWS($1: id uuid) AS r)",
);

#[derive(sqlx::FromRow)]
struct Study {
    id: Uuid,
    patient: Uuid,
    uploaded_by: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    object_key: Uuid,
    object_seal: Vec<u8>,
}

impl Database {
    /// Deletes, or notes that `user_id` wants it when the rules ask for a second person.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`], and [`DatabaseError::Conflict`] when a legal hold forbids it, or when the second person's account was
    /// made or changed after the first one asked.
    pub async fn delete_instances(
        &self,
        target: &DeletionTarget,
        rules: DeletionRules,
        user_id: Uuid,
        actor: &AuditActor,
    ) -> Result<Deletion, DatabaseError> {
        let mut tx = self.begin().await?;
        // Nothing is added to the study beside this transaction.
        retire_keys(&mut tx).await?;
        let study = lock(&mut tx, target).await?;
        let found = instances(&mut tx, target, study.id).await?;
        let mut deletion = match open_request(&mut tx, target).await? {
            Some(open) => open,
            None => ask(&mut tx, target, study.patient, user_id).await?,
        };
        let mut record = AuditRecord::success(actor, "ask_deletion")
            .of_patient(study.patient)
            .of_study(&target.study_instance_uid)
            .about(deletion.id);
        record.detail = format!("{} instances", found.len());
        if rules.two_person
            && deletion.asked_by != user_id
            && !was_there(&mut tx, user_id, deletion.asked_at).await?
        {
            (record.outcome, record.detail) = (AuditOutcome::Refused, CHANGED_SINCE.to_owned());
            insert_audit(&mut tx, &[record]).await?;
            self.commit(tx).await?;
            return Err(DatabaseError::Conflict(CHANGED_SINCE.to_owned()));
        }
        if !rules.two_person || deletion.asked_by != user_id {
            take(&mut tx, &study, &found, (deletion.id, rules)).await?;
            deletion = close(&mut tx, &deletion, found.len(), rules, user_id).await?;
            "delete_instances".clone_into(&mut record.action);
            let event = Event::InstancesDeleted {
                deletion_id: deletion.id,
                study_instance_uid: target.study_instance_uid.clone(),
                series_instance_uid: target.series_instance_uid.clone(),
                sop_instance_uid: target.sop_instance_uid.clone(),
            };
            insert_events(&mut tx, &[event]).await?;
        }
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(deletion)
    }
}

/// Keeps others from changing the study until the transaction ends, and looks for legal holds.
async fn lock(tx: &mut Tx, target: &DeletionTarget) -> Result<Study, DatabaseError> {
    const LOCK: &str = "UPDATE study SET review = review WHERE study_instance_uid = $1 \
        RETURNING id, patient, uploaded_by";
    const HOLDS: &str = "SELECT COUNT(*) FROM legal_hold WHERE patient = $1";
    let study: Option<Study> = on_tx!(tx, connection => sqlx::query_as(LOCK)
        .bind(&target.study_instance_uid)
        .fetch_optional(connection)
        .await?);
    let study = study.ok_or(DatabaseError::NotFound)?;
    let holds: i64 =
        on_tx!(tx, connection => sqlx::query_scalar(HOLDS).bind(study.patient).fetch_one(connection).await?);
    if holds > 0 {
        return Err(DatabaseError::Conflict("a legal hold keeps the study from being deleted".to_owned()));
    }
    Ok(study)
}

/// Whether the account is the one that it was when the deletion was asked for. Whoever asked may be able to make accounts and to set
/// passwords, and would be the second person, too.
async fn was_there(tx: &mut Tx, user_id: Uuid, asked_at: DateTime<Utc>) -> Result<bool, DatabaseError> {
    const SQL: &str = "SELECT COUNT(*) FROM users WHERE id = $1 AND updated_at <= $2";
    let unchanged: i64 = on_tx!(tx, connection =>
        sqlx::query_scalar(SQL).bind(user_id).bind(asked_at).fetch_one(connection).await?);
    Ok(unchanged > 0)
}

/// What is to be deleted, hidden versions too.
async fn instances(tx: &mut Tx, target: &DeletionTarget, study: Uuid) -> Result<Vec<Row>, DatabaseError> {
    const SQL: &str = "SELECT instance.id, instance.object_key, instance.object_seal \
        FROM series JOIN instance ON instance.series = series.id WHERE series.study = $1 \
        AND ($2 = '' OR series.series_instance_uid = $2) AND ($3 = '' OR instance.sop_instance_uid = $3)";
    let found: Vec<Row> = on_tx!(tx, connection => sqlx::query_as(SQL)
        .bind(study)
        .bind(target.series_instance_uid.as_deref().unwrap_or_default())
        .bind(target.sop_instance_uid.as_deref().unwrap_or_default())
        .fetch_all(connection)
        .await?);
    if found.is_empty() { Err(DatabaseError::NotFound) } else { Ok(found) }
}

/// The same deletion, asked for lately and not done.
async fn open_request(tx: &mut Tx, target: &DeletionTarget) -> Result<Option<Deletion>, DatabaseError> {
    let sql = format!(
        "{COLUMNS} WHERE study_instance_uid = $1 AND series_instance_uid = $2 AND sop_instance_uid = $3 \
         AND state = 'asked' AND asked_at > $4 ORDER BY id DESC LIMIT 1"
    );
    let since = tx.now - ASKED_FOR;
    Ok(on_tx!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&target.study_instance_uid)
        .bind(target.series_instance_uid.as_deref().unwrap_or_default())
        .bind(target.sop_instance_uid.as_deref().unwrap_or_default())
        .bind(since)
        .fetch_optional(connection)
        .await?))
}

async fn ask(
    tx: &mut Tx,
    target: &DeletionTarget,
    patient: Uuid,
    user_id: Uuid,
) -> Result<Deletion, DatabaseError> {
    const SQL: &str = "INSERT INTO deletion (id, patient, study_instance_uid, series_instance_uid, \
        sop_instance_uid, state, asked_by, asked_at, instances) VALUES ($1, $2, $3, $4, $5, 'asked', $6, $7, 0)";
    let (id, now) = (Uuid::now_v7(), tx.now);
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(id)
        .bind(patient)
        .bind(&target.study_instance_uid)
        .bind(target.series_instance_uid.as_deref().unwrap_or_default())
        .bind(target.sop_instance_uid.as_deref().unwrap_or_default())
        .bind(user_id)
        .bind(now)
        .execute(connection)
        .await
        .map(drop)?);
    by_id(tx, id).await
}

async fn by_id(tx: &mut Tx, id: Uuid) -> Result<Deletion, DatabaseError> {
    let sql = format!("{COLUMNS} WHERE id = $1");
    Ok(on_tx!(tx, connection =>
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(connection).await?))
}

/// Takes the rows out of the index; series and studies that are empty by it go, too.
async fn take(
    tx: &mut Tx,
    study: &Study,
    found: &[Row],
    (deletion, rules): (Uuid, DeletionRules),
) -> Result<(), DatabaseError> {
    // What the rows name in the moment they go: one may have been made since they were looked at.
    static PREVIEWS: Statement = Statement::new(
        "DELETE FROM preview WHERE instance IN (SELECT id FROM ROWS($1: id uuid) AS r) \
         RETURNING preview_key, thumbnail_key",
    );
    static INSTANCES: [Statement; 2] = [
        Statement::new(
            "DELETE FROM instance_header WHERE instance IN (SELECT id FROM ROWS($1: id uuid) AS r)",
        ),
        Statement::new("DELETE FROM instance WHERE id IN (SELECT id FROM ROWS($1: id uuid) AS r)"),
    ];
    let kept = found.iter().map(|row| {
        let key_id = uuid_value(patient_key_of(&row.object_seal));
        vec![uuid_value(row.id), key_id, uuid_value(row.object_key), bytes_value(&row.object_seal)]
    });
    let (sql, list) = (KEEP.on(tx.dialect()), rows(kept.collect()));
    on_tx!(tx, connection => sqlx::query(sql)
        .bind(list)
        .bind(deletion)
        .bind(study.uploaded_by)
        .execute(connection)
        .await
        .map(drop)?);
    let sql = KEEP_SAID.on(tx.dialect());
    let ids = uuid_rows(found.iter().map(|row| row.id));
    on_tx!(tx, connection => sqlx::query(sql).bind(&ids).execute(connection).await.map(drop)?);
    let after = tx.now + rules.preview_grace;
    let sql = PREVIEWS.on(tx.dialect());
    let previews: Vec<(Option<Uuid>, Option<Uuid>)> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(&ids).fetch_all(connection).await?);
    let previews: Vec<Uuid> =
        previews.into_iter().flat_map(|(large, small)| [large, small]).flatten().collect();
    drop_objects(tx, &previews, after).await?;
    for statement in &INSTANCES {
        let sql = statement.on(tx.dialect());
        on_tx!(tx, connection => sqlx::query(sql).bind(&ids).execute(connection).await.map(drop)?);
    }
    take_what_is_empty(tx, study.id, deletion).await
}

/// Series, and the study when nothing is left of it. Its links to consultations are remembered for the restoration of this deletion.
async fn take_what_is_empty(tx: &mut Tx, study: Uuid, deletion: Uuid) -> Result<(), DatabaseError> {
    const SERIES: &str = "DELETE FROM series WHERE study = $1 AND NOT EXISTS \
        (SELECT 1 FROM instance WHERE instance.series = series.id)";
    const LEFT: &str = "SELECT COUNT(*) FROM series WHERE study = $1";
    const REMEMBER: &str = "INSERT INTO remembered_link (consultation_id, study_instance_uid, linked_at, deletion) \
        SELECT link.consultation_id, study.study_instance_uid, link.linked_at, $2 FROM consultation_study link \
        JOIN study ON study.id = link.study WHERE study.id = $1 ON CONFLICT (consultation_id, study_instance_uid) \
        DO UPDATE SET linked_at = excluded.linked_at, deletion = excluded.deletion";
    const STUDY: [&str; 2] =
        ["DELETE FROM consultation_study WHERE study = $1", "DELETE FROM study WHERE id = $1"];
    on_tx!(tx, connection => sqlx::query(SERIES).bind(study).execute(connection).await.map(drop)?);
    let left: i64 =
        on_tx!(tx, connection => sqlx::query_scalar(LEFT).bind(study).fetch_one(connection).await?);
    if left > 0 {
        return Ok(());
    }
    on_tx!(tx, connection =>
        sqlx::query(REMEMBER).bind(study).bind(deletion).execute(connection).await.map(drop)?);
    for sql in STUDY {
        on_tx!(tx, connection => sqlx::query(sql).bind(study).execute(connection).await.map(drop)?);
    }
    Ok(())
}

async fn close(
    tx: &mut Tx,
    deletion: &Deletion,
    instances: usize,
    rules: DeletionRules,
    user_id: Uuid,
) -> Result<Deletion, DatabaseError> {
    const SQL: &str = "UPDATE deletion SET state = 'deleted', confirmed_by = $2, deleted_at = $3, \
        purge_after = $4, instances = $5 WHERE id = $1";
    let confirmed_by = (deletion.asked_by != user_id).then_some(user_id);
    let (now, until) = (tx.now, tx.now + rules.grace);
    on_tx!(tx, connection => sqlx::query(SQL)
        .bind(deletion.id)
        .bind(confirmed_by)
        .bind(now)
        .bind(until)
        .bind(i32::try_from(instances).unwrap_or(i32::MAX))
        .execute(connection)
        .await
        .map(drop)?);
    by_id(tx, deletion.id).await
}
