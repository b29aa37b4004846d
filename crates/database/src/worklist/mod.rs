//! PS3.4 Annex K, the worklist: requested procedures and their scheduled steps.

mod catch_up;
mod change;
mod follow;
mod list;
mod query;
mod row;

pub(crate) use follow::{Sign, follow};
pub use list::WorklistFilter;
pub use query::{WorklistCondition, WorklistCursor, WorklistKey, WorklistQuery, WorklistStep};
