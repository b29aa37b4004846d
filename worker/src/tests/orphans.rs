//! Which node looks for objects that no row names.

use bytes::Bytes;
use database::Lease;
use object_storage::{ObjectKey, ObjectKind};
use rendering::wire::handle_request;

use super::Kit;
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
