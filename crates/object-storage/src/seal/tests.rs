//! The format: ranges are slices, and whatever is changed is found (threats.md rows 56, 57 and section 4).

use std::{fs, ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tempfile::TempDir;

use super::*;
use crate::{KeysConfig, ObjectStorage, ObjectStorageConfig, PatientKey, SealedObject, StorageError};

mod keys;

struct Kit {
    root: TempDir,
    storage: ObjectStorage,
    patient: Arc<PatientKey>,
}

impl Kit {
    async fn open() -> Self {
        let root = TempDir::new().expect("tempdir");
        let storage =
            ObjectStorage::open(&ObjectStorageConfig::default(), &KeysConfig::default(), root.path()).await;
        let storage = storage.expect("open");
        let patient = storage.keys().spare().await.expect("key");
        Self { root, storage, patient }
    }

    async fn put(&self, bytes: &[u8]) -> SealedObject {
        let bytes = Bytes::copy_from_slice(bytes);
        self.storage.put(ObjectKind::Instance, bytes, &self.patient).await.expect("put")
    }

    fn path(&self, object: &SealedObject) -> PathBuf {
        self.root.path().join("objects").join(object.key.path())
    }

    async fn whole(&self, object: &SealedObject) -> Result<Vec<u8>, StorageError> {
        let pieces: Vec<Bytes> = self.storage.read(object).await?.try_collect().await?;
        Ok(pieces.concat())
    }
}

/// Small and fast, and repeatable: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn range(&mut self, length: u64) -> Range<u64> {
        // Half of the ends lie within two bytes of a chunk's edge.
        let end = |random: &mut Self| {
            let any = random.below(length + 1);
            if random.below(2) == 0 {
                return any;
            }
            let edge = (any >> CHUNK_LOG2 << CHUNK_LOG2) + random.below(5);
            edge.saturating_sub(2).min(length)
        };
        let (one, other) = (end(self), end(self));
        one.min(other)..one.max(other)
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    (0..length).map(|_| random.below(256) as u8).collect()
}

fn is_altered<T>(result: &Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Altered { .. }))
}

#[test]
fn layout_of_the_edges() {
    let chunk = CHUNK_BYTES as u64;
    for (length, chunks) in [(0, 1), (1, 1), (chunk - 1, 1), (chunk, 1), (chunk + 1, 2), (2 * chunk, 2)] {
        assert_eq!(chunk_count(length), chunks, "{length}");
        assert_eq!(stored_length(length), 64 + length + 16 * chunks + 128);
    }
    let span = Span::covering(&(chunk..chunk + 1), 3 * chunk);
    assert_eq!((span.stored, span.chunks), (64 + 65_552..64 + 2 * 65_552, 1..2));
    let whole = Span::covering(&(0..3 * chunk), 3 * chunk);
    assert_eq!(whole.stored, 0..stored_length(3 * chunk));
}

#[test]
fn headers_and_seals_are_read_back_and_nothing_else_is() {
    let data_key = DataKey::generate(crate::ObjectKey::generate(), ObjectKind::Instance).expect("key");
    let patient = PatientKey::ephemeral().expect("key");
    let seal = data_key.seal(patient.id(), patient.wrap_key(), 4711).expect("seal");
    let (header, bytes) = (data_key.header.bytes(), seal.to_bytes());
    assert_eq!(Header::parse(&header), Some(data_key.header));
    assert_eq!(Seal::parse(&bytes), Some(seal.clone()));
    assert_eq!(Seal::parse(&bytes[1..]), None);
    // Every byte of the header is read, checked or must be what it is.
    for index in 0..HEADER_BYTES {
        let mut changed = header;
        changed[index] ^= 1;
        assert_ne!(Header::parse(&changed), Some(data_key.header), "{index}");
    }
    for index in 0..SEAL_BYTES {
        let mut changed = bytes;
        changed[index] ^= 1;
        let opened = Seal::parse(&changed)
            .map(|seal| seal.open(&seal.header(data_key.header.object), patient.wrap_key()).is_ok());
        assert_ne!(opened, Some(true), "{index}");
    }
}

