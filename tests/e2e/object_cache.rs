//! What was read of a bucket is read again without it (threats.md row 108): the cache of objects on a node's disk, its limit,
//! and what becomes of files that are damaged, left over or cannot be written.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, future::join_all};
use object_storage::{
    BackendKind, KeysConfig, ObjectKind, ObjectStorage, ObjectStorageConfig, SealedObject, StorageError,
};
use tests::{
    ledger::{Ledger, retrieve},
    platform::{Options, Platform},
    s3::{BUCKET, Fault, S3Server},
    synthetic::Synthetic,
    wait,
};

use super::s3_faults::store_beside;

const MEBIBYTE: usize = 1 << 20;
/// The least there can be: fifteen blocks of an MiB, with what they are longer by for being sealed.
const LIMIT: u64 = 16 << 20;

/// A bucket, and what one node reads it with.
struct Node {
    bucket: S3Server,
    config: ObjectStorageConfig,
    data: tempfile::TempDir,
    storage: ObjectStorage,
}

async fn open(config: &ObjectStorageConfig, data: &Path) -> ObjectStorage {
    ObjectStorage::open(config, &KeysConfig::default(), data).await.expect("a store that opens")
}

/// Bytes that differ from place to place and from object to object.
fn content(length: usize, number: usize) -> Bytes {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16) ^ (number * 89)) as u8).collect()
}

impl Node {
    async fn start(change: impl FnOnce(&mut ObjectStorageConfig)) -> Self {
        let bucket = S3Server::start().await;
        let mut config = ObjectStorageConfig {
            backend: BackendKind::S3,
            // However full the machine's disk is.
            reserve_bytes: 0,
            ..ObjectStorageConfig::default()
        };
        config.s3.endpoint = format!("http://{}", bucket.address());
        BUCKET.clone_into(&mut config.s3.bucket);
        "test".clone_into(&mut config.s3.access_key_id);
        "not a secret".clone_into(&mut config.s3.secret_access_key);
        config.s3.allow_http = true;
        // Requests are counted, and a bucket that is away is given up soon.
        config.s3.hedge_percent_max = 0;
        config.s3.request_timeout_ms = 1_000;
        config.s3.operation_timeout_ms = 3_000;
        config.s3.cache_max_bytes = LIMIT;
        change(&mut config);
        let data = tempfile::tempdir().expect("a folder");
        let storage = open(&config, data.path()).await;
        Self { bucket, config, data, storage }
    }

    /// The next process on the same data directory.
    async fn restarted(self, change: impl FnOnce(&mut ObjectStorageConfig)) -> Self {
        let Self { bucket, mut config, data, storage } = self;
        drop(storage);
        change(&mut config);
        let storage = open(&config, data.path()).await;
        Self { bucket, config, data, storage }
    }

    async fn put(&self, length: usize, number: usize) -> (SealedObject, Bytes) {
        let key = self.storage.keys().spare().await.expect("a key");
        let content = content(length, number);
        let stored = self.storage.put(ObjectKind::Instance, content.clone(), &key).await;
        (stored.expect("stored"), content)
    }

    async fn read(&self, object: &SealedObject) -> Result<Vec<u8>, StorageError> {
        let range = 0..object.seal.length_bytes();
        let pieces: Vec<Bytes> = self.storage.stream_range(object, range).await?.try_collect().await?;
        Ok(pieces.concat())
    }

    /// Requests for any part of it.
    fn reads(&self, object: &SealedObject) -> u64 {
        self.bucket.reads(&object.key.to_string())
    }

    fn cache(&self) -> PathBuf {
        self.data.path().join("cache/objects")
    }

