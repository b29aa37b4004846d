//! What is counted. Labels are the door and the outcome, never anything that a sender chose.

use std::time::Duration;

use database::StoreOutcome;
use metrics::{counter, histogram};

use super::{StoreError, Stored};

pub(super) fn record(door: &'static str, bytes: u64, result: Result<&Stored, &StoreError>) {
    let outcome = match result.map(|stored| &stored.outcome) {
        Ok(StoreOutcome::Stored { .. }) => "stored",
        Ok(StoreOutcome::Duplicate { .. }) => "duplicate",
        Ok(StoreOutcome::Conflict { .. }) => "conflict",
        Err(error) if error.is_transient() => "failed",
        Err(_) => "refused",
    };
    counter!("maxray_instances_stored_total", "door" => door, "outcome" => outcome).increment(1);
    counter!("maxray_instance_received_bytes_total", "door" => door, "outcome" => outcome).increment(bytes);
}

pub(super) fn record_commit_time(door: &'static str, time: Duration) {
    histogram!("maxray_instance_commit_seconds", "door" => door).record(time.as_secs_f64());
}
