//! The directory store as a whole.

use std::{fs, path::Path};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;

use super::*;
use crate::{KeysConfig, ObjectKind, ObjectStorage, ObjectWriter, SealedObject};

const MEBIBYTE: usize = 1 << 20;

async fn open(root: &Path) -> Arc<Directory> {
    Directory::open(&ObjectStorageConfig::default(), root, true).await.expect("open")
}

/// Bytes that differ at every place a mistake of offset would show.
fn content(length: usize) -> Bytes {
    (0..length).map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8).collect()
}

async fn store(directory: &Arc<Directory>, bytes: &[u8], chunk: usize) -> Result<ObjectKey, StorageError> {
    let key = ObjectKey::generate();
    let mut writer = DirectoryWriter::new(directory, key, Durability::Synced)?;
    for part in bytes.chunks(chunk) {
        writer.write(part).await?;
    }
    writer.finish().await?;
    Ok(key)
}

fn spool_is_empty(directory: &Directory) -> bool {
    fs::read_dir(&directory.spool).expect("spool").next().is_none()
}

async fn keys(directory: &Directory) -> Vec<ObjectKey> {
    directory.list().try_collect().await.expect("list")
}

/// Waits for work that a dropped future left to the blocking threads.
async fn until_spool_is_empty(directory: &Directory) {
    for _ in 0..1_000 {
        if spool_is_empty(directory) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("something stays in the spool");
}

#[tokio::test]
async fn what_is_written_in_any_chunks_is_read_in_any_ranges() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let longer = [MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE, 3 * MEBIBYTE + 77];
    for length in [0, 1, 4095, 131_071, 131_072, 500_000].into_iter().chain(longer) {
        let bytes = content(length);
        let key = store(&directory, &bytes, 130_000).await.expect("store");
        let end = length as u64;
        assert_eq!(directory.length(key).await.expect("length"), end);
        for range in [0..end, 0..end.min(1), end / 2..end, end.saturating_sub(1)..end, end / 3..end / 2] {
            let expected = &bytes[range.start as usize..range.end as usize];
            let read = directory.read_range(key, range.clone(), end).await.expect("read");
            assert_eq!(read, expected, "{length} {range:?}");
            let chunks: Vec<Bytes> = directory
                .stream_range(key, range, end)
                .await
                .expect("stream")
                .try_collect()
                .await
                .expect("chunk");
            assert_eq!(chunks.concat(), expected);
        }
    }
    assert!(spool_is_empty(&directory));
}

#[tokio::test]
async fn a_small_object_goes_through_the_steps_in_order_and_each_once() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    store(&directory, &content(100_000), 1_000).await.expect("store");
    let steps = [Step::CreatePart, Step::Write, Step::SyncFile, Step::Rename, Step::SyncShard];
    assert_eq!(*directory.trace.lock().expect("lock"), steps);
    // Its whole sectors, and what is left of it.
    store(&directory, &content(500_000), 1_000).await.expect("store");
    let trace = directory.trace.lock().expect("lock").split_off(steps.len());
    assert_eq!(trace, [&steps[..2], &steps[1..]].concat());
}

#[tokio::test]
async fn a_large_object_is_synced_after_its_last_write_and_before_its_name() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    store(&directory, &content(2 * MEBIBYTE + 5), 300_000).await.expect("store");
    let end = [Step::Write, Step::SyncFile, Step::Rename, Step::SyncShard];
    assert_eq!(directory.trace.lock().expect("lock")[3..], end);
}

#[tokio::test]
async fn whichever_step_fails_nothing_is_stored_and_nothing_stays() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    for step in [Step::CreatePart, Step::Write, Step::SyncFile, Step::Rename, Step::SyncShard] {
        for length in [10, 500_000, 3 * MEBIBYTE] {
            *directory.fail_at.lock().expect("lock") = Some(step);
            directory.trace.lock().expect("lock").clear();
            store(&directory, &content(length), MEBIBYTE).await.expect_err("the step fails");
            until_spool_is_empty(&directory).await;
            assert_eq!(keys(&directory).await, [], "{step:?}");
            let tries = directory.trace.lock().expect("lock").iter().filter(|seen| **seen == step).count();
            assert_eq!(tries, 1, "{step:?} is not tried again");
        }
    }
}

