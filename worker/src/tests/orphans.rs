//! Which node looks for objects that no row names, and when it removes none.

use bytes::Bytes;
use database::Lease;
use object_storage::{ObjectKey, ObjectKind};
use rendering::wire::handle_request;

use super::{EXPLICIT, Kit, data_set};
use crate::orphans::{LEASE, sweep_as_holder};

/// As a crash leaves it.
async fn orphan(kit: &Kit) -> ObjectKey {
    let storage = kit.state.archive.storage();
    let key = storage.keys().spare().await.expect("a key");
    let object = storage.put(ObjectKind::Picture, Bytes::from_static(b"nobody's"), &key).await;
    object.expect("an object").key
}

#[tokio::test]
async fn one_node_looks_until_it_is_gone() {
    let mut kit = Kit::open(handle_request).await;
    kit.state.config.orphan_grace_seconds = 0;
    kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 8, 8, None)).await;
    let [first, second] = [0, 1].map(|_| Lease::new(LEASE));
    let goes = async |lease: &Lease, object: ObjectKey| {
        sweep_as_holder(&kit.state, lease).await.expect("a look");
        kit.state.archive.storage().stored_length(object).await.is_err()
    };
    let one = orphan(&kit).await;
    assert!(goes(&first, one).await);
    let another = orphan(&kit).await;
    assert!(!goes(&second, another).await, "the other node is the one that looks");
    assert!(goes(&first, another).await);
    kit.state.archive.database().give_lease_back(&first).await.expect("given back");
    let last = orphan(&kit).await;
    assert!(goes(&second, last).await);
}

/// A database that the store of another one meets.
#[tokio::test]
async fn none_is_removed_while_the_database_may_be_another_one() {
    let mut kit = Kit::open(handle_request).await;
    kit.state.config.orphan_grace_seconds = 0;
    let archive = kit.state.archive.clone();
    let lease = Lease::new(LEASE);
    let stays = async |object: ObjectKey| {
        sweep_as_holder(&kit.state, &lease).await.expect("a look");
        archive.storage().stored_length(object).await.is_ok()
    };
    // It has no instance at all, and an object is there.
    let one = orphan(&kit).await;
    assert!(stays(one).await);
    kit.store("1.2.3.4.5", EXPLICIT, data_set("1.2.3.4.5", 8, 8, None)).await;
    assert!(stays(one).await, "an instance that comes after that proves nothing");
    assert!(archive.is_behind().await.expect("an answer"));
    archive.end_reindex().await.expect("ended");
    assert!(!archive.is_behind().await.expect("an answer"));
    assert!(!stays(one).await, "what a crash left");

    // The store has seen a later one, by a clock that is far ahead.
    let another = orphan(&kit).await;
    let known = archive.database().store_beat().await.expect("a number").value;
    let later = known + 1_000_000_000;
    archive.storage().keep_beat(later).await.expect("kept");
    assert!(archive.is_behind().await.expect("an answer"));
    assert!(stays(another).await);
    let kept = archive.storage().beat().await.expect("an answer").expect("a number");
    assert!(kept > later, "it only grows");
    assert!(stays(another).await, "its own next number hides nothing");
    archive.begin_reindex().await.expect("begun");
    assert!(stays(another).await);
    archive.end_reindex().await.expect("ended");
    assert!(!stays(another).await);
}
