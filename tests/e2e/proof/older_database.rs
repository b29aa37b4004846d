//! An older database over the objects of a newer one, or an empty one: no object goes for want of a row, however old it is, until the
//! index has them again.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use tests::{
    platform::{Options, Platform},
    synthetic::Synthetic,
    wait,
};

use super::send;

/// What the log and `maxray verify` say.
const BEHIND: &str = "the database does not know all objects";

async fn platform() -> Platform {
    let options = Options::default()
        .with("MAXRAY_WORKER__PREVIEWS", "false")
        .with("MAXRAY_WORKER__ORPHAN_INTERVAL_SECONDS", "1");
    let platform = Platform::start(options).await;
    send(&platform, &Synthetic::cr("BEFORE", 64, 64).series(3));
    platform
}

/// All objects, each of them older than any grace.
fn aged(platform: &Platform) -> BTreeSet<PathBuf> {
    let objects: BTreeSet<PathBuf> = platform.stored_objects().into_iter().collect();
    for object in &objects {
        platform.age_object(object, Duration::from_hours(1000));
    }
    objects
}

/// The second of two looks that are refused: the first has removed nothing.
async fn refuses(platform: &Platform) {
    wait::until("looks at the store that are refused", async || {
        let refused = platform.metric("maxray_orphan_sweeps_refused_total").await;
        (refused > 1.5).then_some(())
    })
    .await;
}

fn assert_all_stay(platform: &Platform, objects: &BTreeSet<PathBuf>, when: &str) {
    let gone: Vec<_> = objects.iter().filter(|object| !platform.has_object(object)).collect();
    assert!(gone.is_empty(), "{when}: acknowledged instances were removed: {gone:?}\n{}", platform.log());
}

/// Starts on the database that is there now, makes the index again, and finds everything well.
async fn stays_until_reindex(platform: &mut Platform, arguments: &[&str], indexed: usize) {
    let objects = aged(platform);
    platform.restart().await;
    refuses(platform).await;
    assert_all_stay(platform, &objects, "the first start");
    assert!(platform.log().contains(BEHIND), "{}", platform.log());
    // Its own numbers are the newest now.
    assert!(platform.stop().await.success());
    platform.restart().await;
    refuses(platform).await;
    assert_all_stay(platform, &objects, "the second start");
    let found = platform.verify(&["--orphan-grace-seconds", "1000000000"]);
    assert_eq!((found.code, found.violations("I3")), (Some(2), 1), "{:#}", found.report);
    assert!(found.report["what_to_do"].to_string().contains(BEHIND), "{:#}", found.report);

    assert!(platform.stop().await.success());
    let (done, said) = platform.operate(&[&["reindex"], arguments].concat());
    assert!(done && said.contains(&format!("indexed {indexed} instances")), "{said}");
    platform.assert_verified(None, "after reindex");

    // What a crash leaves goes again, and nothing else. When the second is gone, the look that removed the first has ended.
    platform.restart().await;
    let orphan = platform.object_path("01890000-0000-7000-8000-0000000000aa");
    for _ in 0..2 {
        platform.copy_object(objects.first().expect("an object"), &orphan);
        platform.age_object(&orphan, Duration::from_hours(1000));
        wait::until("the orphan is removed", async || (!platform.has_object(&orphan)).then_some(())).await;
    }
    assert_all_stay(platform, &objects, "after reindex");
}

#[tokio::test]
async fn an_older_database_takes_no_object_away() {
    let mut platform = platform().await;
    assert!(platform.stop().await.success());
    let copy = platform.copy_of_database();
    platform.restart().await;
    send(&platform, &Synthetic::cr("AFTER", 64, 64).series(2));
    assert!(platform.stop().await.success());
    platform.put_database_back(&copy);
    stays_until_reindex(&mut platform, &["--missing"], 2).await;
}

#[tokio::test]
async fn an_empty_database_takes_no_object_away() {
    let mut platform = platform().await;
    assert!(platform.stop().await.success());
    platform.lose_database();
    stays_until_reindex(&mut platform, &[], 3).await;
}
