//! The process that decodes strangers' pixels: what it can reach, and what a bomb in it costs.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use model::{
    event::Event,
    transfer_syntax::{JPEG_XL, RLE_LOSSLESS},
};
use serde_json::Value;
use tests::{
    platform::{Options, Platform, binary},
    random::Random,
    scu::send_files,
    synthetic::{Synthetic, encapsulated},
};

const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
const HTJ2K: &str = "1.2.840.10008.1.2.4.201";

/// Until every preview is made or given up, on a busy machine.
const DECIDED_WITHIN: Duration = Duration::from_mins(3);
/// What the server itself may take meanwhile.
const PEAK_MEMORY_MAX_BYTES: u64 = 400 << 20;

// threats.md row 28
#[test]
fn a_decoder_reaches_nothing() {
    let output = Command::new(binary())
        .args(["decoder", "--memory-max-bytes", "1073741824", "--processor-max-seconds", "5", "--probe"])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("maxray runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let probe: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // Where a kernel has no system call filter at all, the operator is told, and there is nothing to test.
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    assert_eq!(probe["sandbox"]["seccomp"], status.contains("Seccomp:"), "{probe}");
    if probe["sandbox"]["seccomp"] == true {
        assert_eq!(probe["within_reach"], serde_json::json!([]), "{probe}");
    }
}

/// A probe that finds nothing must be able to find something.
#[test]
fn a_probe_sees_what_is_open() {
    let output = Command::new(binary())
        .args(["decoder", "--memory-max-bytes", "1073741824", "--processor-max-seconds", "5", "--probe"])
        .env_clear()
        .env("LEFT_OVER", "1")
        .stdin(Stdio::null())
        .output()
        .expect("maxray runs");
    let probe: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(probe["within_reach"], serde_json::json!(["environment"]), "{probe}");
}

// threats.md rows 28, 53
#[tokio::test]
async fn no_process_of_ours_leaves_a_core() {
    let platform = Platform::start(Options::default()).await;
    let files = vec![Synthetic::cr("CORE", 64, 64).with_transfer_syntax(RLE_LOSSLESS).part10()];
    assert_eq!(send_files(platform.dicom(), &files).expect("sent"), [0]);
    wait_for(&platform, "reach no file").await;
    assert!(core_limit(platform.pid()).ends_with("0                    0                    bytes"));
    let answer = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
    assert_eq!(answer.text().await.expect("text"), "ready", "no notice");
}

fn core_limit(pid: u32) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    line.trim_end().to_owned()
}

