//! Checks of single objects against what is known about them, for `maxray verify`, and the search for objects that
//! nothing knows. Everything here only reads.

mod instance;
mod orphans;

pub use instance::{CheckError, Depth, Difference};
pub use orphans::{Orphan, OrphanError};
