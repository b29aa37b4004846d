//! Images that were here before what they were ordered by: the item follows them as if they came now, and they belong to its
//! consultation. In the transaction that makes the item, or that gives it another patient, number, study or consultation.

use model::worklist::{StepStatus, WorklistOrder};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::follow::{Sign, link, move_steps};
use crate::{
    AuditActor, DatabaseError,
    advisory_lock::lock,
    engine::Tx,
    scope::Reach,
    statement::{Statement, uuid_rows},
    text::{index_fold, index_text},
};

/// First parameter of the reach that [`catch_up`] takes.
pub(super) const FIRST_OF_REACH: usize = 6;
/// Studies that are looked at, the newest ones.
const STUDIES_MAX: usize = 64;

/// What is said of the series of these studies, each kind once.
static KINDS: Statement = Statement::new(
    "SELECT DISTINCT series.study, series.modality, series.scheduled_procedure_step_id FROM series \
     WHERE series.study IN (SELECT id FROM ROWS($1: id uuid) AS r) \
     ORDER BY series.study DESC, series.modality, series.scheduled_procedure_step_id LIMIT 256",
);

/// A study that an order may be about.
#[derive(sqlx::FromRow)]
struct Here {
    id: Uuid,
    study_instance_uid: String,
    accession_number: String,
    patient_id: String,
    issuer_of_patient_id: String,
    /// Somebody took it out of this consultation.
    unlinked: i32,
}

impl Here {
    fn sign<'a>(&'a self, (modality, step_id): (&'a str, &'a str), actor: &'a AuditActor) -> Sign<'a> {
        Sign {
            new_study: None,
            study_instance_uid: &self.study_instance_uid,
            accession_number: &self.accession_number,
            patient_id: &self.patient_id,
            issuer_of_patient_id: &self.issuer_of_patient_id,
            modality,
            step_id,
            status: StepStatus::Started,
            seen: "images were here",
            actor,
        }
    }
}

/// Images of the patient that come at the same time wait: whoever stores the first one of a study holds the same lock, and takes
/// it before the item, too (`ingest/known.rs`).
pub(super) async fn lock_patient(tx: &mut Tx, order: &WorklistOrder) -> Result<(), DatabaseError> {
    if order.consultation_id.is_none() {
        return Ok(());
    }
    let (patient_id, issuer) = (index_text(&order.patient_id), index_text(&order.issuer_of_patient_id));
    lock(tx, &format!("{patient_id}\u{1f}{issuer}")).await
}

/// Links what is here to the consultation of an item, and moves the item's steps. What people took out of the consultation stays out
/// of it.
pub(super) async fn catch_up(
    tx: &mut Tx,
    item: Uuid,
    order: &WorklistOrder,
    reach: &Reach,
    actor: &AuditActor,
) -> Result<(), DatabaseError> {
    let Some(consultation_id) = order.consultation_id else { return Ok(()) };
    let here = studies(tx, consultation_id, order, reach).await?;
    if here.is_empty() {
        return Ok(());
    }
    let (sql, list) = (KINDS.on(tx.dialect()), uuid_rows(here.iter().map(|study| study.id)));
    let kinds: Vec<(Uuid, String, String)> =
        on_tx!(tx, connection => sqlx::query_as(sql).bind(list).fetch_all(connection).await?);
    let issuer = index_text(&order.issuer_of_patient_id);
    for study in &here {
        let by_study = study.study_instance_uid == order.study_instance_uid.as_str();
        let sign = study.sign(("", ""), actor);
        if !sign.is_of_issuer(&issuer, by_study) {
            continue;
        }
        for (_, modality, step_id) in kinds.iter().filter(|(of, ..)| *of == study.id) {
            move_steps(tx, item, &study.sign((modality.as_str(), step_id.as_str()), actor)).await?;
        }
        if study.unlinked == 0 {
            link(tx, consultation_id, study.id, (&sign, by_study)).await?;
        }
    }
    Ok(())
}

/// The studies that are here already, as `follow` finds items. An order opens nobody's past: of studies that whoever orders does not
/// reach, those alone that the consultation opens anyway.
async fn studies(
    tx: &mut Tx,
    consultation_id: Uuid,
    order: &WorklistOrder,
    reach: &Reach,
) -> Result<Vec<Here>, DatabaseError> {
    if order.patient_id.is_empty() {
        return Ok(Vec::new());
    }
    // Who unlinked what is remembered in the audit trail, which nothing is taken out of.
    let sql = AssertSqlSafe(format!(
        "SELECT study.id, study.study_instance_uid, study.accession_number, patient.patient_id, \
         patient.issuer_of_patient_id, CASE WHEN EXISTS (SELECT 1 FROM audit a \
         WHERE a.study_instance_uid = study.study_instance_uid AND a.study_instance_uid <> '' \
         AND a.consultation_id = $1 AND a.action = 'unlink_study' AND a.outcome = 'success') \
         THEN 1 ELSE 0 END AS unlinked \
         FROM study JOIN patient ON patient.id = study.patient \
         WHERE patient.patient_id = $2 AND (study.study_instance_uid = $3 \
         OR ($4 <> '' AND study.accession_number_folded = $5 AND study.accession_number = $4)) \
         AND (EXISTS (SELECT 1 FROM consultation c WHERE c.id = $1 AND c.patient_id = patient.patient_id \
         AND (c.issuer_of_patient_id = '' OR c.issuer_of_patient_id = patient.issuer_of_patient_id) \
         AND (c.opens_from IS NULL OR study.created_at >= c.opens_from)) OR (1 = 1{})) \
         ORDER BY study.created_at DESC, study.id DESC LIMIT {STUDIES_MAX}",
        reach.sql
    ));
    let (patient_id, accession_number) = (index_text(&order.patient_id), index_text(&order.accession_number));
    let folded = index_fold(&order.accession_number);
    Ok(on_tx!(tx, connection => {
        let query = sqlx::query_as(sql)
            .bind(consultation_id)
            .bind(patient_id.as_str())
            .bind(order.study_instance_uid.as_str())
            .bind(accession_number.as_str())
            .bind(folded.as_str());
        bind_reach!(query, reach).fetch_all(connection).await?
    }))
}
