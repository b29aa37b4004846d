//! Previews: pending, made, failed.

use database::{PREVIEW_ATTEMPTS_MAX, PreviewObjects, PreviewState};
use model::event::Event;
use uuid::Uuid;

use crate::support::{Home, instance};

on_both_engines!(
    previews_are_made_once_oldest_first,
    failures_are_tried_again_and_given_up,
    instances_without_pixels_have_none,
);

fn objects() -> PreviewObjects {
    PreviewObjects {
        preview_key: Uuid::now_v7(),
        preview_length_bytes: 20_000,
        preview_seal: vec![7; 128],
        thumbnail_key: Uuid::now_v7(),
        thumbnail_length_bytes: 3_000,
        thumbnail_seal: vec![2; 128],
        media_type: "image/jpeg".to_owned(),
        width: 1_024,
        height: 768,
    }
}

async fn event_names(home: &Home) -> Vec<&'static str> {
    let events = home.database.outbox_after(0, 99).await.expect("events");
    events.iter().map(|envelope| envelope.event.name()).collect()
}

async fn pending(home: &Home) -> Vec<Uuid> {
    let pending = home.database.pending_previews(10).await.expect("pending");
    pending.into_iter().map(|instance| instance.id).collect()
}

async fn previews_are_made_once_oldest_first(home: Home) {
    let first = home.put(instance("1.2", 1)).await;
    let second = home.put(instance("1.2", 2)).await;
    assert_eq!(pending(&home).await, [first, second]);
    assert_eq!(home.database.preview(first).await.expect("state"), PreviewState::Pending);
    let made = objects();
    home.database.record_preview(first, made.clone()).await.expect("recorded");
    home.database.record_preview(first, objects()).await.expect("a late second worker");
    home.database.record_preview_failure(first, "late", true).await.expect("a late third worker");
    assert_eq!(home.database.preview(first).await.expect("state"), PreviewState::Made(made));
    assert_eq!(pending(&home).await, [second]);
    assert_eq!(event_names(&home).await, ["instance.stored", "instance.stored", "preview.made"]);
    let unknown = home.database.preview(Uuid::now_v7()).await;
    assert!(matches!(unknown, Err(database::DatabaseError::NotFound)));
}

async fn failures_are_tried_again_and_given_up(home: Home) {
    let id = home.put(instance("1.2", 1)).await;
    for _ in 1..PREVIEW_ATTEMPTS_MAX {
        home.database.record_preview_failure(id, "decoder timed out", false).await.expect("recorded");
        assert_eq!(pending(&home).await, [id]);
    }
    home.database.record_preview_failure(id, "decoder timed out", false).await.expect("recorded");
    assert!(pending(&home).await.is_empty());
    let failed = PreviewState::Failed { reason: "decoder timed out".to_owned() };
    assert_eq!(home.database.preview(id).await.expect("state"), failed);

    let other = home.put(instance("1.2", 2)).await;
    home.database.record_preview_failure(other, "no such codec", true).await.expect("recorded");
    assert!(pending(&home).await.is_empty());
    let events = home.database.outbox_after(0, 99).await.expect("events");
    let last = &events.last().expect("an event").event;
    assert!(
        matches!(last, Event::PreviewFailed { xray_id, reason, .. } if *xray_id == other && reason == "no such codec")
    );
    assert_eq!(events.len(), 4);
    home.database.record_preview(other, objects()).await.expect("made after all");
    assert!(matches!(home.database.preview(other).await, Ok(PreviewState::Made(_))));
}

async fn instances_without_pixels_have_none(home: Home) {
    let mut report = instance("1.2", 1);
    report.header.pixel_module = None;
    let id = home.put(report).await;
    assert!(pending(&home).await.is_empty());
    assert!(matches!(home.database.preview(id).await, Ok(PreviewState::Failed { .. })));
}

/// Two nodes over one queue: what one is at the other leaves, also when it read the queue before.
#[tokio::test]
async fn a_preview_is_claimed_by_one_node() {
    let home = Home::postgres().await;
    let other = home.reopen().await;
    let (first, second) = (home.put(instance("1.2", 1)).await, home.put(instance("1.2", 2)).await);
    let third = home.put(instance("1.2", 3)).await;
    let queue = [first, second, third];
    let (mut ours, mut theirs) = (home.database.preview_claims(), other.preview_claims());
    assert_eq!(ours.claim(&queue, 1).await.expect("claimed"), [first].into());
    assert_eq!(theirs.claim(&queue, 1).await.expect("claimed"), [second].into());
    assert_eq!(
        ours.claim(&queue, 9).await.expect("claimed"),
        [third].into(),
        "own claims are not made twice"
    );
    assert!(theirs.claim(&queue, 9).await.expect("claimed").is_empty());

    home.database.record_preview(first, objects()).await.expect("recorded");
    ours.release(first).await;
    assert!(theirs.claim(&queue, 9).await.expect("claimed").is_empty(), "made after the queue was read");
    ours.release(third).await;
    assert_eq!(theirs.claim(&queue, 9).await.expect("claimed"), [third].into());
    // A node that is gone holds nothing.
    drop(theirs);
    let mut free = std::collections::HashSet::new();
    tests::wait::until("claims end with their node", async || {
        free.extend(ours.claim(&queue, 9).await.expect("claimed"));
        (free == [second, third].into()).then_some(())
    })
    .await;
}
