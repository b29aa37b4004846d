//! Pages of lists: limit and offset, and whether there is more.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{config::DoctorApiConfig, input::check::Checks};

/// Farthest start of a page: beyond it, narrow the search.
pub const OFFSET_MAX: u64 = 1_000_000;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// Most rows that this page could have had.
    pub limit: u32,
    /// Rows left out before the first one.
    pub offset: u64,
    /// There are rows after the last one: ask again with `offset` + `limit`.
    pub more: bool,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    pub limit: u32,
    pub offset: u64,
}

impl PageRequest {
    /// Applies the default and the limits.
    pub fn new(
        limit: Option<u32>,
        offset: Option<u64>,
        config: &DoctorApiConfig,
        checks: &mut Checks,
    ) -> Self {
        let limit = limit.unwrap_or(config.page_default);
        if limit == 0 || limit > config.page_max {
            checks.refuse("limit", format!("must be 1 to {}", config.page_max));
        }
        let offset = offset.unwrap_or(0);
        if offset > OFFSET_MAX {
            checks.refuse("offset", format!("must be 0 to {OFFSET_MAX}; narrow the search instead"));
        }
        Self { limit: limit.min(config.page_max), offset: offset.min(OFFSET_MAX) }
    }

    /// How many rows to fetch, so that one more than the page shows whether there is more.
    pub fn fetch(self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page out of at most [`PageRequest::fetch`] rows.
    pub fn page<R, T>(self, rows: Vec<R>, show: impl Fn(R) -> T) -> Page<T> {
        let more = rows.len() > self.limit as usize;
        let items = rows.into_iter().take(self.limit as usize).map(show).collect();
        Page { items, limit: self.limit, offset: self.offset, more }
    }
}
