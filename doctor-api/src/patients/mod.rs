//! What belongs to a patient.

pub mod list_studies;
