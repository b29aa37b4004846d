//! What a scope reaches, as SQL: filtered where the rows are, so that counts do not leak.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    StudyInstanceUid,
    access::{Extent, Scope},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Database, DatabaseError};

/// A value that a condition binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReachBind {
    Id(Uuid),
    Time(DateTime<Utc>),
}

/// A condition and its values: `" AND ..."`, or empty when everything is in reach.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// To be put behind a WHERE with at least one condition.
    pub(crate) sql: String,
    /// In the order of the parameters.
    pub(crate) binds: Vec<ReachBind>,
    first: usize,
}

/// Binds the values of a [`Reach`].
macro_rules! bind_reach {
    ($query:expr, $reach:expr) => {{
        let mut query = $query;
        for bind in &$reach.binds {
            query = match *bind {
                $crate::scope::ReachBind::Id(id) => query.bind(id),
                $crate::scope::ReachBind::Time(time) => query.bind(time),
            };
        }
        query
    }};
}

impl Reach {
    fn from(first: usize) -> Self {
        Self { sql: String::new(), binds: Vec::new(), first }
    }

    /// Whether it bounds anything.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.sql.is_empty()
    }

    /// The first parameter behind its own.
    pub(crate) fn next_parameter(&self) -> usize {
        self.first + self.binds.len()
    }

    fn bind(&mut self, value: ReachBind) -> String {
        self.binds.push(value);
        format!("${}", self.next_parameter() - 1)
    }

    fn id(&mut self, id: Uuid) -> String {
        self.bind(ReachBind::Id(id))
    }

    fn time(&mut self, time: DateTime<Utc>) -> String {
        self.bind(ReachBind::Time(time))
    }
}

/// Consultations that are agreed and still to come, or go on: `ConsultationStatus::is_open`.
const OPEN: &str = "c.status IN ('booked', 'arrived', 'in_progress')";

/// `p` is the patient that `row` names. An empty Patient ID is nobody's.
fn is_patient_of(row: &str) -> String {
    format!(
        "p.patient_id = {row}.patient_id AND {row}.patient_id <> '' \
         AND ({row}.issuer_of_patient_id = '' OR {row}.issuer_of_patient_id = p.issuer_of_patient_id)"
    )
}

/// A document of `table` is of the patient that the consultation `c` names, as [`is_patient_of`] has it: what a doctor does not see does
/// not warn of a medicine that was given already, and what names no issuer may be another patient's than the one that `c` names.
fn is_document_of_patient(table: &str) -> String {
    format!(
        "c.patient_id = {table}.patient_id AND c.patient_id <> '' \
         AND (c.issuer_of_patient_id = '' OR c.issuer_of_patient_id = {table}.issuer_of_patient_id)"
    )
}

/// Studies that consultations `c` of which `which` is true open: those linked to them, and their patients'. Written as
/// a list of ids, so that a plan starts from a few consultations and not from all studies.
fn opened_by_consultations(which: &str) -> String {
    format!(
        "SELECT link.study FROM consultation c JOIN consultation_study link ON link.consultation_id = c.id \
         WHERE {which} \
         UNION SELECT own.id FROM consultation c JOIN patient p ON {} JOIN study own ON own.patient = p.id \
         WHERE {which} AND (c.opens_from IS NULL OR own.created_at >= c.opens_from)",
        is_patient_of("c")
    )
}

/// The same for the consultations of a doctor. A cancelled one opens nothing, a completed one for some time.
fn opened_to_doctor(reach: &mut Reach, doctor_id: Uuid, closed_after: DateTime<Utc>) -> String {
    let (doctor, after) = (reach.id(doctor_id), reach.time(closed_after));
    opened_by_consultations(&format!(
        "c.doctor_id = {doctor} AND ({OPEN} OR (c.status = 'completed' AND c.closed_at > {after}))"
    ))
}

