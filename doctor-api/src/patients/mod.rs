//! What belongs to a patient.

pub mod list_studies;
pub mod read_access_report;
