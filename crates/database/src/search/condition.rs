//! PS3.4 C.2.2.2, Attribute Matching: which conditions a search has, and from which rows to start.

use super::{
    Attribute, Condition, Level, Matching, SearchQuery,
    date_time::{combined_time, is_combined, push_combined},
    matching::{prefix, push_condition},
    name_words::is_selective,
    sql::{Bind, Sql},
};
use crate::scope::Reach;

/// Characters before the first wildcard from which on a pattern is taken to name few rows.
const SELECTIVE_PREFIX: usize = 3;

/// Whether it picks so few rows, by an index, that a plan had better start from them than look at the newest studies
/// one by one. Said here because a planner without statistics takes any condition for a weak one.
pub(super) fn names_few(condition: &Condition, fuzzy: bool) -> bool {
    let attribute = condition.attribute;
    if attribute == Attribute::PatientName && fuzzy {
        return is_selective(&condition.matching);
    }
    let single = matches!(
        attribute,
        Attribute::StudyInstanceUID
            | Attribute::SeriesInstanceUID
            | Attribute::SOPInstanceUID
            | Attribute::PatientID
            | Attribute::AccessionNumber
            | Attribute::PatientName
    );
    match &condition.matching {
        Matching::Equals(_) | Matching::UidList(_) => single,
        Matching::Wildcard(pattern) => {
            single && attribute.vr() != "UI" && prefix(pattern).chars().count() >= SELECTIVE_PREFIX
        }
        Matching::Range { .. } => false,
    }
}

/// Adds `" AND ..."` for what is in reach. It has the first parameters.
pub(super) fn push_reach(sql: &mut Sql, reach: &Reach) {
    sql.push(&reach.sql);
    sql.binds.extend(reach.binds.iter().copied().map(Bind::Reach));
}

/// Adds `" AND ..."` for every condition. `by_trigrams`: those on the patient lead to few.
pub(super) fn push_conditions(sql: &mut Sql, query: &SearchQuery, by_trigrams: bool) {
    let of_few_patients =
        |c: &&Condition| c.attribute.is_of_patient() && (by_trigrams || names_few(c, query.fuzzy));
    let (patients, others): (Vec<_>, Vec<_>) =
        query.conditions.iter().filter(|c| c.attribute.level() <= query.level).partition(of_few_patients);
    if !patients.is_empty() {
        push_patients(sql, "study.patient", &patients, query, by_trigrams);
    }
    push_each(sql, &others, query);
    push_deeper(sql, query);
}

/// Adds `" AND ..."` for conditions on patients who are found first: the column is the key of one of them.
pub(super) fn push_patients(
    sql: &mut Sql,
    column: &str,
    conditions: &[&Condition],
    query: &SearchQuery,
    by_trigrams: bool,
) {
    let (before, after) = sql.dialect.any_of();
    sql.push(&format!(" AND {column} {before}SELECT patient.id FROM patient WHERE 1 = 1"));
    sql.trigrams = by_trigrams;
    push_each(sql, conditions, query);
    sql.trigrams = false;
    sql.push(after);
}

pub(super) fn push_each(sql: &mut Sql, conditions: &[&Condition], query: &SearchQuery) {
    for condition in conditions {
        if query.combined_date_time && is_combined(condition, conditions) {
            continue;
        }
        sql.push(" AND ");
        match combined_time(condition, conditions).filter(|_| query.combined_date_time) {
            Some(time) => push_combined(
                sql,
                (condition.attribute.column(), &condition.matching),
                (time.attribute.column(), &time.matching),
            ),
            None => push_condition(sql, condition, query.fuzzy),
        }
    }
}

/// Conditions on a level below the one asked for: there is one series or instance that meets all of them.
pub(super) fn push_deeper(sql: &mut Sql, query: &SearchQuery) {
    let deeper = |level: Level| query.conditions.iter().filter(move |c| c.attribute.level() == level);
    let series = deeper(Level::Series).filter(|_| query.level < Level::Series);
    let instances: Vec<_> = deeper(Level::Instance).filter(|_| query.level < Level::Instance).collect();
    let of_instances = !instances.is_empty();
    let conditions: Vec<_> = series.chain(instances).collect();
    if conditions.is_empty() {
        return;
    }
    // Few rows are listed first; very many are better asked of each study in turn until the page is full.
    let few = conditions.iter().any(|condition| names_few(condition, query.fuzzy));
    sql.push(match (query.level, of_instances, few) {
        (Level::Study, false, true) => " AND study.id IN (SELECT series.study FROM series WHERE 1 = 1",
        (Level::Study, false, false) => " AND EXISTS (SELECT 1 FROM series WHERE series.study = study.id",
        (Level::Study, true, true) => {
            " AND study.id IN (SELECT series.study FROM instance JOIN series ON series.id = instance.series \
             WHERE instance.current"
        }
        (Level::Study, true, false) => {
            " AND EXISTS (SELECT 1 FROM series JOIN instance ON instance.series = series.id \
             WHERE series.study = study.id AND instance.current"
        }
        (_, _, true) => " AND series.id IN (SELECT instance.series FROM instance WHERE instance.current",
        (_, _, false) => {
            " AND EXISTS (SELECT 1 FROM instance WHERE instance.series = series.id AND instance.current"
        }
    });
    push_each(sql, &conditions, query);
    sql.push(")");
}