/// Studies granted to an account, alone or with their patient.
fn granted(user: &str, now: &str) -> String {
    let live = format!(
        "g.user_id = {user} AND g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > {now})"
    );
    format!(
        "SELECT own.id FROM access_grant g JOIN study own ON own.study_instance_uid = g.study_instance_uid \
         WHERE g.kind = 'study' AND {live} \
         UNION SELECT own.id FROM access_grant g JOIN patient p ON {} JOIN study own ON own.patient = p.id \
         WHERE g.kind = 'patient' AND {live}",
        is_patient_of("g")
    )
}

/// Studies of the patient of an emergency access that runs.
fn opened_in_emergency(user: &str, now: &str) -> String {
    format!(
        "SELECT own.id FROM break_glass b JOIN patient p ON {} JOIN study own ON own.patient = p.id \
         WHERE b.user_id = {user} AND b.ended_at IS NULL AND b.expires_at > {now}",
        is_patient_of("b")
    )
}

/// Own uploads, for some time after they came and while their case is open, and some time longer.
fn uploaded(reach: &mut Reach, user_id: Uuid, after: DateTime<Utc>) -> String {
    let (user, after) = (reach.id(user_id), reach.time(after));
    let running = format!("({OPEN} OR (c.status = 'completed' AND c.closed_at > {after}))");
    format!(
        "SELECT own.id FROM study own WHERE own.uploaded_by = {user} AND (own.created_at > {after} \
           OR EXISTS (SELECT 1 FROM consultation_study link JOIN consultation c ON c.id = link.consultation_id \
             WHERE link.study = own.id AND {running}) \
           OR EXISTS (SELECT 1 FROM patient p JOIN consultation c ON {} \
             WHERE p.id = own.patient AND c.created_by = {user} AND {running}))",
        is_patient_of("c")
    )
}

impl Database {
    /// A condition on `study` (of that alias) with its parameters from `first` on.
    pub(crate) async fn study_reach(&self, scope: &Scope, first: usize) -> Result<Reach, DatabaseError> {
        let now = self.shared().clock.now();
        let config = self.access();
        let days = TimeDelta::days(i64::from(config.closed_consultation_days));
        let hours = TimeDelta::hours(i64::from(config.upload_hours));
        let mut reach = Reach::from(first);
        let list = match scope.extent() {
            Extent::Everything => return Ok(reach),
            Extent::Granted { user_id } => {
                if self.is_granted_everything(user_id, now).await? {
                    return Ok(reach);
                }
                let (user, now) = (reach.id(user_id), reach.time(now));
                granted(&user, &now)
            }
            Extent::Doctor { doctor_id, user_id } => {
                let own = opened_to_doctor(&mut reach, doctor_id, now - days);
                match user_id {
                    None => own,
                    Some(user_id) => {
                        let (user, now) = (reach.id(user_id), reach.time(now));
                        let (granted, emergency) = (granted(&user, &now), opened_in_emergency(&user, &now));
                        format!("{own} UNION {granted} UNION {emergency}")
                    }
                }
            }
            Extent::Cases { user_id } => uploaded(&mut reach, user_id, now - hours),
            Extent::Consultation { consultation_id, doctor_id } => {
                let (consultation, doctor) = (reach.id(consultation_id), reach.id(doctor_id));
                opened_by_consultations(&format!(
                    "c.id = {consultation} AND c.doctor_id = {doctor} AND {OPEN}"
                ))
            }
            Extent::Share { share_id, doctor_id } => {
                let (share, now_parameter) = (reach.id(share_id), reach.time(now));
                let own = opened_to_doctor(&mut reach, doctor_id, now - days);
                format!(
                    "SELECT s.study FROM share s WHERE s.id = {share} AND s.revoked_at IS NULL \
                     AND s.expires_at > {now_parameter}) AND study.id IN ({own}"
                )
            }
        };
        reach.sql = format!(" AND study.id IN ({list})");
        Ok(reach)
    }

