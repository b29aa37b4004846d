//! In which order the rows of a search come. Every order ends in a UID, so that pages do not overlap.

use super::{
    Level, Order, SearchQuery, SortKey, StudyPlace,
    attribute::Kind,
    sql::{Bind, Sql},
};
use crate::instance::INSTANCE_ORDER;

/// Adds `" AND ..."` for where the rows begin. Before the other conditions: of several bounds of the date SQLite takes the
/// first for the index.
pub(super) fn push_start(sql: &mut Sql, query: &SearchQuery, few: bool) {
    let Order::StandardFrom(StudyPlace { study_date, study_instance_uid }) = &query.order else { return };
    let date = if few { "study.study_date || ''" } else { "study.study_date" };
    sql.push(" AND ");
    sql.compare(date, "<=", study_date.clone());
    sql.push(" AND (study.study_date < ");
    sql.bind(Bind::Text(study_date.clone()));
    sql.push(" OR study.study_instance_uid >= ");
    sql.bind(Bind::Text(study_instance_uid.to_string()));
    sql.push(")");
}

/// Adds `" ORDER BY ..."`. `few`: few rows are found first and then sorted; `|| ''` keeps the planner from the index
/// that gives the order but has the whole archive in it.
pub(super) fn push_order(sql: &mut Sql, query: &SearchQuery, few: bool) {
    sql.push(" ORDER BY ");
    if let Order::By(keys) = &query.order {
        for key in keys.iter().filter(|key| key.attribute.sorts(query.level)) {
            push_key(sql, *key);
        }
    }
    sql.push(match (&query.order, few) {
        (Order::Standard | Order::StandardFrom(_), false) => {
            "study.study_date DESC, study.study_instance_uid"
        }
        (Order::Standard | Order::StandardFrom(_) | Order::By(_), _) => {
            "study.study_date || '' DESC, study.study_instance_uid"
        }
        (Order::OldestFirst, false) => "study.study_date, study.study_instance_uid DESC",
        (Order::OldestFirst, true) => "study.study_date || '', study.study_instance_uid DESC",
    });
    match query.level {
        Level::Study => {}
        Level::Series => {
            sql.push(", series.series_number IS NULL, series.series_number, series.series_instance_uid");
        }
        Level::Instance => {
            sql.push(", ");
            sql.push(INSTANCE_ORDER);
        }
    }
}

/// Rows without a value come last in both directions: nobody looks for them first.
fn push_key(sql: &mut Sql, key: SortKey) {
    let column = key.attribute.column();
    if key.attribute.kind() == Kind::Number {
        sql.push(column);
        sql.push(" IS NULL, ");
    } else {
        sql.push(column);
        sql.push(" = '', ");
    }
    sql.push(column);
    sql.push(if key.descending { " DESC, " } else { ", " });
}
