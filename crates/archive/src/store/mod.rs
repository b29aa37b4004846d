//! The way in: one instance from a door into the archive.

mod commit;
mod error;
mod intake;
mod metrics;
mod writer;

pub use error::StoreError;
pub use writer::{ExpectedPatient, Form, InstanceWriter, Stored};
