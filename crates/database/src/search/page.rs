//! One page of a search: the rows, then the counts and modalities of the studies on that page alone.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use model::access::Scope;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{
    Level, Order, SearchQuery, SearchResult, SearchRow, XrayConditions,
    condition::{names_few, push_conditions, push_reach},
    count::count,
    order::{push_order, push_start},
    row::{
        Found, INSTANCE_COLUMNS, InstanceRecord, SERIES_COLUMNS, STUDY_COLUMNS, SeriesRecord, StudyRecord,
    },
    said::push_said,
    sql::{Bind, Sql},
    trigrams::lead_to_few,
};
use crate::{
    Database, DatabaseError,
    scope::{Reach, ReachBind},
    statement::{Dialect, Statement, spell, uuid_rows},
};

/// A statement with more values is not kept prepared: it hardly comes again, and its text is long.
pub(crate) const PREPARED_BINDS_MAX: usize = 16;

/// Binds the values of a dynamic statement.
macro_rules! bind_all {
    ($query:expr, $binds:expr) => {{
        let mut query = $query.persistent($binds.len() <= $crate::search::PREPARED_BINDS_MAX);
        for bind in $binds {
            query = match bind {
                Bind::Text(text) => query.bind(text),
                Bind::Number(number) => query.bind(number),
                Bind::Reach(ReachBind::Id(id)) => query.bind(id),
                Bind::Reach(ReachBind::Time(time)) => query.bind(time),
            };
        }
        query
    }};
}
pub(crate) use bind_all;

fn build(
    dialect: Dialect,
    reach: &Reach,
    query: &SearchQuery,
    of_xrays: &XrayConditions,
    by_trigrams: bool,
) -> Sql {
    let mut sql = Sql::new(dialect);
    let (columns, tables) = match query.level {
        Level::Study => (STUDY_COLUMNS.to_owned(), "study JOIN patient ON patient.id = study.patient"),
        Level::Series => (
            format!("{STUDY_COLUMNS}, {SERIES_COLUMNS}"),
            "study JOIN patient ON patient.id = study.patient JOIN series ON series.study = study.id",
        ),
        Level::Instance => (
            format!("{STUDY_COLUMNS}, {SERIES_COLUMNS}, {INSTANCE_COLUMNS}"),
            "study JOIN patient ON patient.id = study.patient JOIN series ON series.study = study.id \
             JOIN instance ON instance.series = series.id",
        ),
    };
    let current = if query.level == Level::Instance { "instance.current" } else { "1 = 1" };
    sql.push(&format!("SELECT {columns} FROM {tables} WHERE {current}"));
    let few = by_trigrams
        || reach.is_bounded()
        || query.conditions.iter().any(|condition| names_few(condition, query.fuzzy));
    push_reach(&mut sql, reach);
    push_start(&mut sql, query, few);
    push_conditions(&mut sql, query, by_trigrams);
    push_said(&mut sql, of_xrays);
    push_order(&mut sql, query, few);
    // Not bound: PostgreSQL plans by it. One row more tells whether there are more.
    sql.push(&format!(" LIMIT {} OFFSET ", i64::from(query.limit) + 1));
    sql.bind(Bind::Number(i64::try_from(query.offset).unwrap_or(i64::MAX)));
    sql
}

pub(super) async fn search(
    database: &Database,
    scope: &Scope,
    query: &SearchQuery,
    of_xrays: &XrayConditions,
) -> Result<SearchResult, DatabaseError> {
    let timeout = Duration::from_millis(database.shared().config.statement_timeout_ms);
    let work = async {
        let reach = database.study_reach(scope, 1).await?;
        let by_trigrams = lead_to_few(database, &reach, query).await?;
        let sql = build(database.dialect(), &reach, query, of_xrays, by_trigrams);
        let mut found = fetch(database, query.level, sql).await?;
        let more = found.len() > query.limit as usize;
        found.truncate(query.limit as usize);
        add_counts(database, &mut found).await?;
        let total = match query.order {
            Order::StandardFrom(_) => None,
            _ if more && *of_xrays != XrayConditions::NONE => None,
            _ if more => count(database, &reach, query, by_trigrams).await,
            _ => {
                let told = query.offset == 0 || !found.is_empty();
                told.then(|| query.offset.saturating_add(found.len() as u64))
            }
        };
        Ok(SearchResult { rows: found.into_iter().map(|found| found.row).collect(), more, total })
    };
    // PostgreSQL ends a statement by itself; SQLite does not.
    tokio::time::timeout(timeout.saturating_mul(2), work).await.map_err(|_| DatabaseError::Busy)?
}

