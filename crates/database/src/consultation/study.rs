//! Which studies belong to a consultation.

use chrono::{DateTime, Utc};
use model::{
    StudyInstanceUid,
    access::Scope,
    clinical::{Consultation, ConsultationStatus},
    event::Event,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, Database, DatabaseError, SearchRow, audit::insert_audit, engine::Tx,
    outbox::insert_events, scope::Reach, search,
};

/// A consultation that did not take place has no studies.
const ENDED_UNHELD: [ConsultationStatus; 2] = [ConsultationStatus::Cancelled, ConsultationStatus::NoShow];

/// What became of linking a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutcome {
    /// It is linked now.
    Linked,
    /// It was linked already.
    AlreadyLinked,
    /// No such consultation in reach, or it did not take place.
    ConsultationNotFound,
    /// No such study in reach.
    StudyNotFound,
    /// The study is of another patient than the consultation.
    PatientDiffers,
}

/// A study of a consultation.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedStudy {
    /// The study.
    pub study: SearchRow,
    /// When it was linked.
    pub linked_at: DateTime<Utc>,
}

/// A consultation that takes studies, and which ones whoever links may see.
pub(crate) struct LinkTo {
    consultation: Consultation,
    reach: Reach,
}

#[derive(sqlx::FromRow)]
struct Candidate {
    id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
}

impl Database {
    /// Links a study to a consultation of the same patient.
    pub async fn link_study(
        &self,
        scope: &Scope,
        consultation_id: Uuid,
        study_instance_uid: &StudyInstanceUid,
        actor: &AuditActor,
    ) -> Result<LinkOutcome, DatabaseError> {
        let Some(to) = self.link_to(scope, consultation_id).await? else {
            return Ok(LinkOutcome::ConsultationNotFound);
        };
        let mut tx = self.begin().await?;
        let outcome = to.link(&mut tx, study_instance_uid).await?;
        if outcome == LinkOutcome::Linked {
            insert_audit(&mut tx, &[to.record(study_instance_uid, actor)]).await?;
            self.commit(tx).await?;
        }
        Ok(outcome)
    }

    /// The consultation, when it is in reach and takes studies.
    pub(crate) async fn link_to(
        &self,
        scope: &Scope,
        consultation_id: Uuid,
    ) -> Result<Option<LinkTo>, DatabaseError> {
        let consultation = match self.consultation(scope, consultation_id).await? {
            Some(found) if !ENDED_UNHELD.contains(&found.status) => found,
            _ => return Ok(None),
        };
        let reach = self.study_reach(scope, 2).await?;
        Ok(Some(LinkTo { consultation, reach }))
    }

    /// Unlinks a study; false when it was not linked to a consultation in reach.
    pub async fn unlink_study(
        &self,
        scope: &Scope,
        consultation_id: Uuid,
        study_instance_uid: &StudyInstanceUid,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "DELETE FROM consultation_study WHERE consultation_id = $1 \
            AND study = (SELECT id FROM study WHERE study_instance_uid = $2)";
        if self.consultation(scope, consultation_id).await?.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        let unlinked = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(consultation_id)
            .bind(study_instance_uid.as_str())
            .execute(connection)
            .await?
            .rows_affected());
        if unlinked == 0 {
            return Ok(false);
        }
        let uid = study_instance_uid.to_string();
        insert_events(&mut tx, &[Event::StudyUnlinked { consultation_id, study_instance_uid: uid }]).await?;
        let record = AuditRecord::success(actor, "unlink_study")
            .of_consultation(consultation_id)
            .of_study(study_instance_uid)
            .about(consultation_id);
        insert_audit(&mut tx, &[record]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// The studies of a consultation that are in reach, the newest link first; none when it is not itself.
    pub async fn linked_studies(
        &self,
        scope: &Scope,
        consultation_id: Uuid,
    ) -> Result<Vec<LinkedStudy>, DatabaseError> {
        let own = self.consultation_reach(scope, 2);
        let reach = self.study_reach(scope, own.next_parameter()).await?;
        let sql = AssertSqlSafe(format!(
            "SELECT link.study, link.linked_at FROM consultation_study link JOIN study ON study.id = link.study \
             WHERE link.consultation_id = $1 AND EXISTS (SELECT 1 FROM consultation WHERE id = $1{}){} \
             ORDER BY link.linked_at DESC, link.study DESC",
            own.sql, reach.sql
        ));
        let links: Vec<(Uuid, DateTime<Utc>)> = on!(self, engine => {
            let query = bind_reach!(sqlx::query_as(sql).bind(consultation_id), own);
            bind_reach!(query, reach).fetch_all(&engine.read).await?
        });
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = links.iter().map(|(study, _)| *study).collect();
        let mut studies = search::studies_by_id(self, &ids).await?;
        Ok(links
            .into_iter()
            .filter_map(|(id, linked_at)| studies.remove(&id).map(|study| LinkedStudy { study, linked_at }))
            .collect())
    }
}

impl LinkTo {
    /// Links a study of the same patient. Its record is the caller's to write.
    pub(crate) async fn link(
        &self,
        tx: &mut Tx,
        study_instance_uid: &StudyInstanceUid,
    ) -> Result<LinkOutcome, DatabaseError> {
        const SQL: &str = "INSERT INTO consultation_study (consultation_id, study, linked_at) \
            VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let Self { consultation, reach } = self;
        let Some(study) = study_in_reach(tx, reach, study_instance_uid).await? else {
            return Ok(LinkOutcome::StudyNotFound);
        };
        let same_patient = !study.patient_id.is_empty()
            && study.patient_id == consultation.patient_id
            && (consultation.issuer_of_patient_id.is_empty()
                || consultation.issuer_of_patient_id == study.issuer_of_patient_id);
        if !same_patient {
            return Ok(LinkOutcome::PatientDiffers);
        }
        let now = tx.now;
        let linked = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(consultation.id)
            .bind(study.id)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected());
        if linked == 0 {
            return Ok(LinkOutcome::AlreadyLinked);
        }
        let (consultation_id, uid) = (consultation.id, study_instance_uid.to_string());
        insert_events(tx, &[Event::StudyLinked { consultation_id, study_instance_uid: uid }]).await?;
        Ok(LinkOutcome::Linked)
    }

    /// That a study was linked.
    pub(crate) fn record(&self, study_instance_uid: &StudyInstanceUid, actor: &AuditActor) -> AuditRecord {
        AuditRecord::success(actor, "link_study")
            .of_consultation(self.consultation.id)
            .of_study(study_instance_uid)
            .about(self.consultation.id)
    }
}

/// The study and whose it is, when it is in reach.
async fn study_in_reach(
    tx: &mut Tx,
    reach: &Reach,
    study_instance_uid: &StudyInstanceUid,
) -> Result<Option<Candidate>, DatabaseError> {
    let sql = AssertSqlSafe(format!(
        "SELECT study.id, patient.patient_id, patient.issuer_of_patient_id FROM study \
         JOIN patient ON patient.id = study.patient WHERE study.study_instance_uid = $1{}",
        reach.sql
    ));
    Ok(on_tx!(tx, connection => {
        let query = sqlx::query_as(sql).bind(study_instance_uid.as_str());
        bind_reach!(query, reach).fetch_optional(connection).await?
    }))
}