    /// A condition on the columns of `consultation` with its parameters from `first` on.
    pub(crate) fn consultation_reach(&self, scope: &Scope, first: usize) -> Reach {
        let mut reach = Reach::from(first);
        reach.sql = match scope.extent() {
            Extent::Everything => String::new(),
            Extent::Doctor { doctor_id, .. } => format!(" AND doctor_id = {}", reach.id(doctor_id)),
            Extent::Cases { user_id } => {
                let hours = TimeDelta::hours(i64::from(self.access().upload_hours));
                let after = self.shared().clock.now() - hours;
                let (user, after) = (reach.id(user_id), reach.time(after));
                format!(" AND created_by = {user} AND (closed_at IS NULL OR closed_at > {after})")
            }
            Extent::Granted { .. } | Extent::Consultation { .. } | Extent::Share { .. } => {
                " AND 1 = 0".to_owned()
            }
        };
        reach
    }

    /// A condition on `worklist_item` under the name `i`, with its parameters from `first` on: who has consultations
    /// reaches what was ordered for them.
    pub(crate) fn worklist_reach(&self, scope: &Scope, first: usize) -> Reach {
        let mut reach = self.consultation_reach(scope, first);
        if reach.is_bounded() {
            reach.sql =
                format!(" AND i.consultation_id IN (SELECT id FROM consultation WHERE 1 = 1{})", reach.sql);
        }
        reach
    }

    /// A condition on the columns of a table of documents (`prescription`, `report`) with its parameters from `first` on. What
    /// was never signed is its doctor's alone, also after it was cancelled: so it is the signature that is asked for, not the status.
    pub(crate) fn document_reach(&self, scope: &Scope, table: &str, first: usize) -> Reach {
        let now = self.shared().clock.now();
        let mut reach = Reach::from(first);
        reach.sql = match scope.extent() {
            Extent::Everything => " AND jws IS NOT NULL".to_owned(),
            Extent::Doctor { doctor_id, .. } => {
                let days = TimeDelta::days(i64::from(self.access().closed_consultation_days));
                let (doctor, after) = (reach.id(doctor_id), reach.time(now - days));
                format!(
                    " AND (doctor_id = {doctor} OR (jws IS NOT NULL AND EXISTS (SELECT 1 FROM consultation c \
                     WHERE c.doctor_id = {doctor} AND {} \
                     AND ({OPEN} OR (c.status = 'completed' AND c.closed_at > {after})) \
                     AND (c.opens_from IS NULL OR {table}.created_at >= c.opens_from))))",
                    is_document_of_patient(table)
                )
            }
            Extent::Cases { user_id } => {
                let hours = TimeDelta::hours(i64::from(self.access().upload_hours));
                let (user, after) = (reach.id(user_id), reach.time(now - hours));
                format!(
                    " AND jws IS NOT NULL AND EXISTS (SELECT 1 FROM consultation c \
                     WHERE c.id = {table}.consultation_id AND c.created_by = {user} \
                     AND (c.closed_at IS NULL OR c.closed_at > {after}))"
                )
            }
            Extent::Granted { .. } | Extent::Consultation { .. } | Extent::Share { .. } => {
                " AND 1 = 0".to_owned()
            }
        };
        reach
    }

    /// Whether a study is there and in reach.
    pub async fn is_study_in_reach(
        &self,
        scope: &Scope,
        study_instance_uid: &StudyInstanceUid,
    ) -> Result<bool, DatabaseError> {
        Ok(self.study_in_reach(scope, study_instance_uid).await?.is_some())
    }

    /// The key of a study in reach.
    pub(crate) async fn study_in_reach(
        &self,
        scope: &Scope,
        study_instance_uid: &StudyInstanceUid,
    ) -> Result<Option<Uuid>, DatabaseError> {
        let reach = self.study_reach(scope, 2).await?;
        let sql = AssertSqlSafe(format!(
            "SELECT study.id FROM study WHERE study.study_instance_uid = $1{}",
            reach.sql
        ));
        Ok(on!(self, engine => {
            let query = sqlx::query_scalar(sql).bind(study_instance_uid.as_str());
            bind_reach!(query, reach).fetch_optional(&engine.read).await?
        }))
    }
}
