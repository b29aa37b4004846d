//! PS3.4 C.2.2.2, Attribute Matching, as SQL: constant fragments and bound values, never a value in the text.

use std::fmt::Write as _;

use model::text::{fold, fold_person_name};

use super::{
    Attribute, Condition, Matching,
    attribute::Kind,
    name_words::push_name_words,
    sql::{Bind, Sql},
};
use crate::text::{clean, index_fold_person_name};

/// Sorts after every text that starts with what stands before it.
const AFTER_PREFIX: char = '\u{10ffff}';
/// Values of one list at most; beyond that the list is cut, so nothing more is found than was asked for.
const LIST_VALUES_MAX: usize = 10_000;

/// What stands before the first wildcard.
pub(super) fn prefix(pattern: &str) -> &str {
    &pattern[..pattern.find(['*', '?']).unwrap_or(pattern.len())]
}

/// One condition.
pub(super) fn push_condition(sql: &mut Sql, condition: &Condition, fuzzy: bool) {
    let column = condition.attribute.column();
    match condition.attribute.kind() {
        Kind::AnySeries => {
            sql.push("EXISTS (SELECT 1 FROM series of_study WHERE of_study.study = study.id AND ");
            push_code(sql, column, &condition.matching);
            sql.push(")");
        }
        Kind::AnyInstance => {
            sql.push(
                "EXISTS (SELECT 1 FROM series of_study JOIN instance of_series \
                 ON of_series.series = of_study.id WHERE of_study.study = study.id AND of_series.current AND ",
            );
            push_code(sql, column, &condition.matching);
            sql.push(")");
        }
        Kind::Uid | Kind::Code => push_code(sql, column, &condition.matching),
        Kind::Codes => push_codes(sql, column, &condition.matching),
        Kind::Text => push_text(sql, column, &condition.matching),
        Kind::PersonName => match &condition.matching {
            Matching::Equals(value) | Matching::Wildcard(value)
                if fuzzy && !value.is_empty() && condition.attribute == Attribute::PatientName =>
            {
                push_name_words(sql, value);
            }
            matching => push_person_name(sql, column, matching, fuzzy),
        },
        Kind::Number => push_number(sql, column, &condition.matching),
    }
}

pub(crate) fn push_code(sql: &mut Sql, column: &str, matching: &Matching) {
    match matching {
        Matching::Equals(value) => sql.compare(column, "=", clean(value)),
        Matching::Wildcard(pattern) => {
            sql.like(&format!("lower({column})"), like_pattern(&clean(pattern).to_ascii_lowercase()));
        }
        Matching::Range { from, to } => push_range(sql, column, from.as_deref(), to.as_deref()),
        Matching::UidList(values) => push_list(sql, column, values.iter().map(|value| clean(value))),
    }
}

/// The last second of `to` belongs to the range, also when `to` stops at the minute: a longer text that starts
/// with it comes before `~`.
fn push_range(sql: &mut Sql, column: &str, from: Option<&str>, to: Option<&str>) {
    let _ = write!(sql.text, "({column} <> ''");
    if let Some(from) = from {
        sql.push(" AND ");
        sql.compare(column, ">=", clean(from));
    }
    if let Some(to) = to {
        sql.push(" AND ");
        sql.compare(column, "<=", format!("{}~", clean(to)));
    }
    sql.push(")");
}

fn push_list(sql: &mut Sql, column: &str, values: impl Iterator<Item = String>) {
    let _ = write!(sql.text, "{column} IN (");
    let mut first = true;
    for value in values.take(LIST_VALUES_MAX) {
        if !first {
            sql.push(", ");
        }
        first = false;
        sql.bind(Bind::Text(value));
    }
    if first {
        sql.push("NULL");
    }
    sql.push(")");
}

/// Any of the values between backslashes (PS3.4 C.2.2.2.1).
fn push_codes(sql: &mut Sql, column: &str, matching: &Matching) {
    let surrounded = format!("lower('\\' || {column} || '\\')");
    let one = |sql: &mut Sql, pattern: &str| {
        sql.like(&surrounded, format!("%\\{}\\%", pattern.to_ascii_lowercase()));
    };
    match matching {
        Matching::Equals(value) if value.is_empty() => sql.compare(column, "=", String::new()),
        Matching::Equals(value) => one(sql, &escape(&clean(value))),
        Matching::Wildcard(pattern) => one(sql, &like_pattern(&clean(pattern))),
        Matching::Range { from, to } => push_range(sql, column, from.as_deref(), to.as_deref()),
        Matching::UidList(values) => {
            sql.push("(1 = 0");
            for value in values.iter().take(LIST_VALUES_MAX) {
                sql.push(" OR ");
                one(sql, &escape(&clean(value)));
            }
            sql.push(")");
        }
    }
}

pub(crate) fn push_text(sql: &mut Sql, column: &str, matching: &Matching) {
    match matching {
        Matching::Equals(value) => sql.compare(column, "=", fold(&clean(value))),
        Matching::Wildcard(pattern) => push_wildcard(sql, column, &fold(&clean(pattern))),
        Matching::Range { from, to } => {
            let (from, to) = (from.as_deref().map(fold), to.as_deref().map(fold));
            push_range(sql, column, from.as_deref(), to.as_deref());
        }
        Matching::UidList(values) => push_list(sql, column, values.iter().map(|value| fold(&clean(value)))),
    }
}