async fn fetch(database: &Database, level: Level, sql: Sql) -> Result<Vec<Found>, DatabaseError> {
    macro_rules! records {
        ($record:ty) => {{
            let records: Vec<$record> = on!(database, engine => bind_all!(
                sqlx::query_as(AssertSqlSafe(sql.text)), sql.binds).fetch_all(&engine.read).await?);
            records.into_iter().map(Found::from).collect()
        }};
    }
    Ok(match level {
        Level::Study => records!(StudyRecord),
        Level::Series => records!(SeriesRecord),
        Level::Instance => records!(InstanceRecord),
    })
}

static COUNTS: Statement = Statement::new(
    "SELECT series.study, series.id, series.modality, \
     (SELECT COUNT(*) FROM instance WHERE instance.series = series.id AND instance.current) AS instances \
     FROM ROWS($1: id uuid) AS r CROSS JOIN series WHERE series.study = r.id",
);

/// What the series of one study add up to.
#[derive(Default)]
struct StudyCounts {
    series: u64,
    instances: u64,
    modalities: BTreeSet<String>,
}

async fn add_counts(database: &Database, found: &mut [Found]) -> Result<(), DatabaseError> {
    if found.is_empty() {
        return Ok(());
    }
    let studies: HashSet<Uuid> = found.iter().map(|found| found.study).collect();
    let (sql, list) = (COUNTS.on(database.dialect()), uuid_rows(studies));
    let counted: Vec<(Uuid, Uuid, String, i64)> =
        on!(database, engine => sqlx::query_as(sql).bind(list).fetch_all(&engine.read).await?);
    let mut by_study: HashMap<Uuid, StudyCounts> = HashMap::new();
    let mut by_series = HashMap::new();
    for (study, series, modality, instances) in counted {
        let counts = by_study.entry(study).or_default();
        counts.series += 1;
        counts.instances += instances.unsigned_abs();
        if !modality.is_empty() {
            counts.modalities.insert(modality);
        }
        by_series.insert(series, instances.unsigned_abs());
    }
    for found in found {
        if let Some(counts) = by_study.get(&found.study) {
            found.row.number_of_study_related_series = counts.series;
            found.row.number_of_study_related_instances = counts.instances;
            found.row.modalities_in_study = counts.modalities.iter().cloned().collect();
        }
        if let (Some(id), Some(series)) = (found.series, &mut found.row.series) {
            series.number_of_series_related_instances = by_series.get(&id).copied().unwrap_or(0);
        }
    }
    Ok(())
}

/// Studies by their keys, with counts; the caller has checked that they are in reach.
pub(crate) async fn studies_by_id(
    database: &Database,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, SearchRow>, DatabaseError> {
    let text = spell(
        &format!(
            "SELECT {STUDY_COLUMNS} FROM ROWS($1: id uuid) AS r CROSS JOIN study \
             JOIN patient ON patient.id = study.patient WHERE study.id = r.id"
        ),
        database.dialect(),
    );
    let binds = vec![Bind::Text(uuid_rows(ids.iter().copied()))];
    let sql = Sql { text, binds, ..Sql::new(database.dialect()) };
    let mut found = fetch(database, Level::Study, sql).await?;
    add_counts(database, &mut found).await?;
    Ok(found.into_iter().map(|found| (found.study, found.row)).collect())
}

pub(super) async fn explain(
    database: &Database,
    scope: &Scope,
    query: &SearchQuery,
) -> Result<Vec<String>, DatabaseError> {
    let reach = database.study_reach(scope, 1).await?;
    let by_trigrams = lead_to_few(database, &reach, query).await?;
    let sql = build(database.dialect(), &reach, query, &XrayConditions::NONE, by_trigrams);
    let (explain, column) = match database.dialect() {
        Dialect::Postgres => ("EXPLAIN", 0),
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
    };
    let text = format!("{explain} {}", sql.text);
    Ok(on!(database, engine => {
        let rows = bind_all!(sqlx::query(AssertSqlSafe(text)), sql.binds).fetch_all(&engine.read).await?;
        rows.iter().map(|row| row.try_get(column)).collect::<Result<_, _>>()?
    }))
}
