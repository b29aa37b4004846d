//! Items are made, replaced and removed.

use model::{
    access::{Extent, Scope},
    worklist::{WorklistItem, WorklistOrder},
};
use serde_json::Value;
use uuid::Uuid;

use super::catch_up::{FIRST_OF_REACH, catch_up, lock_patient};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    statement::{Statement, rows, uuid_value},
    text::{index_fold, index_fold_person_name, index_text},
};

static STEPS: Statement = Statement::new(
    "INSERT INTO worklist_step (item, number, step_id, step_id_folded, station_ae_title, station_name, location, \
     modality, start_date, start_time, performing_physician_name, performing_physician_name_folded, description, \
     status, open) \
     SELECT item, r_number, step_id, step_id_folded, station_ae_title, station_name, location, modality, start_date, \
     start_time, physician, physician_folded, description, status, r_open \
     FROM ROWS($1: item uuid, r_number integer, step_id text, step_id_folded text, station_ae_title text, \
     station_name text, location text, modality text, start_date text, start_time text, physician text, \
     physician_folded text, description text, status text, r_open boolean) AS r WHERE true",
);

fn step_rows(item: Uuid, order: &WorklistOrder) -> String {
    let text = |value: &str| Value::from(index_text(value));
    let list = order.steps.iter().zip(1_i32..).map(|(step, number)| {
        vec![
            uuid_value(item),
            Value::from(number),
            text(&step.step_id),
            Value::from(index_fold(&step.step_id)),
            text(step.station_ae_title.as_str()),
            text(&step.station_name),
            text(&step.location),
            text(&step.modality),
            text(&step.start_date),
            text(&step.start_time),
            text(&step.performing_physician_name),
            Value::from(index_fold_person_name(&step.performing_physician_name)),
            text(&step.description),
            Value::from(step.status.as_str()),
            Value::from(step.status.is_open()),
        ]
    });
    rows(list.collect())
}

async fn insert_steps(tx: &mut Tx, item: Uuid, order: &WorklistOrder) -> Result<(), DatabaseError> {
    let (sql, list) = (STEPS.on(tx.dialect()), step_rows(item, order));
    on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
    Ok(())
}

/// Binds what an item says, in the order of the columns from `study_instance_uid` to `consultation_id`.
macro_rules! bind_order {
    ($query:expr, $order:expr) => {{
        let order: &WorklistOrder = $order;
        $query
            .bind(order.study_instance_uid.as_str())
            .bind(index_text(&order.accession_number))
            .bind(index_fold(&order.accession_number))
            .bind(index_text(&order.requested_procedure_id))
            .bind(index_fold(&order.requested_procedure_id))
            .bind(index_text(&order.requested_procedure_description))
            .bind(index_text(&order.requesting_physician))
            .bind(index_text(&order.referring_physician_name))
            .bind(index_text(&order.patient_id))
            .bind(index_fold(&order.patient_id))
            .bind(index_text(&order.issuer_of_patient_id))
            .bind(index_text(&order.patient_name))
            .bind(index_fold_person_name(&order.patient_name))
            .bind(index_text(&order.patient_birth_date))
            .bind(index_text(&order.patient_sex))
            .bind(order.consultation_id)
    }};
}

fn taken(error: DatabaseError) -> DatabaseError {
    if error.is_unique_violation() {
        return DatabaseError::Conflict("the Study Instance UID is in the worklist".to_owned());
    }
    error
}

impl Database {
    /// Whether an order may be put into the worklist: its consultation is there, in reach, and of the same patient. Who
    /// does not reach everything has to name one.
    async fn check_order(&self, scope: &Scope, order: &WorklistOrder) -> Result<(), DatabaseError> {
        let Some(id) = order.consultation_id else {
            return match scope.extent() {
                Extent::Everything => Ok(()),
                _ => Err(DatabaseError::Conflict("name the consultation that it is for".to_owned())),
            };
        };
        let consultation = self.consultation(scope, id).await?.ok_or(DatabaseError::NotFound)?;
        let same_patient = consultation.patient_id == order.patient_id
            && (consultation.issuer_of_patient_id.is_empty()
                || consultation.issuer_of_patient_id == order.issuer_of_patient_id);
        if same_patient {
            return Ok(());
        }
        Err(DatabaseError::Conflict("the consultation is of another patient".to_owned()))
    }

