//! Changing a patient's key: what comes is sealed with the new one at once, what is there is sealed anew row by row.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{drop::drop_objects, gate::retire_keys, patient_key_of};
use crate::{Database, DatabaseError};

/// Which object of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedRowKind {
    /// The instance itself.
    Instance,
    /// Its preview.
    Preview,
    /// Its thumbnail.
    Thumbnail,
    /// The instance itself, after it was deleted and while it can be restored.
    Deleted,
}

impl SealedRowKind {
    fn statement(self) -> &'static str {
        match self {
            Self::Instance => {
                "UPDATE instance SET object_key = $3, object_seal = $4 WHERE id = $1 AND object_key = $2"
            }
            Self::Preview => {
                "UPDATE preview SET preview_key = $3, preview_seal = $4 WHERE instance = $1 AND preview_key = $2"
            }
            Self::Thumbnail => {
                "UPDATE preview SET thumbnail_key = $3, thumbnail_seal = $4 WHERE instance = $1 \
                 AND thumbnail_key = $2"
            }
            Self::Deleted => {
                "UPDATE deleted_instance SET object_key = $3, object_seal = $4, patient_key_id = $5 \
                 WHERE instance = $1 AND object_key = $2"
            }
        }
    }
}

/// An object of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The instance it belongs to.
    pub instance: Uuid,
    /// Which of its objects.
    pub kind: SealedRowKind,
    /// Its name in the object store.
    pub object_key: Uuid,
    /// What opens it.
    pub object_seal: Vec<u8>,
}

type Row = (Uuid, Uuid, Vec<u8>, Option<Uuid>, Option<Vec<u8>>, Option<Uuid>, Option<Vec<u8>>, bool);

