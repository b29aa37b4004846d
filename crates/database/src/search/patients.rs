//! PS3.4 C.6.1.1.2, the patient level of the Patient Root model: patients who have a study that fits.

use std::{collections::HashMap, time::Duration};

use model::{access::Scope, instance::PatientAttributes};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Condition, Level, SearchQuery,
    condition::{names_few, push_deeper, push_each, push_patients},
    page::bind_all,
    sql::{Bind, Sql},
    trigrams::lead_to_few,
};
use crate::{
    Database, DatabaseError,
    scope::{Reach, ReachBind},
    statement::{Dialect, spell, uuid_rows},
};

/// A patient that was found. The numbers count what is in reach, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientRow {
    /// `patient.id`.
    pub id: Uuid,
    /// Attributes.
    pub attributes: PatientAttributes,
    /// Number of Patient Related Studies (0020,1200).
    pub number_of_patient_related_studies: u64,
    /// Number of Patient Related Series (0020,1202).
    pub number_of_patient_related_series: u64,
    /// Number of Patient Related Instances (0020,1204).
    pub number_of_patient_related_instances: u64,
}

#[derive(sqlx::FromRow)]
struct Record {
    id: Uuid,
    patient_id: String,
    issuer_of_patient_id: String,
    patient_name: String,
    patient_birth_date: String,
    patient_sex: String,
}

impl From<Record> for PatientRow {
    fn from(record: Record) -> Self {
        let Record { id, patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex } =
            record;
        Self {
            id,
            attributes: PatientAttributes {
                patient_id,
                issuer_of_patient_id,
                patient_name,
                patient_birth_date,
                patient_sex,
            },
            number_of_patient_related_studies: 0,
            number_of_patient_related_series: 0,
            number_of_patient_related_instances: 0,
        }
    }
}

impl Database {
    /// Finds patients of whom a study in reach of `scope` meets every condition of `query`, in the order of their
    /// keys from behind `after` on, at most [`SearchQuery::limit`]. Level, order and offset of the query count for
    /// nothing.
    pub async fn search_patients(
        &self,
        scope: &Scope,
        query: &SearchQuery,
        after: Option<Uuid>,
    ) -> Result<Vec<PatientRow>, DatabaseError> {
        let query = SearchQuery { level: Level::Study, ..query.clone() };
        let timeout = Duration::from_millis(self.shared().config.statement_timeout_ms);
        let work = async {
            let reach = self.study_reach(scope, 1).await?;
            let by_trigrams = lead_to_few(self, &reach, &query).await?;
            let sql = build(self.dialect(), &reach, &query, after, by_trigrams);
            let found: Vec<Record> = on!(self, engine => bind_all!(
                sqlx::query_as(AssertSqlSafe(sql.text)), sql.binds).fetch_all(&engine.read).await?);
            let mut rows: Vec<PatientRow> = found.into_iter().map(PatientRow::from).collect();
            add_counts(self, scope, &mut rows).await?;
            Ok(rows)
        };
        // PostgreSQL ends a statement by itself; SQLite does not.
        tokio::time::timeout(timeout.saturating_mul(2), work).await.map_err(|_| DatabaseError::Busy)?
    }
}

fn build(
    dialect: Dialect,
    reach: &Reach,
    query: &SearchQuery,
    after: Option<Uuid>,
    by_trigrams: bool,
) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push(
        "SELECT patient.id, patient.patient_id, patient.issuer_of_patient_id, patient.patient_name, \
         patient.patient_birth_date, patient.patient_sex FROM patient WHERE 1 = 1",
    );
    // The reach has the first parameters, wherever it stands.
    sql.binds.extend(reach.binds.iter().copied().map(Bind::Reach));
    if let Some(after) = after {
        sql.push(" AND patient.id > ");
        sql.bind(Bind::Reach(ReachBind::Id(after)));
    }
    let (of_patient, of_study): (Vec<&Condition>, Vec<&Condition>) = query
        .conditions
        .iter()
        .filter(|condition| condition.attribute.level() == Level::Study)
        .partition(|condition| condition.attribute.is_of_patient());
    if by_trigrams {
        push_patients(&mut sql, "patient.id", &of_patient, query, by_trigrams);
    } else {
        push_each(&mut sql, &of_patient, query);
    }
    // A few studies are listed first; of very many a patient's own are looked up.
    let few = reach.is_bounded()
        || query
            .conditions
            .iter()
            .any(|condition| !condition.attribute.is_of_patient() && names_few(condition, query.fuzzy));
    sql.push(if few {
        " AND patient.id IN (SELECT study.patient FROM study WHERE 1 = 1"
    } else {
        " AND EXISTS (SELECT 1 FROM study WHERE study.patient = patient.id"
    });
    sql.push(&reach.sql);
    push_each(&mut sql, &of_study, query);
    push_deeper(&mut sql, query);
    sql.push(&format!(") ORDER BY patient.id LIMIT {}", query.limit));
    sql
}

async fn add_counts(
    database: &Database,
    scope: &Scope,
    rows: &mut [PatientRow],
) -> Result<(), DatabaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let reach = database.study_reach(scope, 2).await?;
    let text = spell(
        &format!(
            "SELECT study.patient, COUNT(DISTINCT study.id), COUNT(DISTINCT series.id), COUNT(instance.id) \
             FROM ROWS($1: id uuid) AS r CROSS JOIN study JOIN series ON series.study = study.id \
             LEFT JOIN instance ON instance.series = series.id AND instance.current \
             WHERE study.patient = r.id{} GROUP BY study.patient",
            reach.sql
        ),
        database.dialect(),
    );
    let mut binds = vec![Bind::Text(uuid_rows(rows.iter().map(|row| row.id)))];
    binds.extend(reach.binds.iter().copied().map(Bind::Reach));
    let counted: Vec<(Uuid, i64, i64, i64)> = on!(database, engine => bind_all!(
        sqlx::query_as(AssertSqlSafe(text)), binds).fetch_all(&engine.read).await?);
    let counted: HashMap<Uuid, [u64; 3]> = counted
        .into_iter()
        .map(|(patient, studies, series, instances)| {
            (patient, [studies, series, instances].map(i64::unsigned_abs))
        })
        .collect();
    for row in rows {
        let [studies, series, instances] = counted.get(&row.id).copied().unwrap_or_default();
        row.number_of_patient_related_studies = studies;
        row.number_of_patient_related_series = series;
        row.number_of_patient_related_instances = instances;
    }
    Ok(())
}