#[tokio::test]
async fn a_writer_that_failed_takes_no_more() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let mut writer =
        DirectoryWriter::new(&directory, ObjectKey::generate(), Durability::Synced).expect("writer");
    *directory.fail_at.lock().expect("lock") = Some(Step::Write);
    writer.write(&content(3 * MEBIBYTE)).await.expect_err("the disk fails");
    *directory.fail_at.lock().expect("lock") = None;
    assert!(matches!(writer.write(b"x").await, Err(StorageError::GivenUp)));
    assert!(matches!(writer.finish().await, Err(StorageError::GivenUp)));
    assert!(spool_is_empty(&directory));
}

#[tokio::test]
async fn a_writer_aborted_or_dropped_leaves_nothing() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    for length in [0, 10, 3 * MEBIBYTE] {
        let mut aborted =
            DirectoryWriter::new(&directory, ObjectKey::generate(), Durability::Synced).expect("writer");
        aborted.write(&content(length)).await.expect("write");
        aborted.abort().await;
        assert!(spool_is_empty(&directory));

        let mut dropped =
            DirectoryWriter::new(&directory, ObjectKey::generate(), Durability::Synced).expect("writer");
        dropped.write(&content(length)).await.expect("write");
        drop(dropped);
        until_spool_is_empty(&directory).await;
    }
    assert_eq!(keys(&directory).await, []);
}

#[tokio::test]
async fn a_finish_cut_off_at_any_moment_stores_all_or_nothing_known() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    for microseconds in (0..4_000).step_by(400) {
        let work = store(&directory, b"0123456789", 10);
        let limit = std::time::Duration::from_micros(microseconds);
        let finished = tokio::time::timeout(limit, work).await.ok().map(|result| result.expect("store"));
        until_spool_is_empty(&directory).await;
        // The removal of an object whose owner went away runs on a blocking thread.
        for _ in 0..1_000 {
            if keys(&directory).await.len() == usize::from(finished.is_some()) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(keys(&directory).await, finished.into_iter().collect::<Vec<_>>());
        for key in keys(&directory).await {
            directory.delete(key).await.expect("delete");
        }
    }
}

#[tokio::test]
async fn many_writers_at_once() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let writers = (0..40_usize).map(|index| {
        let directory = Arc::clone(&directory);
        async move {
            let bytes = content(index * 60_000);
            let key = store(&directory, &bytes, 7_000).await.expect("store");
            (key, bytes)
        }
    });
    for (key, bytes) in futures_util::future::join_all(writers).await {
        assert_eq!(
            directory.read_range(key, 0..bytes.len() as u64, bytes.len() as u64).await.expect("read"),
            bytes
        );
    }
    assert_eq!(keys(&directory).await.len(), 40);
    assert!(spool_is_empty(&directory));
}

#[tokio::test]
async fn a_name_is_never_taken_twice() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let key = store(&directory, b"first", 10).await.expect("store");
    let mut second = DirectoryWriter::new(&directory, key, Durability::Synced).expect("writer");
    second.write(b"second").await.expect("write");
    second.finish().await.expect_err("the name is taken");
    assert_eq!(directory.read_range(key, 0..5, 5).await.expect("read"), "first");
    assert!(spool_is_empty(&directory));
}

