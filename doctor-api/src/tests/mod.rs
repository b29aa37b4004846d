//! The routes over a real SQLite archive in a directory of the test.

mod access;
mod aes;
mod audit;
mod availability;
mod consultation_life;
mod consultations;
mod devices;
mod doctors;
mod events;
mod forwarding;
mod house;
mod idempotency;
mod notes;
mod openapi;
mod part10;
mod patient_service;
mod patients;
mod prescriptions;
mod rights;
mod sessions;
mod uploads;
mod users;
mod webhooks;
mod worklist;
mod xrays;
