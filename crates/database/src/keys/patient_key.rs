//! Which patient key serves whom. The keys themselves are in the object store.

use model::{StudyInstanceUid, event::Event, instance::PatientAttributes};
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, audit::insert_audit, ingest::demographics,
    outbox::insert_events, preview::study_of, statement::Statement,
};

/// The study's patient first, then the one with exactly these demographics: what a new study joins.
static ACTIVE: Statement = Statement::new(
    "SELECT k.key_id FROM study s JOIN patient_key k ON k.patient = s.patient AND k.state = 'active' \
     WHERE s.study_instance_uid = $1 \
     UNION ALL SELECT k.key_id FROM patient_demographics d \
     JOIN patient_key k ON k.patient = d.patient AND k.state = 'active' \
     WHERE d.patient_id = $2 AND d.issuer_of_patient_id = $3 AND d.patient_name_folded = $4 \
     AND d.patient_birth_date = $5 AND d.patient_sex = $6 AND d.patient_id <> '' \
     AND NOT EXISTS (SELECT 1 FROM study s WHERE s.study_instance_uid = $1) LIMIT 1",
);

impl Database {
    /// The key that an instance of this study and patient is to be sealed with; `None` when it gets a new one. Only a
    /// guess: storing the instance tells whether it was right.
    pub async fn patient_key_for(
        &self,
        study: &StudyInstanceUid,
        patient: &PatientAttributes,
    ) -> Result<Option<Uuid>, DatabaseError> {
        let sql = ACTIVE.on(self.dialect());
        let of = demographics(patient);
        Ok(on!(self, engine => sqlx::query_scalar(sql)
            .bind(study.as_str())
            .bind(&of.patient_id)
            .bind(&of.issuer_of_patient_id)
            .bind(&of.patient_name_folded)
            .bind(&of.patient_birth_date)
            .bind(&of.patient_sex)
            .fetch_optional(&engine.read)
            .await?))
    }

    /// Tells that an object of an instance is not what was stored: event and audit record.
    pub async fn record_altered_object(&self, instance_id: Uuid, object: &str) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        let study_instance_uid = study_of(&mut tx, instance_id).await?;
        let actor = AuditActor { role: "archive".to_owned(), ..AuditActor::default() };
        let mut record = AuditRecord::success(&actor, "find_altered_object")
            .about(instance_id)
            .of_study(&study_instance_uid);
        object.clone_into(&mut record.detail);
        let event =
            Event::ObjectAltered { xray_id: instance_id, study_instance_uid, object: object.to_owned() };
        insert_events(&mut tx, &[event]).await?;
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await
    }
}
