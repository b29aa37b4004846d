//! kill -9 in the COMMIT that many bookings share: who was told of a booking has it, with its record, and its time is taken.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use fail_point::Point;
use futures_util::future::join_all;
use model::clock::Clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::{Engine, Options, Platform},
    session::{PASSWORD, Session},
};

/// Clients that book one after the other at the same time.
const CLIENTS: i64 = 8;
/// The commit that is deadly: those before are the start, the signing in, and bookings.
const DEADLY: u64 = 25;
/// How long the program may take to come to it.
const DEATH_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn bookings_outlive_a_kill_in_their_commit_on_sqlite() {
    bookings_outlive_a_kill_in_their_commit(Engine::Sqlite).await;
}

#[tokio::test]
async fn bookings_outlive_a_kill_in_their_commit_on_postgres() {
    bookings_outlive_a_kill_in_their_commit(Engine::Postgres).await;
}

async fn bookings_outlive_a_kill_in_their_commit(engine: Engine) {
    let mut platform = Platform::start(Options { fsync: true, ..Options::on(engine) }).await;
    let admin = platform.user("operator", "admin").await;
    platform.add_user("desk", "service");
    let doctor = admin.post_json("/doctors", &json!({ "name": "Ada" })).await;
    let path = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    let mut begin = Clock::system().now() + TimeDelta::days(1);
    for point in [Point::K16AuditWritten, Point::K17BeforeCommit] {
        let when = format!("killed at {}", point.name());
        platform.kill();
        platform.restart_armed(&format!("{}:kill:{DEADLY}", point.name())).await;
        let desk = platform.sign_in("desk", PASSWORD).await;
        let told = join_all((0..CLIENTS).map(|client| book_until_it_dies(&desk, &path, begin, client))).await;
        platform.await_death(DEATH_TIMEOUT, &when).await;
        platform.restart().await;
        let told: Vec<Value> = told.into_iter().flatten().collect();
        assert!(!told.is_empty(), "{when}: nobody was told of a booking");
        check(&platform, &path, &told, &when).await;
        begin += TimeDelta::days(100);
    }
}

/// Each in a time of its own; gives the bookings that were told of.
async fn book_until_it_dies(desk: &Session, path: &str, begin: DateTime<Utc>, client: i64) -> Vec<Value> {
    let mut told = Vec::new();
    for number in 0.. {
        let at = begin + TimeDelta::minutes(5 * (number * CLIENTS + client));
        let booking =
            json!({ "patient_id": format!("P-{client}"), "scheduled_at": at, "duration_minutes": 5 });
        let Ok(answer) = desk.request(Method::POST, path).json(&booking).send().await else { break };
        assert_eq!(answer.status(), StatusCode::CREATED);
        let Ok(booked) = answer.json().await else { break };
        told.push(booked);
    }
    told
}

async fn check(platform: &Platform, path: &str, told: &[Value], when: &str) {
    let desk = platform.sign_in("desk", PASSWORD).await;
    let admin = platform.sign_in("operator", PASSWORD).await;
    let records = admin.get_json("/audit?action=create_consultation&limit=1000").await;
    let records = records["items"].as_array().expect("records").iter();
    let recorded: BTreeSet<&str> = records.filter_map(|record| record["subject"].as_str()).collect();
    for booked in told {
        let id = booked["id"].as_str().expect("an id");
        let found = desk.get_json(&format!("/consultations/{id}")).await;
        for field in ["id", "patient_id", "scheduled_at", "ends_at", "status"] {
            assert_eq!(found[field], booked[field], "{when}: {field} of {found}");
        }
        assert!(recorded.contains(id), "{when}: no record of {id}");
        let again =
            json!({ "patient_id": "Q", "scheduled_at": booked["scheduled_at"], "duration_minutes": 5 });
        let refused = desk.request(Method::POST, path).json(&again).send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{when}: its time is free");
    }
    platform.assert_verified(None, when);
}
