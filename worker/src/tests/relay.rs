//! Events reach listeners in order, at least once, and not again after they were marked.

use std::time::Duration;

use model::event::Event;
use rendering::wire::handle_request;

use super::{EXPLICIT, Kit, data_set, slope};

#[tokio::test]
async fn stored_comes_before_the_preview_and_each_once() {
    let kit = Kit::open(handle_request).await;
    let mut events = kit.state.events.subscribe();
    let id = kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 8, 8, Some(slope(8, 8)))).await;
    let names = kit
        .while_running(async {
            let mut names = Vec::new();
            for _ in 0..2 {
                names.push(events.recv().await.expect("event").event.name());
            }
            names
        })
        .await;
    assert_eq!(names, ["instance.stored", "preview.made"]);
    let left = kit.state.archive.database().outbox_unrelayed(10).await.expect("outbox");
    assert!(left.is_empty(), "{left:?}");

    // A second start sends only what is new.
    kit.store("1.2.3.4.6", EXPLICIT, data_set("1.2.3.4.6", 8, 8, None)).await;
    let next = kit.while_running(events.recv()).await.expect("event");
    assert!(matches!(&next.event, Event::InstanceStored { xray_id, .. } if *xray_id != id));
}

#[tokio::test]
async fn what_was_not_marked_is_sent_at_the_next_start() {
    let kit = Kit::open(handle_request).await;
    kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 8, 8, None)).await;
    let mut events = kit.state.events.subscribe();
    let first = kit.while_running(events.recv()).await.expect("event");
    assert_eq!(first.event.name(), "instance.stored");
    // It is marked now: the start after that sends what is new, and nothing before it.
    let new = kit.store("1.2.3.4.6", EXPLICIT, data_set("1.2.3.4.6", 8, 8, None)).await;
    let next = kit.while_running(events.recv()).await.expect("event");
    assert!(matches!(&next.event, Event::InstanceStored { xray_id, .. } if *xray_id == new), "{next:?}");
}

#[tokio::test]
async fn what_nobody_hears_is_marked_too() {
    let kit = Kit::open(handle_request).await;
    kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 8, 8, None)).await;
    let database = kit.state.archive.database().clone();
    kit.while_running(async {
        // While it runs, as at its start.
        kit.store("1.2.3.4.6", EXPLICIT, data_set("1.2.3.4.6", 8, 8, None)).await;
        while !database.outbox_unrelayed(10).await.expect("outbox").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // It comes while what is stored just before is still gathered.
        kit.store("1.2.3.4.7", EXPLICIT, data_set("1.2.3.4.7", 8, 8, None)).await;
        let mut events = kit.state.events.subscribe();
        let id = kit.store("1.2.3.4.8", EXPLICIT, data_set("1.2.3.4.8", 8, 8, None)).await;
        loop {
            let heard = events.recv().await.expect("event");
            if matches!(heard.event, Event::InstanceStored { xray_id, .. } if xray_id == id) {
                break;
            }
        }
    })
    .await;
}
