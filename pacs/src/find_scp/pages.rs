//! The answers of one query, page by page.

use std::collections::HashSet;

use database::{Order, SearchQuery, SearchRow, StudyPlace};
use model::access::Scope;
use uuid::Uuid;

use super::{Found, query::Query};
use crate::query_retrieve::{information_model::QueryLevel, lookup::Lookup, response::Refused};

/// Rows read at once.
const PAGE_ROWS: u32 = 200;

/// Reads on where the last page ended.
pub struct Pages<'a, L> {
    lookup: &'a L,
    scope: &'a Scope,
    query: SearchQuery,
    of_patients: bool,
    after: Option<Uuid>,
    /// What the last page had: its last row comes again, and more of them when a study comes in meanwhile.
    seen: HashSet<String>,
    more: bool,
}

impl<'a, L: Lookup> Pages<'a, L> {
    /// At the beginning.
    pub fn new(lookup: &'a L, scope: &'a Scope, query: &Query) -> Self {
        let of_patients = query.level == QueryLevel::Patient;
        let query = SearchQuery {
            level: query.search_level(),
            conditions: query.conditions.clone(),
            order: Order::Standard,
            limit: PAGE_ROWS,
            offset: 0,
            fuzzy: query.options.fuzzy,
            combined_date_time: query.options.date_time,
            count_max: 0,
        };
        Self { lookup, scope, query, of_patients, after: None, seen: HashSet::new(), more: true }
    }

    /// There is another page, or may be.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// The next page.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn next(&mut self) -> Result<Vec<Found>, Refused> {
        if self.of_patients {
            let found = self.lookup.search_patients(self.scope, &self.query, self.after).await?;
            self.more = found.len() == PAGE_ROWS as usize;
            self.after = found.last().map(|last| last.id);
            return Ok(found.into_iter().map(Found::Patient).collect());
        }
        let found = self.lookup.search(self.scope, &self.query).await?;
        self.more = found.more;
        self.go_on_after(&found.rows);
        let before = std::mem::take(&mut self.seen);
        let mut page = Vec::with_capacity(found.rows.len());
        for row in found.rows {
            let uid = uid(&row).to_owned();
            if !before.contains(&uid) {
                page.push(Found::Row(Box::new(row)));
            }
            self.seen.insert(uid);
        }
        Ok(page)
    }
}

impl<L> Pages<'_, L> {
    /// Where the last row was: the next page begins with it once more.
    fn go_on_after(&mut self, rows: &[SearchRow]) {
        let Some(last) = rows.last() else { return };
        let place = StudyPlace {
            study_date: last.study.study_date.clone(),
            study_instance_uid: last.study.study_instance_uid.clone(),
        };
        let is_of_it = |row: &&SearchRow| row.study.study_instance_uid == place.study_instance_uid;
        let of_it = rows.iter().rev().take_while(is_of_it).count();
        let began_with_it = self.query.order == Order::StandardFrom(place.clone());
        let before = if of_it == rows.len() && began_with_it { self.query.offset } else { 0 };
        self.query.offset = before + of_it as u64 - 1;
        self.query.order = Order::StandardFrom(place);
    }
}

fn uid(row: &SearchRow) -> &str {
    if let Some(instance) = &row.instance {
        return instance.attributes.sop_instance_uid.as_str();
    }
    match &row.series {
        Some(series) => series.attributes.series_instance_uid.as_str(),
        None => row.study.study_instance_uid.as_str(),
    }
}
