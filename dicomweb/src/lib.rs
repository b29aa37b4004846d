//! The DICOMweb door (PS3.18): Store (STOW-RS), Search (QIDO-RS) and Retrieve (WADO-RS,
//! WADO-URI) transactions.
//!
//! `media_type`, `multipart`, `dicom_json` and `query_string` are pure: bytes in, values out. `stow_rs`, `qido_rs`
//! and `wado_rs` hold the handlers, one file a resource; `router` has every URL.
#![deny(missing_docs)]

mod acceptable;
mod audit;
mod capabilities;
mod compressed;
mod conditional;
mod config;
mod delete;
pub mod dicom_json;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod media_type;
pub mod multipart;
mod problems;
mod qido_rs;
pub mod query_string;
mod resource;
mod router;
mod state;
mod stow_rs;
#[cfg(test)]
mod tests;
mod urls;
mod wado_rs;
mod wado_uri;
mod zip;

pub use config::{DicomwebConfig, DicomwebConfigError, MOUNT_PATH};
pub use router::{mounts, route_paths, router};
pub use state::DicomwebState;
pub use stow_rs::spool::SpoolConfig;
