//! What is asked of X-rays: what people say of one takes the place of what its data set says.

use chrono::{NaiveDate, NaiveTime};

use super::sql::{Bind, Sql};
use crate::{scope::ReachBind, text::clean};

/// What else must hold of X-rays, by what people say of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct XrayConditions {
    /// The body part that somebody said, else Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// Made on this day of UTC or later as somebody said, else Study Date (0008,0020).
    pub from: Option<NaiveDate>,
}

impl XrayConditions {
    /// Nothing else.
    pub(super) const NONE: Self = Self { body_part: None, from: None };
}

/// What somebody said of the instance.
const SAID: &str = "SELECT 1 FROM xray_metadata said WHERE said.instance = instance.id AND said";

/// Adds `" AND ..."` to a search of instances.
pub(super) fn push_said(sql: &mut Sql, conditions: &XrayConditions) {
    if let Some(body_part) = &conditions.body_part {
        sql.push(
            " AND COALESCE((SELECT NULLIF(said.body_part, '') FROM xray_metadata said \
             WHERE said.instance = instance.id), series.body_part_examined) = ",
        );
        sql.bind(Bind::Text(clean(body_part)));
    }
    if let Some(from) = conditions.from {
        sql.push(&format!(" AND (EXISTS ({SAID}.captured_at >= "));
        sql.bind(Bind::Reach(ReachBind::Time(from.and_time(NaiveTime::MIN).and_utc())));
        sql.push(&format!(") OR (NOT EXISTS ({SAID}.captured_at IS NOT NULL) AND "));
        sql.compare("study.study_date", ">=", from.format("%Y%m%d").to_string());
        sql.push("))");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Dialect;

    #[test]
    fn nothing_is_asked_of_what_nobody_asks_for() {
        let mut sql = Sql::new(Dialect::Sqlite);
        push_said(&mut sql, &XrayConditions::NONE);
        assert_eq!(sql.text, "");
        let from = NaiveDate::from_ymd_opt(2026, 5, 3);
        push_said(&mut sql, &XrayConditions { body_part: None, from });
        assert_eq!(
            sql.text,
            " AND (EXISTS (SELECT 1 FROM xray_metadata said WHERE said.instance = instance.id \
             AND said.captured_at >= $1) OR (NOT EXISTS (SELECT 1 FROM xray_metadata said \
             WHERE said.instance = instance.id AND said.captured_at IS NOT NULL) AND study.study_date >= $2))"
        );
    }
}
