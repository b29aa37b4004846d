//! What `spool` must hold.

use super::*;

fn config() -> Arc<SpoolConfig> {
    Arc::new(SpoolConfig { reserve_percent_max: 0, ..SpoolConfig::default() })
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn add(spool: &mut Spool, content: &[u8], piece: usize) -> Spooled {
    let mut writer = SpoolWriter::default();
    for piece in content.chunks(piece) {
        writer.write(spool, piece).await.expect("written");
    }
    assert_eq!(writer.length(), content.len() as u64);
    writer.finish(spool).await.expect("finished")
}

async fn spool(content: &[u8], piece: usize) -> Spooled {
    add(&mut Spool::new(&config()), content, piece).await
}

#[tokio::test]
async fn many_short_ones_do_not_fill_the_memory() {
    let mut spool = Spool::new(&config());
    let contents: Vec<Vec<u8>> = (0..100).map(|n| vec![n as u8; 100_000 + n]).collect();
    let mut spooled = Vec::new();
    for content in &contents {
        spooled.push(add(&mut spool, content, 1 << 20).await);
    }
    let in_memory: usize = spooled.iter().map(|spooled| spooled.tail.len()).sum();
    assert!(in_memory <= MEMORY_MAX_BYTES && in_memory == spool.memory_bytes, "{in_memory}");
    for (content, spooled) in contents.iter().zip(&spooled) {
        assert_eq!(spooled.head(usize::MAX).await.expect("read"), *content);
    }
}

#[tokio::test]
async fn comes_back_as_it_went_in() {
    for (length, piece) in [
        (0, 1),
        (1, 1),
        (CHUNK_LENGTH_BYTES, 999),
        (CHUNK_LENGTH_BYTES + 1, 100_000),
        (3 * CHUNK_LENGTH_BYTES + 7, 1 << 20),
    ] {
        let content = bytes(length);
        let spooled = spool(&content, piece).await;
        assert_eq!(spooled.length(), length as u64);
        assert_eq!(spooled.file.is_some(), length > CHUNK_LENGTH_BYTES);
        assert_eq!(spooled.head(usize::MAX).await.expect("read"), content);
        assert_eq!(spooled.head(10).await.expect("read"), &content[..length.min(10)]);
        let mut read = Vec::new();
        spooled.reader(0..u64::MAX).read_to_end(&mut read).expect("read");
        assert_eq!(read, content);
    }
}

#[tokio::test]
async fn a_part_of_it_by_place() {
    let content = bytes(2 * CHUNK_LENGTH_BYTES + 100);
    let spooled = spool(&content, 1 << 20).await;
    let around = CHUNK_LENGTH_BYTES as u64 - 3..CHUNK_LENGTH_BYTES as u64 + 5;
    let mut reader = spooled.reader(around.clone());
    let mut read = Vec::new();
    reader.read_to_end(&mut read).expect("read");
    assert_eq!(read, &content[around.start as usize..around.end as usize]);
    assert_eq!(reader.seek(SeekFrom::Start(4)).expect("sought"), 4);
    assert_eq!(reader.seek(SeekFrom::Current(-1)).expect("sought"), 3);
    let mut one = [0];
    reader.read_exact(&mut one).expect("read");
    assert_eq!(one[0], content[CHUNK_LENGTH_BYTES]);
    assert!(reader.seek(SeekFrom::Current(-100)).is_err());
    assert_eq!(reader.seek(SeekFrom::End(1_000)).expect("sought"), 8);
    assert_eq!(spooled.read(spooled.length()).await.expect("read"), "");
    assert_eq!(spooled.read(u64::MAX / 2).await.expect("read"), "");
}

// threats.md row 57.
#[tokio::test]
async fn on_the_disk_nothing_is_readable() {
    let content = vec![b'A'; 2 * CHUNK_LENGTH_BYTES];
    let spooled = spool(&content, 1 << 20).await;
    let sealed = spooled.file.as_ref().expect("a file");
    let mut raw = vec![0; CHUNK_LENGTH_BYTES];
    sealed.file.read_exact_at(&mut raw, 0).expect("read");
    assert!(memchr::memmem::find(&raw, b"AAAAAAAA").is_none());
    sealed.file.write_all_at(&[raw[100] ^ 1], 100).expect("altered");
    assert!(spooled.read(0).await.is_err());
}

// threats.md row 58.
#[tokio::test]
async fn the_reserve_stays_free() {
    let config = SpoolConfig { reserve_bytes: u64::MAX, reserve_percent_max: 100, ..SpoolConfig::default() };
    let mut spool = Spool::new(&Arc::new(config));
    let mut writer = SpoolWriter::default();
    writer.write(&mut spool, &bytes(CHUNK_LENGTH_BYTES)).await.expect("in memory");
    let error = writer.write(&mut spool, &bytes(1)).await.expect_err("no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