    /// All files of the cache.
    fn files(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.cache()).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        files.map(|file| file.path()).collect()
    }

    /// Those of one object, in order.
    fn files_of(&self, object: &SealedObject) -> Vec<PathBuf> {
        let stem = object.key.to_string();
        let is_of =
            |path: &PathBuf| path.file_stem().is_some_and(|name| name.to_str() == Some(stem.as_str()));
        let mut files: Vec<PathBuf> = self.files().into_iter().filter(is_of).collect();
        files.sort();
        files
    }

    /// Reads all of it, and waits until all of it is on the disk.
    async fn read_and_keep(&self, object: &SealedObject, content: &Bytes, files: usize) {
        assert!(self.read(object).await.expect("it is read") == *content, "other bytes");
        wait::until("it is on the disk", async || (self.files_of(object).len() == files).then_some(())).await;
        // What has come is served from memory until its file is there, and a moment longer. That is as right, and no test fails
        // for it; but most reads that follow are to be of the disk.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_read_again_without_the_bucket() {
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(3 * MEBIBYTE + 500_000, 1).await;
    let (other, _) = node.put(1_000, 2).await;
    node.read_and_keep(&object, &content, 4).await;
    assert_eq!(node.reads(&object), 4, "one for each MiB");
    // What lies there is what lies in the bucket: sealed.
    let files: io::Result<Vec<Vec<u8>>> = node.files_of(&object).iter().map(fs::read).collect();
    let key = object.key.to_string();
    let name = node.bucket.names().into_iter().find(|name| name.ends_with(&key)).expect("its name");
    assert!(files.expect("files").concat() == node.bucket.object(&name).expect("it is there"));

    node.bucket.fail(Fault::InternalError);
    assert!(node.read(&object).await.expect("of the disk") == content);
    let end = content.len() as u64;
    for range in [0..1, 1_048_570..1_048_590, 2_000_000..3_400_000, end - 1..end] {
        let read = node.storage.read_range(&object, range.clone()).await.expect("of the disk");
        assert!(read == content[range.start as usize..range.end as usize], "{range:?}");
    }
    assert_eq!(node.reads(&object), 4);
    let away = node.read(&other).await.expect_err("nobody has it");
    assert!(away.is_out_of_resources(), "{away}");
    node.bucket.heal();
    wait::until("the bucket is asked again", async || node.read(&other).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_read_one_block_share_one_request() {
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(900_000, 1).await;
    for read in join_all((0..32).map(|_| node.read(&object))).await {
        assert!(read.expect("it is read") == content);
    }
    assert_eq!(node.reads(&object), 1);
    // And one answer, when there is none.
    let (missing, _) = node.put(900_000, 2).await;
    let key = missing.key.to_string();
    let name = node.bucket.names().into_iter().find(|name| name.ends_with(&key)).expect("its name");
    node.bucket.remove(&name);
    for read in join_all((0..32).map(|_| node.read(&missing))).await {
        let error = read.expect_err("it is gone");
        assert!(matches!(error, StorageError::NotFound(key) if key == missing.key), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_for_the_longest_time_goes_at_the_limit() {
    let node = Node::start(|_| ()).await;
    let mut objects = Vec::new();
    for number in 0..6 {
        objects.push(node.put(3 * MEBIBYTE, number).await);
    }
    for (object, content) in &objects[..5] {
        node.read_and_keep(object, content, 3).await;
    }
    let ((first, first_content), (second, second_content)) = (&objects[0], &objects[1]);
    assert!(node.read(first).await.expect("of the disk") == *first_content);
    assert_eq!(node.reads(first), 3);
    node.read_and_keep(&objects[5].0, &objects[5].1, 3).await;
    let bytes: u64 = node.files().iter().map(|path| fs::metadata(path).expect("a file").len()).sum();
    assert!(bytes <= LIMIT, "{bytes} bytes");
    assert_eq!((node.files_of(first).len(), node.files_of(second).len()), (3, 0));
    assert!(node.read(second).await.expect("of the bucket") == *second_content);
    assert_eq!((node.reads(first), node.reads(second)), (3, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_too_long_for_the_cache_is_one_request_and_pushes_nothing_out() {
    let node = Node::start(|_| ()).await;
    let (short, short_content) = node.put(3 * MEBIBYTE, 1).await;
    let (long, long_content) = node.put(5 * MEBIBYTE, 2).await;
    node.read_and_keep(&short, &short_content, 3).await;
    assert!(node.read(&long).await.expect("of the bucket") == long_content);
    assert_eq!((node.reads(&long), node.files_of(&long).len(), node.files_of(&short).len()), (1, 0, 3));
    // A part of it is worth keeping.
    let read = node.storage.read_range(&long, 0..1_000).await.expect("of the bucket");
    assert!(read == long_content[..1_000]);
    wait::until("it is on the disk", async || (node.files_of(&long).len() == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_never_served() {
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(2 * MEBIBYTE + 500_000, 1).await;
    let (other, other_content) = node.put(2 * MEBIBYTE + 500_000, 2).await;
    node.read_and_keep(&object, &content, 3).await;
    node.read_and_keep(&other, &other_content, 3).await;
    let file = node.files_of(&object)[1].clone();
    let right = fs::read(&file).expect("a file");
    let mut flipped = right.clone();
    flipped[700_000] ^= 1;
    let damages = [
        ("one bit is another one", flipped.clone()),
        ("cut", right[..right.len() - 1].to_vec()),
        ("nothing in it, as after a power cut", vec![0; right.len()]),
        ("of another object", fs::read(&node.files_of(&other)[1]).expect("a file")),
    ];
    for (what, damaged) in damages {
        fs::write(&file, damaged).expect("written");
        let before = node.reads(&object);
        // Until what came last is served from memory no more.
        wait::until(what, async || {
            assert!(node.read(&object).await.expect(what) == content, "{what}: other bytes");
            (node.reads(&object) > before).then_some(())
        })
        .await;
        assert_eq!(node.reads(&object), before + 1, "{what}");
        wait::until(what, async || (fs::read(&file).ok()? == right).then_some(())).await;
    }
    fs::write(&file, flipped).expect("written");
    node.bucket.fail(Fault::InternalError);
    wait::until("it is damaged, and nobody to ask", async || match node.read(&object).await {
        Ok(read) => {
            assert!(read == content, "other bytes");
            None
        }
        Err(_) => Some(()),
    })
    .await;
    let whole = node.storage.read_range(&object, 0..1_000).await.expect("of a block that is whole");
    assert!(whole == content[..1_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_finds_what_is_kept_and_removes_what_is_half_written() {
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(2 * MEBIBYTE, 1).await;
    node.read_and_keep(&object, &content, 2).await;
    let half = node.cache().join(".new-killed");
    fs::write(&half, b"half of it").expect("written");

    // A command beside the server takes nothing from there, and leaves it as it is.
    let beside = ObjectStorage::attach(&node.config, &KeysConfig::default(), node.data.path()).await;
    let read = beside.expect("attached").read_range(&object, 0..10).await.expect("of the bucket");
    assert!(read == content[..10]);
    assert_eq!((node.reads(&object), half.exists()), (3, true));

    let node = node.restarted(|_| ()).await;
    wait::until("what a kill left is removed", async || (!half.exists()).then_some(())).await;
    assert!(node.read(&object).await.expect("of the disk") == content);
    assert_eq!(node.reads(&object), 3);

    node.storage.delete(object.key).await.expect("deleted");
    assert!(node.files_of(&object).is_empty(), "{:?}", node.files_of(&object));
    let gone = node.read(&object).await.expect_err("deleted");
    assert!(matches!(gone, StorageError::NotFound(_)), "{gone}");

    let (object, content) = node.put(1_000, 2).await;
    node.read_and_keep(&object, &content, 1).await;
    let node = node.restarted(|config| config.s3.cache_max_bytes = 0).await;
    assert!(!node.cache().exists(), "it was turned off");
    assert!(node.read(&object).await.expect("of the bucket") == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_costs_nobody_a_read() {
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(2 * MEBIBYTE, 1).await;
    fs::remove_dir_all(node.cache()).expect("removed");
    fs::write(node.cache(), b"no directory").expect("written");
    wait::until("the disk is left alone", async || {
        assert!(node.read(&object).await.expect("of the bucket") == content);
        // Without the cache the whole object is one request.
        let before = node.reads(&object);
        assert!(node.read(&object).await.expect("of the bucket") == content);
        (node.reads(&object) == before + 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_leaves_the_reserve_of_the_disk() {
    let full = |config: &mut ObjectStorageConfig| {
        (config.reserve_bytes, config.reserve_percent_max) = (u64::MAX, 100);
    };
    let node = Node::start(|_| ()).await;
    let (object, content) = node.put(3 * MEBIBYTE, 1).await;
    node.read_and_keep(&object, &content, 3).await;
    let node = node.restarted(full).await;
    let (other, other_content) = node.put(1_000, 2).await;
    // What is there gives way, a little with each block that finds no room.
    wait::until("it is empty", async || {
        assert!(node.read(&other).await.expect("of the bucket") == other_content);
        node.files().is_empty().then_some(())
    })
    .await;
    assert!(node.read(&object).await.expect("of the bucket") == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_on_while_the_bucket_is_away() {
    let s3 = S3Server::start().await;
    // Nobody else reads.
    let options = s3.options(Options::default().with("MAXRAY_WORKER__PREVIEWS", "false"));
    let options = [
        ("RESERVE_BYTES", "0"),
        ("S3__CACHE_MAX_BYTES", "16777216"),
        ("S3__REQUEST_TIMEOUT_MS", "1000"),
        ("S3__OPERATION_TIMEOUT_MS", "3000"),
    ]
    .into_iter()
    .fold(options, |options, (name, value)| options.with(&format!("MAXRAY_OBJECT_STORAGE__{name}"), value));
    let platform = Platform::start(options).await;
    let reader = platform.user("reader", "viewer").await;
    let (seen, unseen) = (Ledger::default(), Ledger::default());
    let instance = Synthetic::cr("CACHED", 64, 64);
    for (ledger, instance) in [(&seen, &instance), (&unseen, &instance.next())] {
        assert_eq!(store_beside(&platform, instance).0, Some(0), "{}", platform.log());
        ledger.acknowledge_synthetic(instance, &instance.data_set());
    }
    seen.check(&reader, "with the bucket").await;
    s3.fail(Fault::InternalError);
    seen.check(&reader, "while the bucket is away").await;
    for (uid, entry) in unseen.entries() {
        retrieve(&reader, &entry, &uid).await.expect_err("nobody has read it before");
    }
    assert!(platform.metric("maxray_object_cache_bytes").await > 0.0);
    s3.heal();
    wait::until("the bucket is asked again", async || {
        unseen.differences(&reader).await.is_empty().then_some(())
    })
    .await;
}
