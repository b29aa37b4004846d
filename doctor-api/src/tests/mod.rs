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
mod house;
mod idempotency;
mod notes;
mod openapi;
mod part10;
mod patients;
mod practice;
mod prescriptions;
mod reports;
mod rights;
mod sessions;
mod uploads;
mod users;
mod webhooks;
mod worklist;
mod xrays;
