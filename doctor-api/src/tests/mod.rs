//! The routes over a real SQLite archive in a directory of the test.

mod access;
mod aes;
mod audit;
mod consultations;
mod devices;
mod doctors;
mod events;
mod house;
mod openapi;
mod part10;
mod rights;
mod sessions;
mod users;
mod xrays;
