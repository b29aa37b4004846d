//! Items for people and programs, as far as they reach.

use std::{collections::HashMap, fmt::Write as _};

use model::{
    access::Scope,
    worklist::{StepStatus, WorklistItem},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::row::{ITEM_COLUMNS, ItemRow, STEP_COLUMNS, StepRow};
use crate::{
    Database, DatabaseError,
    statement::{spell, uuid_rows},
    text::clean,
};

/// Which items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorklistFilter {
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Accession Number (0008,0050).
    pub accession_number: Option<String>,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Option<String>,
    /// The consultation.
    pub consultation_id: Option<Uuid>,
    /// With a step at this station.
    pub station_ae_title: Option<String>,
    /// With a step of this modality.
    pub modality: Option<String>,
    /// With a step in this status.
    pub status: Option<StepStatus>,
    /// With a step on this day or later: `YYYYMMDD`.
    pub from: Option<String>,
    /// With a step on this day or before: `YYYYMMDD`.
    pub to: Option<String>,
    /// Items returned at most.
    pub limit: u32,
    /// Items skipped.
    pub offset: u64,
}

impl WorklistFilter {
    fn of_items(&self) -> Vec<(&'static str, &str)> {
        let conditions = [
            ("i.patient_id =", &self.patient_id),
            ("i.accession_number =", &self.accession_number),
            ("i.study_instance_uid =", &self.study_instance_uid),
        ];
        given(conditions)
    }

    fn of_steps(&self) -> Vec<(&'static str, &str)> {
        let mut conditions = given([
            ("s.station_ae_title =", &self.station_ae_title),
            ("s.modality =", &self.modality),
            ("s.start_date >=", &self.from),
            ("s.start_date <=", &self.to),
        ]);
        conditions.extend(self.status.map(|status| ("s.status =", status.as_str())));
        conditions
    }
}

fn given<'a, const N: usize>(
    conditions: [(&'static str, &'a Option<String>); N],
) -> Vec<(&'static str, &'a str)> {
    let given = conditions.into_iter().filter_map(|(left, value)| Some((left, value.as_deref()?)));
    given.collect()
}

impl Database {
    /// One item; `None` when it is not in reach.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn worklist_item(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<Option<WorklistItem>, DatabaseError> {
        let reach = self.worklist_reach(scope, 2);
        let sql =
            AssertSqlSafe(format!("SELECT {ITEM_COLUMNS} FROM worklist_item i WHERE i.id = $1{}", reach.sql));
        let found: Option<ItemRow> = on!(self, engine => {
            bind_reach!(sqlx::query_as(sql).bind(id), reach).fetch_optional(&engine.read).await?
        });
        Ok(self.add_steps(found.into_iter().collect()).await?.pop())
    }

    /// Items in reach, the newest first.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn worklist_items(
        &self,
        scope: &Scope,
        filter: &WorklistFilter,
    ) -> Result<Vec<WorklistItem>, DatabaseError> {
        let reach = self.worklist_reach(scope, 1);
        let mut sql = format!("SELECT {ITEM_COLUMNS} FROM worklist_item i WHERE 1 = 1{}", reach.sql);
        let (mut parameter, mut texts) = (reach.next_parameter(), Vec::new());
        let mut push = |sql: &mut String, conditions: Vec<(&str, &str)>| {
            for (left, value) in conditions {
                let _ = write!(sql, " AND {left} ${parameter}");
                parameter += 1;
                texts.push(clean(value));
            }
        };
        push(&mut sql, filter.of_items());
        let of_steps = filter.of_steps();
        if !of_steps.is_empty() {
            sql.push_str(" AND EXISTS (SELECT 1 FROM worklist_step s WHERE s.item = i.id");
            push(&mut sql, of_steps);
            sql.push(')');
        }
        if filter.consultation_id.is_some() {
            let _ = write!(sql, " AND i.consultation_id = ${parameter}");
            parameter += 1;
        }
        let _ = write!(sql, " ORDER BY i.id DESC LIMIT {} OFFSET ${parameter}", i64::from(filter.limit));
        let found: Vec<ItemRow> = on!(self, engine => {
            let mut query = bind_reach!(sqlx::query_as(AssertSqlSafe(sql)), reach);
            for text in texts {
                query = query.bind(text);
            }
            if let Some(consultation) = filter.consultation_id {
                query = query.bind(consultation);
            }
            query.bind(i64::try_from(filter.offset).unwrap_or(i64::MAX)).fetch_all(&engine.read).await?
        });
        self.add_steps(found).await
    }

    async fn add_steps(&self, items: Vec<ItemRow>) -> Result<Vec<WorklistItem>, DatabaseError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let (before, after) = self.dialect().any_of();
        let sql = format!(
            "SELECT {STEP_COLUMNS} FROM worklist_step s WHERE s.item {before}SELECT r.id FROM ROWS($1: id uuid) AS r{after} \
             ORDER BY s.item, s.number"
        );
        let sql = AssertSqlSafe(spell(&sql, self.dialect()));
        let list = uuid_rows(items.iter().map(|item| item.id));
        let steps: Vec<StepRow> =
            on!(self, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
        let mut of_item: HashMap<Uuid, Vec<StepRow>> = HashMap::new();
        for step in steps {
            of_item.entry(step.item).or_default().push(step);
        }
        items
            .into_iter()
            .map(|item| {
                let steps = of_item.remove(&item.id).unwrap_or_default();
                item.with_steps(steps)
            })
            .collect()
    }
}
