//! The clinical door: REST and JSON for doctors and the platforms they work with, described by OpenAPI 3.1.
//!
//! `router.rs` lists every route. One file holds one operation: its request, its handler, its answer. Who may call
//! it stands in the handler's arguments as a `policy::Permit`, and again in its OpenAPI security requirement; a
//! test compares both with the rules of `model::access`.

mod aes;
mod audit;
mod audit_records;
mod audit_watch;
mod availability;
mod break_glass;
mod clients;
mod config;
mod consultations;
mod devices;
mod doctors;
mod documents;
mod errors;
mod events;
mod forwarding;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod idempotency;
mod input;
mod location;
mod openapi;
mod patients;
mod performed_steps;
mod policy;
mod prescriptions;
mod reports;
mod rooms;
mod router;
mod sessions;
mod shares;
mod state;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod webhooks;
mod worklist;
mod xrays;

pub use break_glass::watch::watch_break_glass;
pub use config::{DoctorApiConfig, DoctorApiConfigError};
pub use openapi::PUBLIC_OPERATIONS;
pub use router::{openapi, router, router_until};
pub use state::DoctorApiState;

use model::StudyInstanceUid;
use service::http::problem::Problem;

/// A UID out of a path: what is none names nothing.
fn study_in_path(text: &str) -> Result<StudyInstanceUid, Problem> {
    StudyInstanceUid::parse(text).map_err(|_| Problem::not_found())
}
