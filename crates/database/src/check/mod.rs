//! What checks of the whole archive ask: every answer is a page or a bounded list, whatever the archive holds.

mod index;
mod invariants;
mod objects;

pub use invariants::{LinkedWrongly, StoredEvent};
pub use objects::PreviewRow;
