//! Doctors and consultations as the database keeps them and REST shows them (after FHIR Practitioner and Encounter).

mod consultation;
mod doctor;
mod prescription;

pub use consultation::{Consultation, ConsultationCommand, ConsultationStatus, UnknownStatus};
pub use doctor::{Doctor, DoctorDetails, Fee, Licence, Specialty};
pub use prescription::{
    ATC, Frequency, Medication, Prescription, PrescriptionContent, PrescriptionItem, PrescriptionPatient,
    PrescriptionStatus, Quantity, RXNORM, SignedPrescription, UnknownPrescriptionStatus, is_medication_code,
    is_unit,
};
