//! PS3.18 8.7.3.5: what is answered when something cannot be had in another transfer syntax.

pub use conversion::{Patience, TranscodeError};
use service::http::problem::Problem;

use super::{read_problem, render};

/// As an answer.
pub fn problem(error: TranscodeError) -> Problem {
    match error {
        TranscodeError::Read(error) => read_problem(&error),
        TranscodeError::NotPossible(detail) => render::not_renderable(&detail),
        TranscodeError::Busy(problem) => problem,
    }
}
