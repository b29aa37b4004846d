//! What a thief or a mix-up of keys gets: nothing (threats.md rows 56, 57).

use super::*;

#[tokio::test]
async fn the_key_of_another_patient_opens_nothing() {
    let kit = Kit::open().await;
    let object = kit.put(b"kept").await;
    let other = kit.storage.keys().spare().await.expect("key");
    // The row and the object say the same wrong patient key.
    let mut stored = fs::read(kit.path(&object)).expect("file");
    let at = stored.len() - SEAL_BYTES + 8;
    stored[at..at + 16].copy_from_slice(other.id().as_bytes());
    fs::write(kit.path(&object), &stored).expect("write");
    let claimed = kit.storage.find(object.key).await.expect("it looks whole");
    assert_eq!(claimed.seal.patient_key_id(), other.id());
    assert!(is_altered(&kit.whole(&claimed).await));
}

#[tokio::test]
async fn equal_contents_have_nothing_in_common() {
    let kit = Kit::open().await;
    let plain = vec![0x42; 3 * CHUNK_BYTES];
    let (one, other) = (kit.put(&plain).await, kit.put(&plain).await);
    let blocks = |object: &SealedObject| -> std::collections::HashSet<Vec<u8>> {
        let stored = fs::read(kit.path(object)).expect("file");
        stored[HEADER_BYTES..stored.len() - SEAL_BYTES].chunks(16).map(<[u8]>::to_vec).collect()
    };
    let (of_one, of_other) = (blocks(&one), blocks(&other));
    assert_eq!(of_one.len(), (3 * SEALED_CHUNK_BYTES).div_ceil(16), "no block occurs twice");
    assert!(of_one.is_disjoint(&of_other));
}
