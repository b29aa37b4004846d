//! How many rows a search has in all: counted only when there are more than one page of them, only so far, and only when
//! an index leads to them. A filter that each row has to be asked for may need all rows to find a few: the page stops
//! when it is full, a count would not.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{
    Attribute, Level, SearchQuery,
    condition::{names_few, push_conditions, push_reach},
    page::bind_all,
    sql::{Bind, Sql},
};
use crate::{
    Database,
    scope::{Reach, ReachBind},
    statement::Dialect,
};

/// A count that takes longer is given up: the page is what was asked for.
const COUNT_TIMEOUT: Duration = Duration::from_millis(500);

/// Whether every row that is looked at is likely to count.
fn is_cheap(reach: &Reach, query: &SearchQuery) -> bool {
    let mut conditions = query.conditions.iter();
    reach.is_bounded()
        || conditions.clone().any(|condition| names_few(condition, query.fuzzy))
        || conditions.all(|condition| condition.attribute == Attribute::StudyDate)
}

fn build(dialect: Dialect, reach: &Reach, query: &SearchQuery, by_trigrams: bool) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT COUNT(*) FROM (SELECT 1 FROM study");
    // Every study has its patient: without a condition on it there is nothing to look up.
    if query.conditions.iter().any(|condition| condition.attribute.is_of_patient()) {
        sql.push(" JOIN patient ON patient.id = study.patient");
    }
    if query.level >= Level::Series {
        sql.push(" JOIN series ON series.study = study.id");
    }
    if query.level == Level::Instance {
        sql.push(" JOIN instance ON instance.series = series.id WHERE instance.current");
    } else {
        sql.push(" WHERE 1 = 1");
    }
    push_reach(&mut sql, reach);
    push_conditions(&mut sql, query, by_trigrams);
    let limit = i64::try_from(query.count_max).unwrap_or(i64::MAX).saturating_add(1);
    sql.push(&format!(" LIMIT {limit}) AS counted"));
    sql
}

/// The number of rows; `None` beyond [`SearchQuery::count_max`], or when counting would take too long.
/// `by_trigrams`: its conditions on the patient lead to few.
pub(super) async fn count(
    database: &Database,
    reach: &Reach,
    query: &SearchQuery,
    by_trigrams: bool,
) -> Option<u64> {
    let seen = query.offset.saturating_add(u64::from(query.limit));
    if seen >= query.count_max || !(by_trigrams || is_cheap(reach, query)) {
        return None;
    }
    let sql = build(database.dialect(), reach, query, by_trigrams);
    let work = async {
        Ok::<i64, crate::DatabaseError>(on!(database, engine => bind_all!(
            sqlx::query_scalar(AssertSqlSafe(sql.text)), sql.binds).fetch_one(&engine.read).await?))
    };
    let counted = tokio::time::timeout(COUNT_TIMEOUT, work).await.ok()?.ok()?;
    u64::try_from(counted).ok().filter(|counted| *counted <= query.count_max)
}
