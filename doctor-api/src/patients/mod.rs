//! What belongs to a patient.

mod demographics;
pub mod get_patient;
pub mod list_studies;
pub mod past;
pub mod read_access_report;
pub mod read_patient_history;
pub mod registry;
