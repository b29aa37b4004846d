//! PS3.4 Annex F, performed procedure steps: kept as modalities say them; what is scheduled follows.

mod read;

use std::collections::BTreeSet;

use model::{
    event::{CompletedBy, Event},
    performed_step::{PerformedStep, PerformedStepStatus},
    worklist::StepStatus,
};
use serde_json::Value;
use uuid::Uuid;

pub use self::read::{PerformedStepFilter, PerformedStepRow};
use crate::{
    AuditActor, AuditRecord, Database, DatabaseError,
    advisory_lock::lock,
    audit::insert_audit,
    availability::owe_notices,
    engine::Tx,
    outbox::insert_events,
    statement::{Statement, rows, uuid_value},
    text::{clean, index_text},
    worklist::{Sign, follow},
};

static SCHEDULED: Statement = Statement::new(
    "INSERT INTO performed_step_schedule (performed_step, number, study_instance_uid, accession_number, step_id) \
     SELECT performed_step, r_number, study_instance_uid, accession_number, step_id \
     FROM ROWS($1: performed_step uuid, r_number integer, study_instance_uid text, accession_number text, \
     step_id text) AS r WHERE true",
);

impl Database {
    /// Keeps a new step; false when its SOP Instance UID is taken. The scheduled steps that it performs are under way.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn create_performed_step(
        &self,
        step: &PerformedStep,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "INSERT INTO performed_step (id, sop_instance_uid, ae_title, status, modality, patient_id, \
            issuer_of_patient_id, attributes, version, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $9) ON CONFLICT DO NOTHING";
        let mut tx = self.begin().await?;
        let (id, now) = (Uuid::now_v7(), tx.now);
        let inserted = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(step.sop_instance_uid.as_str())
            .bind(step.ae_title.as_str())
            .bind(step.status.as_str())
            .bind(index_text(&step.modality))
            .bind(index_text(&step.patient_id))
            .bind(index_text(&step.issuer_of_patient_id))
            .bind(clean(&step.attributes))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if inserted == 0 {
            return Ok(false);
        }
        let list = step.scheduled.iter().zip(1_i32..).map(|(one, number)| {
            vec![
                uuid_value(id),
                Value::from(number),
                Value::from(one.study_instance_uid.as_str()),
                Value::from(index_text(&one.accession_number)),
                Value::from(index_text(&one.step_id)),
            ]
        });
        let (sql, list) = (SCHEDULED.on(tx.dialect()), rows(list.collect()));
        on_tx!(tx, connection => sqlx::query(sql).bind(list).execute(connection).await.map(drop)?);
        settle(&mut tx, step, "create_performed_step", actor).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Replaces what a step says, status and attributes, when it is still at its version; false when it is not.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn update_performed_step(
        &self,
        step: &PerformedStep,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "UPDATE performed_step SET status = $2, attributes = $3, version = version + 1, \
            updated_at = $4 WHERE sop_instance_uid = $1 AND version = $5 AND status = 'IN PROGRESS'";
        let mut tx = self.begin().await?;
        let now = tx.now;
        let updated = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(step.sop_instance_uid.as_str())
            .bind(step.status.as_str())
            .bind(clean(&step.attributes))
            .bind(now)
            .bind(step.version)
            .execute(connection)
            .await?
            .rows_affected());
        if updated == 0 {
            return Ok(false);
        }
        settle(&mut tx, step, "update_performed_step", actor).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}

/// Whether a step of a study was completed, and none of it is scheduled or under way any more.
async fn is_completed(tx: &mut Tx, study_instance_uid: &str) -> Result<bool, DatabaseError> {
    const SQL: &str = "SELECT \
        (SELECT COUNT(*) FROM worklist_step s JOIN worklist_item i ON i.id = s.item \
        WHERE i.study_instance_uid = $1 AND s.open), \
        (SELECT COUNT(*) FROM performed_step p JOIN performed_step_schedule r ON r.performed_step = p.id \
        WHERE r.study_instance_uid = $1 AND p.status = 'IN PROGRESS'), \
        (SELECT COUNT(*) FROM performed_step p JOIN performed_step_schedule r ON r.performed_step = p.id \
        WHERE r.study_instance_uid = $1 AND p.status = 'COMPLETED')";
    let (scheduled, under_way, completed): (i64, i64, i64) = on_tx!(tx, connection =>
        sqlx::query_as(SQL).bind(study_instance_uid).fetch_one(connection).await?);
    Ok(scheduled == 0 && under_way == 0 && completed > 0)
}

/// The worklist follows, listeners hear when a study is done, and the trail has it.
async fn settle(
    tx: &mut Tx,
    step: &PerformedStep,
    action: &str,
    actor: &AuditActor,
) -> Result<(), DatabaseError> {
    let status = match step.status {
        PerformedStepStatus::InProgress => StepStatus::Started,
        PerformedStepStatus::Completed => StepStatus::Completed,
        PerformedStepStatus::Discontinued => StepStatus::Discontinued,
    };
    let signs = step.scheduled.iter().map(|scheduled| Sign {
        new_study: None,
        study_instance_uid: scheduled.study_instance_uid.as_str(),
        accession_number: &scheduled.accession_number,
        patient_id: &step.patient_id,
        issuer_of_patient_id: &step.issuer_of_patient_id,
        modality: &step.modality,
        step_id: &scheduled.step_id,
        status,
        seen: "the modality said so",
        actor,
    });
    follow(tx, &signs.collect::<Vec<_>>()).await?;
    if step.status.is_final() {
        let studies: BTreeSet<&str> =
            step.scheduled.iter().map(|one| one.study_instance_uid.as_str()).collect();
        for study in studies {
            // Of two steps that end at the same time each would find the other one under way.
            lock(tx, &format!("study {study}")).await?;
            if is_completed(tx, study).await? {
                insert_events(
                    tx,
                    &[Event::StudyCompleted {
                        study_instance_uid: study.to_owned(),
                        completed_by: CompletedBy::PerformedStep,
                    }],
                )
                .await?;
                owe_notices(tx, &BTreeSet::from([study])).await?;
            }
        }
    }
    let mut record =
        AuditRecord::success(actor, action).about(&step.sop_instance_uid).saying(step.status.as_str());
    if let Some(scheduled) = step.scheduled.first() {
        record = record.of_study(&scheduled.study_instance_uid);
    }
    insert_audit(tx, &[record]).await
}
