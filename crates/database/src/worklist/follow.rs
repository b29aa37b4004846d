//! The worklist follows images and modalities: when a series of a scheduled study comes, its step is under way, and its study
//! belongs to the consultation that it was ordered for; what a modality says of a step is so. In the transaction of what is
//! followed.

use model::{clinical::ConsultationStatus, event::Event, worklist::StepStatus};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    outbox::insert_events,
    statement::{Statement, rows},
};

static FIND: Statement = Statement::new(
    "SELECT r.n, i.id, i.consultation_id, i.patient_id, i.issuer_of_patient_id \
     FROM ROWS($1: n integer, study text, accession text) AS r \
     JOIN worklist_item i ON i.study_instance_uid = r.study \
     UNION SELECT r.n, i.id, i.consultation_id, i.patient_id, i.issuer_of_patient_id \
     FROM ROWS($1: n integer, study text, accession text) AS r \
     JOIN worklist_item i ON i.accession_number = r.accession AND i.accession_number <> ''",
);

/// A sign of what becomes of a scheduled step: a series that has just been made, or a modality's word.
pub(crate) struct Sign<'a> {
    /// `study.id` of a series.
    pub(crate) study: Option<Uuid>,
    /// Study Instance UID (0020,000D).
    pub(crate) study_instance_uid: &'a str,
    /// Accession Number (0008,0050).
    pub(crate) accession_number: &'a str,
    /// Patient ID (0010,0020).
    pub(crate) patient_id: &'a str,
    /// Issuer of Patient ID (0010,0021).
    pub(crate) issuer_of_patient_id: &'a str,
    /// Modality (0008,0060).
    pub(crate) modality: &'a str,
    /// Scheduled Procedure Step ID (0040,0009) of its Request Attributes Sequence; empty when it has none.
    pub(crate) step_id: &'a str,
    /// Where the step stands by it.
    pub(crate) status: StepStatus,
    /// How that is known, for the audit trail.
    pub(crate) seen: &'static str,
    /// Who sent it.
    pub(crate) actor: &'a AuditActor,
}

impl Sign<'_> {
    /// Images of another patient under a scheduled UID are somebody's mistake: nothing follows them.
    fn is_of(&self, patient_id: &str, issuer_of_patient_id: &str) -> bool {
        !patient_id.is_empty()
            && self.patient_id == patient_id
            && (issuer_of_patient_id.is_empty() || self.issuer_of_patient_id == issuer_of_patient_id)
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    n: i32,
    id: Uuid,
    consultation_id: Option<Uuid>,
    patient_id: String,
    issuer_of_patient_id: String,
}

/// Follows signs.
pub(crate) async fn follow(tx: &mut Tx, signs: &[Sign<'_>]) -> Result<(), DatabaseError> {
    if signs.is_empty() {
        return Ok(());
    }
    let list = signs.iter().zip(0_i32..).map(|(one, n)| {
        vec![Value::from(n), Value::from(one.study_instance_uid), Value::from(one.accession_number)]
    });
    let (sql, list) = (FIND.on(tx.dialect()), rows(list.collect()));
    let mut found: Vec<Found> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?);
    // Nodes go about it in the same order.
    found.sort_by_key(|found| found.id);
    for item in found {
        let sign = usize::try_from(item.n).ok().and_then(|n| signs.get(n));
        let Some(sign) = sign.filter(|one| one.is_of(&item.patient_id, &item.issuer_of_patient_id)) else {
            continue;
        };
        move_steps(tx, item.id, sign).await?;
        if let (Some(consultation), Some(study)) = (item.consultation_id, sign.study) {
            link(tx, consultation, study, sign).await?;
        }
    }
    Ok(())
}

/// The step that is named, else those of the modality, else the only one that there is.
async fn move_steps(tx: &mut Tx, item: Uuid, sign: &Sign<'_>) -> Result<(), DatabaseError> {
    const MOVE: &str = "UPDATE worklist_step SET status = $4, open = $5 \
        WHERE item = $1 AND open AND status <> $4 AND (step_id = $2 OR ($2 = '' AND modality = $3) \
        OR (SELECT COUNT(*) FROM worklist_step other WHERE other.item = $1) = 1)";
    let moved = on_tx!(tx, connection => sqlx::query(MOVE)
        .bind(item)
        .bind(sign.step_id)
        .bind(sign.modality)
        .bind(sign.status.as_str())
        .bind(sign.status.is_open())
        .execute(connection)
        .await?
        .rows_affected());
    if moved == 0 {
        return Ok(());
    }
    touch(tx, item).await?;
    let record = AuditRecord::success(sign.actor, "move_worklist_step")
        .about(item)
        .of_study(sign.study_instance_uid)
        .saying(format!("{}: {}", sign.status.as_str(), sign.seen));
    insert_audit(tx, &[record]).await
}

/// Whoever has read the item has read what is not so any more.
async fn touch(tx: &mut Tx, item: Uuid) -> Result<(), DatabaseError> {
    const SQL: &str = "UPDATE worklist_item SET version = version + 1, updated_at = $2 WHERE id = $1";
    let now = tx.now;
    on_tx!(tx, connection => sqlx::query(SQL).bind(item).bind(now).execute(connection).await.map(drop)?);
    Ok(())
}

async fn link(tx: &mut Tx, consultation_id: Uuid, study: Uuid, sign: &Sign<'_>) -> Result<(), DatabaseError> {
    const READ: &str = "SELECT status, patient_id, issuer_of_patient_id FROM consultation WHERE id = $1";
    const LINK: &str = "INSERT INTO consultation_study (consultation_id, study, linked_at) \
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let found: Option<(String, String, String)> = on_tx!(tx, connection =>
        sqlx::query_as(READ).bind(consultation_id).fetch_optional(connection).await?);
    let held = found.is_some_and(|(status, patient_id, issuer)| {
        let status = status.parse::<ConsultationStatus>().ok();
        let unheld = [ConsultationStatus::Cancelled, ConsultationStatus::NoShow];
        status.is_some_and(|status| !unheld.contains(&status)) && sign.is_of(&patient_id, &issuer)
    });
    if !held {
        return Ok(());
    }
    let now = tx.now;
    let linked = on_tx!(tx, connection => sqlx::query(LINK)
        .bind(consultation_id)
        .bind(study)
        .bind(now)
        .execute(connection)
        .await?
        .rows_affected());
    if linked == 0 {
        return Ok(());
    }
    let study_instance_uid = sign.study_instance_uid.to_owned();
    insert_events(tx, &[Event::StudyLinked { consultation_id, study_instance_uid }]).await?;
    let record = AuditRecord::success(sign.actor, "link_study")
        .of_consultation(consultation_id)
        .of_study(sign.study_instance_uid)
        .about(consultation_id)
        .by_rule("worklist");
    insert_audit(tx, &[record]).await
}