async fn wait_for(platform: &Platform, words: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !platform.log().contains(words) {
        assert!(Instant::now() < deadline, "not in the log: {words}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).expect("a short segment").to_be_bytes();
    [&[0xff, marker][..], &length, body].concat()
}

/// ISO 15444-1 A.5.1: one component of 16 bits.
fn jpeg_2000(side: u32, tile: u32, layers: u16, rest: &[u8]) -> Vec<u8> {
    let mut size = vec![0, 0];
    for value in [side, side, 0, 0, tile, tile, 0, 0] {
        size.extend_from_slice(&value.to_be_bytes());
    }
    size.extend_from_slice(&[0, 1, 15, 1, 1]);
    let [high, low] = layers.to_be_bytes();
    let coding = [0, 0, high, low, 0, 5, 4, 4, 0, 1];
    let quantisation = [&[0x40][..], &[0x80; 16]].concat();
    let tile_part = segment(0x90, &[0, 0, 0, 0, 0, 0, 0, 1]);
    [
        b"\xff\x4f".to_vec(),
        segment(0x51, &size),
        segment(0x52, &coding),
        segment(0x5c, &quantisation),
        tile_part,
        b"\xff\x93".to_vec(),
        rest.to_vec(),
        b"\xff\xd9".to_vec(),
    ]
    .concat()
}

/// ISO 10918-1 B.2: one component, then as many empty scans as wanted.
fn jpeg(start_of_frame: u8, precision: u8, side: u16, scans: usize, rest: &[u8]) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let scan = segment(0xda, &[1, 1, 0, 0, 0, 0]);
    [
        b"\xff\xd8".to_vec(),
        segment(0xc4, &[&[0, 1][..], &[0; 15], &[0]].concat()),
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(start_of_frame, &[precision, high, low, high, low, 1, 1, 0x11, 0]),
        scan.repeat(scans),
        rest.to_vec(),
        b"\xff\xd9".to_vec(),
    ]
    .concat()
}

/// PS3.5 G.5: a header of so many segments at these offsets.
fn rle(segments: u32, offsets: &[u32], rest: &[u8]) -> Vec<u8> {
    let mut bytes = segments.to_le_bytes().to_vec();
    for index in 0..15 {
        bytes.extend_from_slice(&offsets.get(index).copied().unwrap_or(0).to_le_bytes());
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn bombs(random: &mut Random) -> Vec<Vec<u8>> {
    let noise: Vec<u8> = (0..50_000).map(|_| random.below(255) as u8).collect();
    let mut bombs = Vec::new();
    for (rows, side, tile, layers) in [
        (65_535, 65_535, 65_535, 1),
        (512, 65_535, 65_535, 1),
        (512, 512, 1, 1),
        (512, 512, 4, u16::MAX),
        (512, u32::MAX, 1, 1),
        (512, 512, 512, 1),
    ] {
        bombs.push(encapsulated("BOMB", JPEG_2000, rows, rows, &jpeg_2000(side, tile, layers, &noise)));
        bombs.push(encapsulated("BOMB", HTJ2K, rows, rows, &jpeg_2000(side, tile, layers, &noise)));
    }
    for (syntax, start_of_frame, precision) in
        [(JPEG_BASELINE, 0xc0, 8), (JPEG_BASELINE, 0xc2, 8), (JPEG_LOSSLESS, 0xc3, 16), (JPEG_LS, 0xf7, 16)]
    {
        bombs.push(encapsulated("BOMB", syntax, 512, 512, &jpeg(start_of_frame, precision, 512, 1, &noise)));
        bombs.push(encapsulated(
            "BOMB",
            syntax,
            65_535,
            65_535,
            &jpeg(start_of_frame, precision, 65_535, 1, &noise),
        ));
        bombs.push(encapsulated(
            "BOMB",
            syntax,
            512,
            512,
            &jpeg(start_of_frame, precision, 512, 100_000, &[]),
        ));
    }
    for (segments, offsets) in [
        (2, vec![64, 40_000]),
        (2, vec![40_000, 64]),
        (15, vec![64; 15]),
        (u32::MAX, vec![64]),
        (2, vec![u32::MAX, u32::MAX]),
        (1, vec![64]),
        (0, vec![]),
    ] {
        bombs.push(encapsulated("BOMB", RLE_LOSSLESS, 512, 512, &rle(segments, &offsets, &noise)));
        bombs.push(encapsulated("BOMB", RLE_LOSSLESS, 65_535, 65_535, &rle(segments, &offsets, &noise)));
    }
    bombs.push(encapsulated("BOMB", JPEG_2000, 512, 512, &noise));
    bombs.push(encapsulated("BOMB", JPEG_BASELINE, 512, 512, b"\xff\xd8"));
    // JPEG XL: noise behind its signature, and behind a size header of nothing but ones.
    let vast = [&b"\xff\x0a\xfa\xff\xff\xff\xf7\xff\xff\xff"[..], &noise].concat();
    for (side, frame) in [(512, [&b"\xff\x0a"[..], &noise].concat()), (512, vast.clone()), (65_535, vast)] {
        bombs.push(encapsulated("BOMB", JPEG_XL, side, side, &frame));
    }
    bombs
}

async fn events(platform: &Platform) -> (usize, usize) {
    let database = platform.database().await;
    let events = database.outbox_after(0, 10_000).await.expect("the outbox");
    database.close().await;
    let made = events.iter().filter(|one| matches!(one.event, Event::PreviewMade { .. })).count();
    let failed = events.iter().filter(|one| matches!(one.event, Event::PreviewFailed { .. })).count();
    (made, failed)
}

async fn decided(platform: &Platform, count: usize) -> (usize, usize) {
    let deadline = Instant::now() + DECIDED_WITHIN;
    loop {
        let (made, failed) = events(platform).await;
        if made + failed >= count {
            return (made, failed);
        }
        assert!(Instant::now() < deadline, "{made} made, {failed} failed of {count}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

// threats.md rows 17, 26, 27
#[tokio::test]
async fn bombs_cost_their_own_preview_only() {
    let options = Options::default()
        .with("MAXRAY_WORKER__PREVIEW_RETRY_MS", "100")
        .with("MAXRAY_DECODER__TIMEOUT_MS", "5000");
    let mut platform = Platform::start(options).await;
    let bombs = bombs(&mut Random::from_environment("bombs"));
    let good: Vec<_> = (0..6)
        .map(|index| {
            Synthetic::cr(&format!("GOOD{index}"), 256, 256).with_transfer_syntax(RLE_LOSSLESS).part10()
        })
        .collect();
    let mut files = Vec::new();
    for (index, bomb) in bombs.iter().enumerate() {
        files.push(bomb.clone());
        files.extend(good.get(index / 4).filter(|_| index % 4 == 0).cloned());
    }
    let begun = Instant::now();
    let statuses = send_files(platform.dicom(), &files).expect("an association");
    assert_eq!(statuses, vec![0; files.len()], "what is DICOM is stored, whatever its pixels are");
    let (made, failed) = decided(&platform, files.len()).await;
    // Some decoders forgive noise and show it; none of it stops the others.
    assert!(made >= good.len(), "{made} previews were made, {failed} were not");
    assert!(failed >= bombs.len() / 2, "{failed} of {} bombs were found out", bombs.len());
    eprintln!("{} bombs, {} others: {made} previews in {:?}", bombs.len(), good.len(), begun.elapsed());
    assert!(platform.is_alive());
    let peak = platform.peak_memory_bytes();
    assert!(peak < PEAK_MEMORY_MAX_BYTES, "{peak} bytes");
}

// threats.md row 26: at most three tries, then the instance is left alone
#[tokio::test]
async fn a_decoder_that_dies_is_tried_three_times() {
    let folder = tempfile::tempdir().expect("a folder");
    // Little memory: the large picture takes the decoder down, the small one does not.
    let options = Options::default()
        .with("MAXRAY_WORKER__PREVIEW_RETRY_MS", "100")
        .with("MAXRAY_DECODER__MEMORY_MAX_BYTES", "120000000");
    let mut platform = Platform::start(options).await;
    let large = repeated_rle(6_000, 6_000);
    let small = Synthetic::cr("SMALL", 64, 64).with_transfer_syntax(RLE_LOSSLESS).part10();
    assert_eq!(send_files(platform.dicom(), &[large, small]).expect("an association"), [0, 0]);
    assert_eq!(decided(&platform, 2).await, (1, 1));
    // Long enough for a fourth try.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = platform.log();
    let tries = log.lines().filter(|line| line.contains("preview refused")).count();
    assert!((1..=3).contains(&tries), "{tries} tries");
    assert!(log.contains("the decoder process ended without an answer"), "it did not die:\n{log}");
    assert!(platform.is_alive());
    assert!(no_core(folder.path()) && no_core(platform.scratch()));
}

/// A valid frame: two segments of zeros.
fn repeated_rle(rows: u16, columns: u16) -> Vec<u8> {
    let length = usize::from(rows) * usize::from(columns);
    let mut plane = [0x81, 0].repeat(length / 128);
    let rest = length % 128;
    if rest > 1 {
        plane.extend_from_slice(&[(257 - rest) as u8, 0]);
    }
    plane.resize(plane.len().next_multiple_of(2), 0);
    let second = 64 + u32::try_from(plane.len()).expect("a short plane");
    encapsulated(
        "BOMB",
        RLE_LOSSLESS,
        rows,
        columns,
        &rle(2, &[64, second], &[plane.clone(), plane].concat()),
    )
}

fn no_core(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .all(|entry| !entry.expect("an entry").file_name().to_string_lossy().starts_with("core"))
}