#[tokio::test]
async fn a_file_cut_short_is_an_error_before_and_during_the_reading() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let length = 4 * MEBIBYTE as u64;
    let key = store(&directory, &content(4 * MEBIBYTE), MEBIBYTE).await.expect("store");
    let past = directory.read_range(key, 0..10, length + 1).await;
    assert!(matches!(past, Err(StorageError::LengthDiffers { .. })));

    let mut stream = directory.stream_range(key, 0..length, length).await.expect("stream");
    stream.next().await.expect("chunk").expect("whole");
    let path = directory.object_path(key);
    fs::File::options().write(true).open(path).expect("open").set_len(length - 3).expect("cut");
    let rest: Result<Vec<Bytes>, StorageError> = stream.try_collect().await;
    assert!(matches!(rest, Err(StorageError::PastEnd { .. })));
    let again = directory.stream_range(key, 0..length, length).await;
    assert!(matches!(again.map(drop), Err(StorageError::LengthDiffers { .. })));
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed_and_objects_stay() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    let key = store(&directory, b"kept", 10).await.expect("store");
    fs::write(directory.part_path(ObjectKey::generate()), b"half").expect("part");
    let again = open(root.path()).await;
    assert!(spool_is_empty(&again));
    assert_eq!(keys(&again).await, [key]);
    again.delete(key).await.expect("delete");
    again.delete(key).await.expect("deleting again is no error");
    assert!(matches!(again.length(key).await, Err(StorageError::NotFound(_))));
}

#[tokio::test]
async fn the_reserve_refuses_writers_and_lets_readers_be() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = TempDir::new().expect("tempdir");
    let at = root.path().join("made/by/open");
    drop(open(&at).await);
    assert_eq!(fs::metadata(at.join("objects")).expect("made").permissions().mode() & 0o777, 0o700);

    let full =
        ObjectStorageConfig { reserve_bytes: u64::MAX, reserve_percent_max: 100, ..Default::default() };
    let spacious = ObjectStorage::open(&ObjectStorageConfig::default(), &KeysConfig::default(), &at).await;
    let spacious = spacious.expect("open");
    let patient_key = spacious.keys().spare().await.expect("key");
    let object =
        spacious.put(ObjectKind::Instance, Bytes::from_static(b"kept"), &patient_key).await.expect("put");
    let storage =
        ObjectStorage::open(&full, &KeysConfig::default(), &at).await.expect("a full disk can be read");
    let refused = storage.create(ObjectKind::Instance).await.map(drop);
    assert!(matches!(refused, Err(StorageError::OutOfSpace)));
    assert_eq!(storage.get(&object, 4).await.expect("read"), "kept");
    assert!(matches!(storage.get(&object, 3).await, Err(StorageError::TooLong { .. })));
}

#[tokio::test]
async fn the_store_as_the_others_see_it() {
    let root = TempDir::new().expect("tempdir");
    let storage =
        ObjectStorage::open(&ObjectStorageConfig::default(), &KeysConfig::default(), root.path()).await;
    let storage = storage.expect("open");
    storage.probe().await.expect("probe");
    let patient_key = storage.keys().spare().await.expect("key");
    let mut writer: ObjectWriter = storage.create(ObjectKind::Instance).await.expect("create");
    writer.write(content(10)).await.expect("write");
    let stored = writer.finish(&patient_key).await.expect("finish");
    assert_eq!(stored.length_bytes, 10);
    let object = SealedObject::from(stored);
    assert_eq!(storage.read_range(&object, 5..5).await.expect("empty"), "");
    let whole: Vec<Bytes> = storage.read(&object).await.expect("read").try_collect().await.expect("chunks");
    assert_eq!(whole.concat(), content(10));
    assert_eq!(storage.find(object.key).await.expect("found"), object);
    let keys: Vec<ObjectKey> = storage.list().try_collect().await.expect("list");
    assert_eq!(keys, [object.key], "the probe left nothing");
}

#[tokio::test]
async fn what_can_be_made_again_costs_no_sync() {
    let root = TempDir::new().expect("tempdir");
    let directory = open(root.path()).await;
    directory.trace.lock().expect("trace").clear();
    let key = ObjectKey::generate();
    let mut writer = DirectoryWriter::new(&directory, key, Durability::Derived).expect("writer");
    writer.write(b"picture").await.expect("write");
    writer.finish().await.expect("finish");
    assert_eq!(directory.length(key).await.expect("length"), 7);
    let steps = directory.trace.lock().expect("trace").clone();
    assert_eq!(steps, [Step::CreatePart, Step::Write, Step::Rename]);
}
