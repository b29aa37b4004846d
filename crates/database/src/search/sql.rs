//! A statement under construction: constant fragments in the text, values only as binds.

use std::fmt::Write as _;

use super::Attribute;
use crate::{scope::ReachBind, statement::Dialect};

/// A value to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    Text(String),
    Number(i64),
    Reach(ReachBind),
}

/// SQL under construction.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
    /// Patients' names may be looked for by their trigrams.
    pub(crate) trigrams: bool,
}

impl Sql {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), binds: Vec::new(), trigrams: false }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn bind(&mut self, value: Bind) {
        self.binds.push(value);
        let _ = write!(self.text, "${}", self.binds.len());
    }

    pub(crate) fn compare(&mut self, left: &str, operator: &str, value: String) {
        let _ = write!(self.text, "{left} {operator} ");
        self.bind(Bind::Text(value));
    }

    /// Compares folded with folded, or with `lower()`: LIKE folds case on SQLite and not on PostgreSQL. `|| ''` keeps the
    /// planner from the trigrams of names where nobody knows that they lead to few: it would guess.
    pub(crate) fn like(&mut self, left: &str, pattern: String) {
        let has_trigrams = self.dialect == Dialect::Postgres && left == Attribute::PatientName.column();
        if has_trigrams && !self.trigrams {
            self.compare(&format!("({left} || '')"), "LIKE", pattern);
        } else {
            self.compare(left, "LIKE", pattern);
        }
        self.push(" ESCAPE '!'");
    }
}