/// A LIKE, and the range of an index that its constant start allows: a bound LIKE pattern uses none by itself.
pub(super) fn push_wildcard(sql: &mut Sql, column: &str, folded: &str) {
    let prefix = prefix(folded);
    sql.push("(");
    if !prefix.is_empty() {
        sql.compare(column, ">=", prefix.to_owned());
        sql.push(" AND ");
        sql.compare(column, "<", format!("{prefix}{AFTER_PREFIX}"));
        sql.push(" AND ");
    }
    sql.like(column, like_pattern(folded));
    sql.push(")");
}

/// A column holds up to three component groups with `=` between them, the alphabetic one first. Text in ASCII is
/// looked for at the start, where an index helps; other text also at the start of the other groups.
pub(crate) fn push_person_name(sql: &mut Sql, column: &str, matching: &Matching, fuzzy: bool) {
    match matching {
        // Empty Value Matching (PS3.4 C.2.2.2.7): a name that begins with its second group is not empty, and no name is
        // without the words of none.
        Matching::Equals(value) if value.is_empty() => sql.compare(column, "=", String::new()),
        Matching::Equals(value) | Matching::Wildcard(value) if fuzzy => push_words(sql, column, value),
        Matching::Equals(value) => push_group(sql, column, &index_fold_person_name(&clean(value)), false),
        Matching::Wildcard(pattern) => {
            push_group(sql, column, &index_fold_person_name(&clean(pattern)), true);
        }
        Matching::Range { .. } => push_text(sql, column, matching),
        Matching::UidList(values) => {
            sql.push("(1 = 0");
            for value in values.iter().take(LIST_VALUES_MAX) {
                sql.push(" OR ");
                push_group(sql, column, &index_fold_person_name(&clean(value)), false);
            }
            sql.push(")");
        }
    }
}

fn push_group(sql: &mut Sql, column: &str, folded: &str, wildcard: bool) {
    let pattern = if wildcard { like_pattern(folded) } else { escape(folded) };
    // What ends in `*` goes on beyond its group by itself.
    let goes_on = wildcard && folded.ends_with('*');
    sql.push("(");
    if wildcard {
        push_wildcard(sql, column, folded);
        if !goes_on {
            sql.push(" OR ");
            push_wildcard(sql, column, &format!("{folded}=*"));
        }
    } else {
        sql.compare(column, "=", folded.to_owned());
        sql.push(" OR (");
        sql.compare(column, ">=", format!("{folded}="));
        sql.push(" AND ");
        sql.compare(column, "<", format!("{folded}={AFTER_PREFIX}"));
        sql.push(")");
    }
    if !folded.is_ascii() {
        sql.push(" OR ");
        sql.like(column, format!("%={pattern}"));
        if !goes_on {
            sql.push(" OR ");
            sql.like(column, format!("%={pattern}=%"));
        }
    }
    sql.push(")");
}

fn push_words(sql: &mut Sql, column: &str, value: &str) {
    let folded = fold_person_name(&clean(value).replace(['*', '?'], " "));
    sql.push("(1 = 1");
    for word in folded.split(' ').filter(|word| !word.is_empty()) {
        let word = escape(word);
        sql.push(" AND (");
        for (index, before) in ["", "% ", "%="].into_iter().enumerate() {
            if index > 0 {
                sql.push(" OR ");
            }
            sql.like(column, format!("{before}{word}%"));
        }
        sql.push(")");
    }
    sql.push(")");
}

fn push_number(sql: &mut Sql, column: &str, matching: &Matching) {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let mut parts = Vec::new();
    match matching {
        // Empty Value Matching (PS3.4 C.2.2.2.7).
        Matching::Equals(value) if value.is_empty() => {
            let _ = write!(sql.text, "{column} IS NULL");
            return;
        }
        Matching::Equals(value) | Matching::Wildcard(value) => parts.push(("=", number(value))),
        Matching::Range { from, to } => {
            parts.extend(from.as_deref().map(|from| (">=", number(from))));
            parts.extend(to.as_deref().map(|to| ("<=", number(to))));
        }
        Matching::UidList(values) => {
            sql.push("(1 = 0");
            for value in values.iter().take(LIST_VALUES_MAX).filter_map(|value| number(value)) {
                let _ = write!(sql.text, " OR {column} = ");
                sql.bind(Bind::Number(value));
            }
            sql.push(")");
            return;
        }
    }
    let _ = write!(sql.text, "({column} IS NOT NULL");
    for (operator, value) in parts {
        match value {
            Some(value) => {
                let _ = write!(sql.text, " AND {column} {operator} ");
                sql.bind(Bind::Number(value));
            }
            // What is no number equals none.
            None => sql.push(" AND 1 = 0"),
        }
    }
    sql.push(")");
}

fn escape(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// `*` and `?` as LIKE has them.
fn like_pattern(pattern: &str) -> String {
    escape(pattern).replace('*', "%").replace('?', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_escape_what_like_would_read() {
        assert_eq!(like_pattern("a_b%c!d*e?"), "a!_b!%c!!d%e_");
    }

    #[test]
    fn a_list_of_nothing_finds_nothing() {
        let mut sql = Sql::new(crate::statement::Dialect::Sqlite);
        push_list(&mut sql, "x", std::iter::empty());
        assert_eq!(sql.text, "x IN (NULL)");
    }
}