    /// Puts an order into the worklist. Images that are here already count as if they came now.
    ///
    /// # Errors
    /// [`DatabaseError::NotFound`] when its consultation is not in reach, [`DatabaseError::Conflict`] when that is of
    /// another patient or the Study Instance UID is there already.
    pub async fn create_worklist_item(
        &self,
        scope: &Scope,
        order: WorklistOrder,
        actor: &AuditActor,
    ) -> Result<WorklistItem, DatabaseError> {
        const SQL: &str = "INSERT INTO worklist_item (study_instance_uid, accession_number, accession_number_folded, \
            requested_procedure_id, requested_procedure_id_folded, requested_procedure_description, \
            requesting_physician, referring_physician_name, patient_id, patient_id_folded, issuer_of_patient_id, \
            patient_name, patient_name_folded, patient_birth_date, patient_sex, consultation_id, \
            id, version, created_by, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1, $18, $19, $19)";
        self.check_order(scope, &order).await?;
        let reach = self.study_reach(scope, FIRST_OF_REACH).await?;
        let mut tx = self.begin().await?;
        lock_patient(&mut tx, &order).await?;
        let (id, now) = (Uuid::now_v7(), tx.now);
        let inserted: Result<(), DatabaseError> = on_tx!(tx, connection => bind_order!(sqlx::query(SQL), &order)
            .bind(id)
            .bind(actor.user_id)
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        inserted.map_err(taken)?;
        insert_steps(&mut tx, id, &order).await?;
        insert_audit(&mut tx, &[record(actor, "create_worklist_item", id, &order)]).await?;
        catch_up(&mut tx, id, &order, &reach, actor).await?;
        self.commit(tx).await?;
        let item = self.worklist_item(scope, id).await?;
        item.ok_or(DatabaseError::NotFound)
    }

    /// Replaces what an item says; `None` when it is not at `expected_version` any more. Images that are here already count when it
    /// names others than before, or another consultation.
    ///
    /// # Errors
    /// As [`Self::create_worklist_item`]; [`DatabaseError::NotFound`] also when the item is not in reach.
    pub async fn replace_worklist_item(
        &self,
        scope: &Scope,
        id: Uuid,
        expected_version: i64,
        order: WorklistOrder,
        actor: &AuditActor,
    ) -> Result<Option<WorklistItem>, DatabaseError> {
        const SQL: &str = "UPDATE worklist_item SET study_instance_uid = $1, accession_number = $2, \
            accession_number_folded = $3, requested_procedure_id = $4, requested_procedure_id_folded = $5, \
            requested_procedure_description = $6, requesting_physician = $7, referring_physician_name = $8, \
            patient_id = $9, patient_id_folded = $10, issuer_of_patient_id = $11, patient_name = $12, \
            patient_name_folded = $13, patient_birth_date = $14, patient_sex = $15, consultation_id = $16, \
            version = version + 1, updated_at = $17 WHERE id = $18 AND version = $19";
        let before = self.worklist_item(scope, id).await?.ok_or(DatabaseError::NotFound)?;
        self.check_order(scope, &order).await?;
        let others = before.version != expected_version || names(&before.order) != names(&order);
        let reach = self.study_reach(scope, FIRST_OF_REACH).await?;
        let mut tx = self.begin().await?;
        if others {
            lock_patient(&mut tx, &order).await?;
        }
        let now = tx.now;
        let changed: Result<u64, DatabaseError> = on_tx!(tx, connection => bind_order!(sqlx::query(SQL), &order)
            .bind(now)
            .bind(id)
            .bind(expected_version)
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(DatabaseError::from));
        if changed.map_err(taken)? == 0 {
            return Ok(None);
        }
        on_tx!(tx, connection => sqlx::query("DELETE FROM worklist_step WHERE item = $1")
            .bind(id)
            .execute(connection)
            .await
            .map(drop)?);
        insert_steps(&mut tx, id, &order).await?;
        insert_audit(&mut tx, &[record(actor, "update_worklist_item", id, &order)]).await?;
        if others {
            catch_up(&mut tx, id, &order, &reach, actor).await?;
        }
        self.commit(tx).await?;
        self.worklist_item(scope, id).await
    }

    /// Removes an item; false when it is not in reach.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn delete_worklist_item(
        &self,
        scope: &Scope,
        id: Uuid,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        let Some(item) = self.worklist_item(scope, id).await? else { return Ok(false) };
        let mut tx = self.begin().await?;
        let removed = on_tx!(tx, connection => sqlx::query("DELETE FROM worklist_item WHERE id = $1")
            .bind(id)
            .execute(connection)
            .await?
            .rows_affected());
        if removed == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[record(actor, "delete_worklist_item", id, &item.order)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}

/// Which images an order is about, and to what they are linked.
fn names(order: &WorklistOrder) -> ([&str; 4], Option<Uuid>) {
    let study = order.study_instance_uid.as_str();
    let texts: [&str; 4] = [study, &order.accession_number, &order.patient_id, &order.issuer_of_patient_id];
    (texts, order.consultation_id)
}

fn record(actor: &AuditActor, action: &str, id: Uuid, order: &WorklistOrder) -> AuditRecord {
    let record = AuditRecord::success(actor, action).about(id).of_study(&order.study_instance_uid);
    AuditRecord { consultation_id: order.consultation_id, ..record }
}
