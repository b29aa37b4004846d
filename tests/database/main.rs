//! The same cases on SQLite and on PostgreSQL.

#[macro_use]
mod support;

mod access;
mod appointments;
mod audit;
mod availability;
mod commitments;
mod consultations;
mod deletions;
mod documents;
mod erasures;
mod events;
mod forwards;
mod group_commit;
mod identity;
mod leases;
mod lost_server;
mod neighbours;
mod notifications;
mod opening;
mod people;
mod plans;
mod previews;
mod quiet_studies;
mod reading;
mod reindex;
mod scope;
mod search;
mod sessions;
mod speed;
mod worklist;
mod xrays;
