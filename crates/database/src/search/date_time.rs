//! PS3.4 C.2.2.2.5.1, Range Matching of combined date and time: from the time of the first day to the time of the last.

use super::{Condition, Matching, sql::Sql};
use crate::text::clean;

/// The condition on the time that makes one range with this condition on a date: when both are ranges.
pub(super) fn combined_time<'a>(date: &Condition, all: &[&'a Condition]) -> Option<&'a Condition> {
    let time = date.attribute.time_of_date().filter(|_| is_range(date))?;
    all.iter().copied().find(|other| other.attribute == time && is_range(other))
}

/// Whether the condition is the time of such a pair: its date says it all.
pub(super) fn is_combined(time: &Condition, all: &[&Condition]) -> bool {
    all.iter().any(|date| combined_time(date, all).is_some_and(|found| found.attribute == time.attribute))
}

fn is_range(condition: &Condition) -> bool {
    matches!(condition.matching, Matching::Range { .. })
}

/// Both ends included; where the date is open, so is the time. The range of days stands there by itself too, for the
/// index.
pub(crate) fn push_combined(sql: &mut Sql, date: (&str, &Matching), time: (&str, &Matching)) {
    let ((date, Matching::Range { from: first, to: last }), (time, Matching::Range { from, to })) =
        (date, time)
    else {
        return;
    };
    sql.push("(");
    sql.push(date);
    sql.push(" <> ''");
    if let Some(first) = first {
        sql.push(" AND ");
        sql.compare(date, ">=", clean(first));
        if let Some(from) = from {
            sql.push(" AND (");
            sql.compare(date, ">", clean(first));
            sql.push(" OR ");
            sql.compare(time, ">=", clean(from));
            sql.push(")");
        }
    }
    if let Some(last) = last {
        sql.push(" AND ");
        sql.compare(date, "<=", format!("{}~", clean(last)));
        if let Some(to) = to {
            sql.push(" AND (");
            sql.compare(date, "<", clean(last));
            sql.push(" OR ");
            // As in a range of times alone: what begins like the last moment belongs to it.
            sql.compare(time, "<=", format!("{}~", clean(to)));
            sql.push(")");
        }
    }
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, statement::Dialect};

    fn range(attribute: Attribute, from: Option<&str>, to: Option<&str>) -> Condition {
        let matching = Matching::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        Condition { attribute, matching }
    }

    #[test]
    fn a_range_of_days_and_one_of_hours_are_one_range() {
        let date = range(Attribute::StudyDate, Some("20260101"), Some("20260131"));
        let time = range(Attribute::StudyTime, Some("10"), Some("11"));
        let all = [&date, &time];
        assert_eq!(combined_time(&date, &all), Some(&time));
        assert!(is_combined(&time, &all) && !is_combined(&date, &all));
        let mut sql = Sql::new(Dialect::Sqlite);
        let column = |one: &Condition| one.attribute.column();
        push_combined(&mut sql, (column(&date), &date.matching), (column(&time), &time.matching));
        assert_eq!(
            sql.text,
            "(study.study_date <> '' AND study.study_date >= $1 AND (study.study_date > $2 OR study.study_time >= $3) \
             AND study.study_date <= $4 AND (study.study_date < $5 OR study.study_time <= $6))"
        );
    }

    #[test]
    fn one_day_or_another_attribute_s_time_is_not_combined() {
        let time = range(Attribute::StudyTime, Some("10"), None);
        let day =
            Condition { attribute: Attribute::StudyDate, matching: Matching::Equals("20260101".to_owned()) };
        assert_eq!(combined_time(&day, &[&day, &time]), None);
        let date = range(Attribute::SeriesDate, Some("20260101"), None);
        assert_eq!(combined_time(&date, &[&date, &time]), None);
        assert!(!is_combined(&time, &[&date, &time]));
    }
}