fn hex(text: &serde_json::Value) -> Vec<u8> {
    let text = text.as_str().expect("hex");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// What another program with other cryptography wrote (tests/e2e/python/mxe1.py).
#[test]
fn the_test_vectors_are_written_and_read() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/object_format/vectors.json"))
            .expect("JSON");
    let patient_id = uuid::Uuid::from_slice(&hex(&vectors["patient_key_id"])).expect("id");
    let patient = WrapKey::new(&Secret::from_slice(&hex(&vectors["patient_key"])).expect("key"));
    for vector in vectors["objects"].as_array().expect("list") {
        let object = uuid::Uuid::from_slice(&hex(&vector["object_id"])).expect("id");
        let nonce_prefix = hex(&vector["nonce_prefix"]).try_into().expect("7 bytes");
        let header = Header { object: object.into(), kind: ObjectKind::Instance, nonce_prefix };
        let secret = Secret::from_slice(&hex(&vector["data_key"])).expect("key");
        let length = vector["plain_length"].as_u64().expect("length");
        let plain: Vec<u8> = (0..length).map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8).collect();

        let mut stored = header.bytes().to_vec();
        let cipher = ContentCipher::new(&secret, &header);
        let count = chunk_count(length);
        for index in 0..count {
            let chunk =
                &plain[(index as usize * CHUNK_BYTES)..plain.len().min((index as usize + 1) * CHUNK_BYTES)];
            let mut sealed = vec![0; chunk.len() + TAG_BYTES];
            assert!(cipher.seal(index as u32, index + 1 == count, chunk, &mut sealed));
            stored.extend(sealed);
        }
        assert_eq!(stored[..HEADER_BYTES], hex(&vector["header"]));
        assert_eq!(stored[stored.len() - TAG_BYTES..], hex(&vector["last_tag"]), "{length}");
        let nonce = hex(&vector["wrap_nonce"]).try_into().expect("12 bytes");
        let data_key = DataKey { header, secret };
        let seal = data_key.seal_with_nonce(patient_id, &patient, length, nonce).expect("seal");
        assert_eq!(seal.to_bytes()[..], hex(&vector["seal"]), "{length}");
        stored.extend(seal.to_bytes());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &stored);
        assert_eq!(digest.as_ref(), hex(&vector["sha256"]), "{length}");
        let opened =
            Seal::parse(&hex(&vector["seal"])).expect("seal").open(&header, &patient).expect("opens");
        assert_eq!(opened.bytes()[..], hex(&vector["data_key"]));
    }
}

#[tokio::test]
async fn one_hundred_thousand_ranges_are_slices() {
    let kit = Kit::open().await;
    let lengths = [1, 65_535, 65_536, 65_537, 131_072, 200_000, 700_001];
    let mut random = Random(4711);
    for length in lengths {
        let plain = noise(length);
        let object = kit.put(&plain).await;
        let stored = Bytes::from(fs::read(kit.path(&object)).expect("file"));
        let header = object.seal.header(object.key);
        let data_key = object.seal.open(&header, kit.patient.wrap_key()).expect("opens");
        for index in 0..15_000 {
            let mut range = random.range(length as u64);
            // Most of them short: it is the ends that matter.
            if index % 10 != 0 {
                range.end = range.end.min(range.start + 70_000);
            }
            if range.is_empty() {
                continue;
            }
            let mut opener = Opener::new(&header, &object.seal, &data_key, &range);
            let span = opener.stored_range();
            let piece = stored.slice(span.start as usize..span.end as usize);
            let cut = random.below(piece.len() as u64) as usize;
            let mut read = opener.push(piece.slice(..cut)).expect("opens").to_vec();
            read.extend_from_slice(&opener.push(piece.slice(cut..)).expect("opens"));
            let expected = &plain[range.start as usize..range.end as usize];
            assert!(read == expected && opener.is_done(), "{length} {range:?} cut at {cut}");
            // The way through the disk for some of them.
            if index % 100 == 0 {
                assert!(kit.storage.read_range(&object, range.clone()).await.expect("read") == expected);
                let pieces = kit.storage.stream_range(&object, range).await.expect("stream");
                let pieces: Vec<Bytes> = pieces.try_collect().await.expect("pieces");
                assert!(pieces.concat() == expected);
            }
        }
        let past = kit.storage.read_range(&object, 0..length as u64 + 1).await;
        assert!(matches!(past, Err(StorageError::PastEnd { .. })));
    }
}

