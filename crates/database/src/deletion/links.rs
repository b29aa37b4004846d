//! Links of studies to consultations that outlive the rows of the study. They are put back under the condition under which somebody links a
//! study: who sent the study again may have found it under another patient.

use chrono::{DateTime, Utc};
use model::event::Event;
use uuid::Uuid;

use crate::{AuditActor, AuditRecord, DatabaseError, audit::insert_audit, engine::Tx, outbox::insert_events};

/// Links that are put back together.
const AT_ONCE: i64 = 500;

/// Which links are put back, and by which rule in the audit trail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Remembered<'a> {
    /// Of the index that was removed to be made again; not those that a deletion took.
    Index,
    /// Of the study with this UID.
    Study(&'a str),
}

/// What was put back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PutBack {
    /// Links that could be; none when all are done.
    pub(crate) found: usize,
    /// Those of them that were not there.
    pub(crate) linked: u64,
}

#[derive(sqlx::FromRow)]
struct Link {
    consultation_id: Uuid,
    study: Uuid,
    study_instance_uid: String,
    linked_at: DateTime<Utc>,
}

/// Puts some links back, with their events and records.
pub(crate) async fn put_back(
    tx: &mut Tx,
    which: Remembered<'_>,
    actor: &AuditActor,
) -> Result<PutBack, DatabaseError> {
    const FIND: &str = "SELECT link.consultation_id, study.id AS study, link.study_instance_uid, link.linked_at \
        FROM remembered_link link JOIN study ON study.study_instance_uid = link.study_instance_uid \
        JOIN patient ON patient.id = study.patient JOIN consultation ON consultation.id = link.consultation_id \
        WHERE (link.study_instance_uid = $1 OR ($1 = '' AND link.deletion IS NULL)) \
        AND patient.patient_id <> '' AND patient.patient_id = consultation.patient_id \
        AND consultation.issuer_of_patient_id IN ('', patient.issuer_of_patient_id) \
        ORDER BY link.study_instance_uid, link.consultation_id LIMIT $2";
    const LINK: &str = "INSERT INTO consultation_study (consultation_id, study, linked_at) \
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    const FORGET: &str = "DELETE FROM remembered_link WHERE consultation_id = $1 AND study_instance_uid = $2";
    let (study, rule) = match which {
        Remembered::Index => ("", "reindex"),
        Remembered::Study(study) => (study, "restore"),
    };
    let links: Vec<Link> = on_tx!(tx, connection =>
        sqlx::query_as(FIND).bind(study).bind(AT_ONCE).fetch_all(connection).await?);
    let found = links.len();
    let (mut events, mut records) = (Vec::new(), Vec::new());
    for link in links {
        let linked = on_tx!(tx, connection => sqlx::query(LINK)
            .bind(link.consultation_id)
            .bind(link.study)
            .bind(link.linked_at)
            .execute(connection)
            .await?
            .rows_affected());
        on_tx!(tx, connection => sqlx::query(FORGET)
            .bind(link.consultation_id)
            .bind(&link.study_instance_uid)
            .execute(connection)
            .await
            .map(drop)?);
        if linked == 0 {
            continue;
        }
        let (consultation_id, study_instance_uid) = (link.consultation_id, link.study_instance_uid);
        let record = AuditRecord::success(actor, "link_study")
            .of_consultation(consultation_id)
            .of_study(&study_instance_uid)
            .about(consultation_id)
            .by_rule(rule);
        records.push(record);
        events.push(Event::StudyLinked { consultation_id, study_instance_uid });
    }
    insert_events(tx, &events).await?;
    insert_audit(tx, &records).await?;
    Ok(PutBack { found, linked: events.len() as u64 })
}

/// Forgets the links that a deletion took, and those of the study that nobody knows the deletion of: a study that comes later under its UID
/// is another one.
pub(super) async fn forget_links(
    tx: &mut Tx,
    study_instance_uid: &str,
    deletion: Uuid,
) -> Result<(), DatabaseError> {
    const SQL: &str = "DELETE FROM remembered_link WHERE study_instance_uid = $1 \
        AND (deletion = $2 OR deletion IS NULL)";
    on_tx!(tx, connection =>
        sqlx::query(SQL).bind(study_instance_uid).bind(deletion).execute(connection).await.map(drop)?);
    Ok(())
}
