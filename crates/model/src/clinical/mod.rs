//! Doctors and consultations as the database keeps them and REST shows them (after FHIR Practitioner and Encounter), and what
//! doctors write and sign.

mod consultation;
mod doctor;
mod document;
mod prescription;
mod report;

pub use consultation::{Consultation, ConsultationCommand, ConsultationStatus, UnknownStatus};
pub use doctor::{Doctor, DoctorDetails, Fee, Licence, Specialty};
pub use document::{
    ClinicalDocument, DocumentContent, DocumentPatient, DocumentSignature, DocumentStatus, SignerProfile,
    UnknownDocumentStatus,
};
pub use prescription::{
    ATC, Frequency, Medication, Prescription, PrescriptionContent, PrescriptionItem, Quantity, RXNORM,
    is_medication_code, is_unit,
};
pub use report::{Coding, ICD_10, ICD_10_CM, RADLEX, Report, ReportContent, SNOMED_CT, is_diagnosis_code};