#[tokio::test]
async fn long_objects_come_back_at_once_and_as_a_stream() {
    let kit = Kit::open().await;
    for length in [0, 3 << 20, (5 << 20) + 7] {
        let plain = noise(length);
        let object = kit.put(&plain).await;
        assert!(kit.whole(&object).await.expect("read") == plain);
        assert!(kit.storage.get(&object, 1 << 30).await.expect("read") == plain);
        assert_eq!(kit.storage.find(object.key).await.expect("found"), object);
    }
}

#[tokio::test]
async fn every_byte_that_is_flipped_is_found() {
    let kit = Kit::open().await;
    // One chunk, exactly one chunk, and two; the long ones are flipped at every 331st byte and around every edge.
    for (length, step) in [(700, 1), (CHUNK_BYTES, 331), (CHUNK_BYTES + 300, 331)] {
        let plain = noise(length);
        let object = kit.put(&plain).await;
        let path = kit.path(&object);
        let stored = fs::read(&path).expect("file");
        let edges = [64, 64 + length.min(CHUNK_BYTES), 64 + SEALED_CHUNK_BYTES, stored.len() - 128];
        let near = |index: usize| edges.iter().any(|edge| index.abs_diff(*edge) < 20);
        for index in (0..stored.len()).filter(|index| index % step == 0 || near(*index)) {
            let mut changed = stored.clone();
            changed[index] ^= 0x40;
            fs::write(&path, &changed).expect("write");
            assert!(is_altered(&kit.whole(&object).await), "{index} of {}", stored.len());
        }
        fs::write(&path, &stored).expect("write");
        assert!(kit.whole(&object).await.expect("read") == plain);
    }
}

#[tokio::test]
async fn what_is_cut_lengthened_swapped_spliced_or_put_back_is_found() {
    let kit = Kit::open().await;
    let (one, other) = (kit.put(&noise(200_000)).await, kit.put(&noise(200_000)).await);
    let (stored, others) =
        (fs::read(kit.path(&one)).expect("file"), fs::read(kit.path(&other)).expect("file"));
    let chunk = |bytes: &[u8], index: usize| {
        let start = HEADER_BYTES + index * SEALED_CHUNK_BYTES;
        bytes[start..start + SEALED_CHUNK_BYTES].to_vec()
    };
    let with_chunks = |first: &[u8], second: &[u8]| {
        let rest = &stored[HEADER_BYTES + 2 * SEALED_CHUNK_BYTES..];
        [&stored[..HEADER_BYTES], first, second, rest].concat()
    };
    let reordered = with_chunks(&chunk(&stored, 1), &chunk(&stored, 0));
    let doubled = with_chunks(&chunk(&stored, 0), &chunk(&stored, 0));
    let spliced = with_chunks(&chunk(&stored, 0), &chunk(&others, 1));
    let dropped =
        [&stored[..HEADER_BYTES + SEALED_CHUNK_BYTES], &stored[HEADER_BYTES + 2 * SEALED_CHUNK_BYTES..]]
            .concat();
    let header_of_other = [&others[..HEADER_BYTES], &stored[HEADER_BYTES..]].concat();
    let seal_of_other = [&stored[..stored.len() - SEAL_BYTES], &others[others.len() - SEAL_BYTES..]].concat();
    let cases: [(&str, Vec<u8>); 11] = [
        ("swapped", others.clone()),
        ("cut by a byte", stored[..stored.len() - 1].to_vec()),
        ("cut by a chunk", stored[..HEADER_BYTES + SEALED_CHUNK_BYTES].to_vec()),
        ("empty", Vec::new()),
        ("lengthened", [&stored[..], b"x"].concat()),
        ("reordered", reordered),
        ("doubled", doubled),
        ("spliced", spliced),
        ("a chunk dropped", dropped),
        ("header of another", header_of_other),
        ("seal of another", seal_of_other),
    ];
    for (what, bytes) in cases {
        fs::write(kit.path(&one), bytes).expect("write");
        assert!(is_altered(&kit.whole(&one).await), "{what}");
        assert!(is_altered(&kit.storage.find(one.key).await) || kit.whole(&one).await.is_err(), "{what}");
    }
    // The same plain bytes under the same patient key at another time: another data key.
    let again = kit.storage.reseal(&other, &kit.patient).await.expect("reseal");
    fs::copy(kit.path(&again), kit.path(&other)).expect("copy");
    assert!(is_altered(&kit.whole(&other).await), "an other version put back");
}
