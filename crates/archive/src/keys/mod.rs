//! Keys and patients: which key seals what comes, how keys are changed, and how a patient is erased.
//!
//! Whatever takes more than one step is written down in the database first, and each step can be done again: a process
//! that dies in between is continued by [`Archive::sweep_dropped`] and [`Archive::run_key_job`] of the next one.

mod choose;
mod erase;
mod rotate;
mod settle;
mod sweep;

pub(crate) use choose::StudyKeys;
pub use rotate::KeyJobError;
