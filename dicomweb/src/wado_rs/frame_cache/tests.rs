//! One maker a key, and no more bytes than allowed.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Barrier;

use super::*;

fn key(wish: &str) -> Key {
    Key { data_set_sha256: [7; 32], index: 0, wish: wish.to_owned() }
}

fn made(length: usize) -> Made {
    Made { media_type: "image/png", bytes: Bytes::from(vec![1; length]) }
}

#[tokio::test]
async fn what_several_ask_for_at_once_is_made_once() {
    const ASKING: usize = 8;
    let cache = Arc::new(FrameCache::new(1 << 20));
    let (count, together) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(ASKING)));
    let asking = (0..ASKING).map(|_| {
        let (cache, count, together) = (cache.clone(), count.clone(), together.clone());
        tokio::spawn(async move {
            together.wait().await;
            let make = async {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(made(100))
            };
            cache.get(key("a"), make).await.map(|made| made.bytes.len())
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.expect("no panic"), Ok(100));
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_leaves_takes_nothing_from_those_who_wait() {
    let cache = Arc::new(FrameCache::new(1 << 20));
    let first = {
        let cache = cache.clone();
        tokio::spawn(
            async move { cache.get(key("a"), std::future::pending::<Result<Made, Infallible>>()).await },
        )
    };
    tokio::task::yield_now().await;
    let second = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get(key("a"), async { Ok::<_, Infallible>(made(5)) }).await })
    };
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!(second.await.expect("no panic"), Ok(made(5)));
}

#[tokio::test]
async fn failures_are_not_kept() {
    let cache = FrameCache::new(1 << 20);
    assert_eq!(cache.get(key("a"), async { Err::<Made, _>("busy") }).await, Err(Arc::new("busy")));
    assert_eq!(cache.get(key("a"), async { Ok::<_, Infallible>(made(1)) }).await, Ok(made(1)));
    let other = async { Ok::<_, Infallible>(made(2)) };
    assert_eq!(cache.get(key("a"), other).await, Ok(made(1)), "the one that is kept");
}

#[tokio::test]
async fn it_holds_no_more_than_it_may() {
    const MAX: u64 = 100_000;
    let cache = FrameCache::new(MAX);
    for n in 0..50 {
        let one = async { Ok::<_, Infallible>(made(10_000)) };
        assert_eq!(cache.get(key(&n.to_string()), one).await.map(|made| made.bytes.len()), Ok(10_000));
    }
    let held = cache.0.as_ref().expect("a cache");
    held.run_pending_tasks().await;
    assert!(held.weighted_size() <= MAX, "{}", held.weighted_size());
    assert!(held.entry_count() > 0);
    let none = FrameCache::new(0);
    for length in [1, 2] {
        let one = async move { Ok::<_, Infallible>(made(length)) };
        assert_eq!(none.get(key("a"), one).await, Ok(made(length)), "each is made");
    }
}
