//! End to end: the true program, real senders and readers, both databases.

mod access;
mod crash;
mod dicomweb;
mod dimse;
mod doctor_api;
mod encryption;
mod every_file;
mod first_xray;
mod hostile;
mod identity;
mod regressions;
mod tls;
