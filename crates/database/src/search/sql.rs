//! A statement under construction: constant fragments in the text, values only as binds.

use std::fmt::Write as _;

use crate::{scope::ReachBind, statement::Dialect};

/// A value to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bind {
    Text(String),
    Number(i64),
    Reach(ReachBind),
}

/// SQL under construction.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) dialect: Dialect,
    pub(super) text: String,
    pub(super) binds: Vec<Bind>,
}

impl Sql {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), binds: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn bind(&mut self, value: Bind) {
        self.binds.push(value);
        let _ = write!(self.text, "${}", self.binds.len());
    }

    pub(super) fn compare(&mut self, left: &str, operator: &str, value: String) {
        let _ = write!(self.text, "{left} {operator} ");
        self.bind(Bind::Text(value));
    }

    /// Compares folded with folded, or with `lower()`: LIKE folds case on SQLite and not on PostgreSQL.
    pub(super) fn like(&mut self, left: &str, pattern: String) {
        self.compare(left, "LIKE", pattern);
        self.push(" ESCAPE '!'");
    }
}
