//! The worklist follows images and modalities: when a series of a scheduled study comes, its step is under way, and its study
//! belongs to the consultation that it was ordered for; what a modality says of a step is so. In the transaction of what is
//! followed.

use model::{clinical::ConsultationStatus, event::Event, worklist::StepStatus};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    AuditActor, AuditRecord, DatabaseError,
    audit::insert_audit,
    engine::Tx,
    outbox::insert_events,
    statement::{Statement, rows},
};

/// The patient is compared here, or every item of an Accession Number that is used again and again would be read.
static FIND: Statement = Statement::new(
    "SELECT r.n, i.id, i.consultation_id, i.issuer_of_patient_id, 1 AS by_study \
     FROM ROWS($1: n integer, study text, accession text, patient text) AS r \
     JOIN worklist_item i ON i.study_instance_uid = r.study AND i.patient_id = r.patient \
     WHERE r.patient <> '' \
     UNION ALL SELECT r.n, i.id, i.consultation_id, i.issuer_of_patient_id, 0 AS by_study \
     FROM ROWS($1: n integer, study text, accession text, patient text) AS r \
     JOIN worklist_item i ON i.accession_number = r.accession AND i.accession_number <> '' \
     AND i.patient_id = r.patient AND i.study_instance_uid <> r.study WHERE r.patient <> ''",
);

/// Which steps of item $1 a sign is about: the one that is named ($2), else those of the modality ($3), else the only one;
/// and those that stand elsewhere ($4).
const MEANT: &str = "open AND status <> $4 AND (step_id = $2 OR ($2 = '' AND modality = $3) \
    OR (SELECT COUNT(*) FROM worklist_step other WHERE other.item = $1) = 1)";

/// A sign of what becomes of a scheduled step: a series that has just been made, or a modality's word.
pub(crate) struct Sign<'a> {
    /// `study.id` of a study that has just begun: it is linked. Later it is people who link and unlink, and orders that come
    /// after their images (`catch_up`).
    pub(crate) new_study: Option<Uuid>,
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
    /// Images of another patient under a scheduled UID are somebody's mistake: nothing follows them. Modalities often leave
    /// the issuer out; under a Study Instance UID that we gave there is no other patient to take them for.
    pub(super) fn is_of_issuer(&self, issuer_of_patient_id: &str, by_study: bool) -> bool {
        issuer_of_patient_id.is_empty()
            || self.issuer_of_patient_id == issuer_of_patient_id
            || (by_study && self.issuer_of_patient_id.is_empty())
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    n: i32,
    id: Uuid,
    consultation_id: Option<Uuid>,
    issuer_of_patient_id: String,
    by_study: i32,
}

/// Follows signs.
pub(crate) async fn follow(tx: &mut Tx, signs: &[Sign<'_>]) -> Result<(), DatabaseError> {
    if signs.is_empty() {
        return Ok(());
    }
    let list = signs.iter().zip(0_i32..).map(|(one, n)| {
        vec![
            Value::from(n),
            Value::from(one.study_instance_uid),
            Value::from(one.accession_number),
            Value::from(one.patient_id),
        ]
    });
    let (sql, list) = (FIND.on(tx.dialect()), rows(list.collect()));
    let mut found: Vec<Found> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?);
    // Nodes go about it in the same order.
    found.sort_by_key(|found| found.id);
    for item in found {
        let by_study = item.by_study == 1;
        let sign = usize::try_from(item.n).ok().and_then(|n| signs.get(n));
        let Some(sign) = sign.filter(|one| one.is_of_issuer(&item.issuer_of_patient_id, by_study)) else {
            continue;
        };
        move_steps(tx, item.id, sign).await?;
        if let (Some(consultation), Some(study)) = (item.consultation_id, sign.new_study) {
            link(tx, consultation, study, (sign, by_study)).await?;
        }
    }
    Ok(())
}

/// The item first, as people who change it do: two that took them the other way round would wait for each other.
pub(super) async fn move_steps(tx: &mut Tx, item: Uuid, sign: &Sign<'_>) -> Result<(), DatabaseError> {
    // Whoever has read the item has read what is not so any more.
    let touch = format!(
        "UPDATE worklist_item SET version = version + 1, updated_at = $5 WHERE id = $1 \
         AND EXISTS (SELECT 1 FROM worklist_step WHERE item = $1 AND {MEANT})"
    );
    let now = tx.now;
    let touched = on_tx!(tx, connection => sqlx::query(AssertSqlSafe(touch))
        .bind(item)
        .bind(sign.step_id)
        .bind(sign.modality)
        .bind(sign.status.as_str())
        .bind(now)
        .execute(connection)
        .await?
        .rows_affected());
    if touched == 0 {
        return Ok(());
    }
    let move_on = format!("UPDATE worklist_step SET status = $4, open = $5 WHERE item = $1 AND {MEANT}");
    on_tx!(tx, connection => sqlx::query(AssertSqlSafe(move_on))
        .bind(item)
        .bind(sign.step_id)
        .bind(sign.modality)
        .bind(sign.status.as_str())
        .bind(sign.status.is_open())
        .execute(connection)
        .await
        .map(drop)?);
    let record = AuditRecord::success(sign.actor, "move_worklist_step")
        .about(item)
        .of_study(sign.study_instance_uid)
        .saying(format!("{}: {}", sign.status.as_str(), sign.seen));
    insert_audit(tx, &[record]).await
}

pub(super) async fn link(
    tx: &mut Tx,
    consultation_id: Uuid,
    study: Uuid,
    (sign, by_study): (&Sign<'_>, bool),
) -> Result<(), DatabaseError> {
    const READ: &str = "SELECT status, patient_id, issuer_of_patient_id FROM consultation WHERE id = $1";
    const LINK: &str = "INSERT INTO consultation_study (consultation_id, study, linked_at) \
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let found: Option<(String, String, String)> = on_tx!(tx, connection =>
        sqlx::query_as(READ).bind(consultation_id).fetch_optional(connection).await?);
    let held = found.is_some_and(|(status, patient_id, issuer)| {
        let status = status.parse::<ConsultationStatus>().ok();
        let unheld = [ConsultationStatus::Cancelled, ConsultationStatus::NoShow];
        let same = sign.patient_id == patient_id && sign.is_of_issuer(&issuer, by_study);
        same && status.is_some_and(|status| !unheld.contains(&status))
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
