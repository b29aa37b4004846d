//! Reminders of the true program: at their time, once, over a kill and a restart.

use chrono::TimeDelta;
use model::clock::Clock;
use serde_json::json;
use tests::{
    platform::{Engine, Options, Platform},
    receiver::Receiver,
    wait,
};

use super::{asyncapi, book, impatient, path_of, people, subscribe};

#[tokio::test]
async fn reminders_survive_a_kill_on_sqlite() {
    reminders_survive_a_kill(Engine::Sqlite).await;
}

#[tokio::test]
async fn reminders_survive_a_kill_on_postgres() {
    reminders_survive_a_kill(Engine::Postgres).await;
}

async fn reminders_survive_a_kill(engine: Engine) {
    let options =
        impatient(Options::on(engine)).with("MAXRAY_NOTIFICATIONS__REMINDER_MINUTES_BEFORE", "[60, 1]");
    let mut platform = Platform::start(options).await;
    let ((admin, bookings), receiver) = (people(&platform).await, Receiver::start().await);
    let (_, secret) = subscribe(&admin, &receiver, &["reminder.due"]).await;
    let now = Clock::system().now();
    // The reminder is due in a minute: time enough to make everything on a busy machine.
    let soon = now + TimeDelta::seconds(120);
    let kept = book(&admin, &bookings, "kept", Some(soon)).await;
    let cancelled = book(&admin, &bookings, "cancelled", Some(soon)).await;
    let moved = book(&admin, &bookings, "moved", Some(soon)).await;
    book(&admin, &bookings, "late", Some(now + TimeDelta::seconds(50))).await;
    bookings.post_json(&path_of(&cancelled, "cancel"), &json!({})).await;
    let later = json!({ "scheduled_at": now + TimeDelta::hours(5) });
    bookings.post_json(&path_of(&moved, "reschedule"), &later).await;
    platform.kill();
    // It has to become due while nothing runs.
    let due = soon - TimeDelta::seconds(59);
    tokio::time::sleep((due - Clock::system().now()).to_std().unwrap_or_default()).await;
    assert!(receiver.received().is_empty());
    platform.restart().await;
    let come = receiver.wait_for("reminder.due", 1).await.remove(0);
    platform.kill();
    platform.restart().await;
    // When a reminder that became due later has come, those before it have been looked at.
    let (admin, bookings) = (admin.moved_to(&platform), bookings.moved_to(&platform));
    let next = book(&admin, &bookings, "next", Some(Clock::system().now() + TimeDelta::seconds(75))).await;
    wait::until("the next reminder", async || {
        receiver.received().into_iter().find(|one| one.json()["consultation_id"] == next["id"])
    })
    .await;
    let all = receiver.received();
    // At least once: the kill may have come before the delivery was noted.
    let others = all.iter().filter(|one| one.json()["consultation_id"] != next["id"]);
    assert!(others.clone().all(|one| one.header("webhook-id") == come.header("webhook-id")), "{all:?}");
    assert!(come.is_signed_with(&secret));
    let event = come.json();
    assert_eq!(
        (&event["consultation_id"], &event["minutes_before"], &event["time_zone"]),
        (&kept["id"], &json!(1), &json!("Africa/Accra"))
    );
    assert_eq!(event["scheduled_at"], kept["scheduled_at"]);
    asyncapi::check(&[event.to_string()]);
}
