//! End to end: the true program, real senders and readers, both databases.

mod access;
mod ae;
mod audit;
mod commitment;
mod crash;
mod decoder;
mod dicomweb;
mod dimse;
mod doctor_api;
mod encryption;
mod every_file;
mod file_set;
mod first_xray;
mod hostile;
mod http_limits;
mod identity;
mod mpps;
mod power_cut;
mod proof;
mod query_retrieve;
mod regressions;
mod s3_faults;
mod tls;
mod transcoding;
mod viewers;
mod worklist;