impl Database {
    /// Patients after `after`, by id.
    pub async fn patients_after(&self, after: Uuid, limit: u32) -> Result<Vec<Uuid>, DatabaseError> {
        const SQL: &str = "SELECT id FROM patient WHERE id > $1 ORDER BY id LIMIT $2";
        Ok(on!(self, engine => sqlx::query_scalar(SQL)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&engine.read)
            .await?))
    }

    /// Gives a patient a new key for what comes; what is sealed with the others is to be sealed anew. False when there
    /// is no such patient, or it has no key.
    pub async fn begin_patient_rotation(&self, patient: Uuid, new_key: Uuid) -> Result<bool, DatabaseError> {
        const RETIRE: &str =
            "UPDATE patient_key SET state = 'retired' WHERE patient = $1 AND state = 'active'";
        const INSERT: &str = "INSERT INTO patient_key (key_id, patient, state, created_at) \
            VALUES ($1, $2, 'active', $3)";
        let mut tx = self.begin().await?;
        retire_keys(&mut tx).await?;
        let now = tx.now;
        let retired = on_tx!(tx, connection => sqlx::query(RETIRE)
            .bind(patient)
            .execute(connection)
            .await?
            .rows_affected());
        if retired == 0 {
            return Ok(false);
        }
        on_tx!(tx, connection => sqlx::query(INSERT)
            .bind(new_key)
            .bind(patient)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)?);
        self.commit(tx).await?;
        Ok(true)
    }

    /// A patient's active key, and those that are retired.
    pub async fn patient_keys(&self, patient: Uuid) -> Result<(Option<Uuid>, Vec<Uuid>), DatabaseError> {
        const SQL: &str =
            "SELECT key_id, state FROM patient_key WHERE patient = $1 ORDER BY created_at, key_id";
        let found: Vec<(Uuid, String)> =
            on!(self, engine => sqlx::query_as(SQL).bind(patient).fetch_all(&engine.read).await?);
        let active = found.iter().find(|(_, state)| state == "active").map(|(id, _)| *id);
        let retired = found.iter().filter(|(_, state)| state == "retired").map(|(id, _)| *id).collect();
        Ok((active, retired))
    }

    /// The objects of instances of a patient after `after`, by the instance's id; conflict versions and what can be
    /// restored, too.
    pub async fn sealed_rows(
        &self,
        patient: Uuid,
        after: Uuid,
        instances: u32,
    ) -> Result<Vec<SealedRow>, DatabaseError> {
        const SQL: &str = "SELECT * FROM (SELECT instance.id, instance.object_key, instance.object_seal, \
            preview.preview_key, preview.preview_seal, preview.thumbnail_key, preview.thumbnail_seal, \
            FALSE AS deleted FROM study \
            JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id \
            LEFT JOIN preview ON preview.instance = instance.id WHERE study.patient = $1 AND instance.id > $2 \
            UNION ALL SELECT gone.instance, gone.object_key, gone.object_seal, NULL, NULL, NULL, NULL, TRUE \
            FROM deleted_instance gone JOIN patient_key ON patient_key.key_id = gone.patient_key_id \
            WHERE patient_key.patient = $1 AND gone.instance > $2) AS kept ORDER BY id, deleted LIMIT $3";
        let found: Vec<Row> = on!(self, engine => sqlx::query_as(SQL)
            .bind(patient)
            .bind(after)
            .bind(i64::from(instances))
            .fetch_all(&engine.read)
            .await?);
        let mut rows = Vec::new();
        for (instance, object_key, object_seal, preview, preview_seal, thumbnail, thumbnail_seal, deleted) in
            found
        {
            let kind = if deleted { SealedRowKind::Deleted } else { SealedRowKind::Instance };
            let kinds = [
                (kind, Some(object_key), Some(object_seal)),
                (SealedRowKind::Preview, preview, preview_seal),
                (SealedRowKind::Thumbnail, thumbnail, thumbnail_seal),
            ];
            rows.extend(kinds.into_iter().filter_map(|(kind, object_key, object_seal)| {
                Some(SealedRow { instance, kind, object_key: object_key?, object_seal: object_seal? })
            }));
        }
        Ok(rows)
    }

    /// Puts an object that was sealed anew in the place of the one before, which is removed after `grace`. False when
    /// the row is gone or names another object by now: then the new one is not needed.
    pub async fn replace_object(
        &self,
        row: &SealedRow,
        object_key: Uuid,
        object_seal: &[u8],
        grace: TimeDelta,
    ) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        let sql = row.kind.statement();
        let changed = on_tx!(tx, connection => {
            let mut query = sqlx::query(sql).bind(row.instance).bind(row.object_key).bind(object_key).bind(object_seal);
            if row.kind == SealedRowKind::Deleted {
                query = query.bind(patient_key_of(object_seal));
            }
            query.execute(connection).await?.rows_affected()
        });
        if changed == 0 {
            return Ok(false);
        }
        let after = tx.now + grace;
        drop_objects(&mut tx, &[row.object_key], after).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Whether the object of an instance is sealed with this key.
    pub async fn is_key_in_use(&self, key_id: Uuid) -> Result<bool, DatabaseError> {
        const PATIENT: &str = "SELECT patient FROM patient_key WHERE key_id = $1";
        const PAGE: u32 = 256;
        let patient: Option<Uuid> = on!(self, engine =>
            sqlx::query_scalar(PATIENT).bind(key_id).fetch_optional(&engine.read).await?);
        let Some(patient) = patient else { return Ok(false) };
        let mut after = Uuid::nil();
        loop {
            let rows = self.sealed_rows(patient, after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(false) };
            after = last.instance;
            let of_key = |row: &SealedRow| {
                matches!(row.kind, SealedRowKind::Instance | SealedRowKind::Deleted)
                    && patient_key_of(&row.object_seal) == key_id
            };
            if rows.iter().any(of_key) {
                return Ok(true);
            }
        }
    }

    /// Nothing is sealed with a patient's retired keys any more: they are destroyed after `grace`.
    pub async fn drop_retired_keys(&self, patient: Uuid, grace: TimeDelta) -> Result<(), DatabaseError> {
        const SQL: &str = "UPDATE patient_key SET state = 'dropped', destroy_after = $2 WHERE patient = $1 AND state = 'retired'";
        let mut tx = self.begin().await?;
        let after = tx.now + grace;
        on_tx!(tx, connection => sqlx::query(SQL).bind(patient).bind(after).execute(connection).await.map(drop)?);
        self.commit(tx).await
    }
}
