//! HTTP connections that want to hold the server up: slow, endless, and by the thousand.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tests::platform::{Options, Platform};

/// `http.header_timeout_ms` in these tests.
const HEADER_TIMEOUT_MS: u64 = 1_500;
/// In which a connection that asks for nothing has ended, with room for a busy machine.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET http://a/healthz` in HPACK.
const REQUEST: &[u8] = b"\x82\x86\x41\x01a\x04\x08/healthz";

fn connect(platform: &Platform) -> TcpStream {
    let stream = TcpStream::connect(platform.http()).expect("connected");
    stream.set_read_timeout(Some(CLOSED_WITHIN)).expect("a time-out");
    stream.set_write_timeout(Some(CLOSED_WITHIN)).expect("a time-out");
    stream
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads to the end; whether the server said GOAWAY. `None` when it neither ended nor answered in time.
fn ends(mut stream: TcpStream) -> Option<bool> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
        {
            None
        }
        _ => {
            let mut rest = bytes.as_slice();
            let mut goaway = false;
            while let Some((head, after)) = rest.split_first_chunk::<9>() {
                goaway |= head[3] == GOAWAY;
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                rest = after.get(length..).unwrap_or_default();
            }
            Some(goaway)
        }
    }
}

async fn answers(platform: &Platform) -> Duration {
    let begun = Instant::now();
    let answer = platform.client().get(platform.url("/healthz")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    begun.elapsed()
}

async fn start() -> Platform {
    let timeout = HEADER_TIMEOUT_MS.to_string();
    Platform::start(Options::default().with("MAXRAY_HTTP__HEADER_TIMEOUT_MS", &timeout)).await
}

// threats.md row 32: request-header time
#[tokio::test]
async fn who_does_not_get_to_the_point_is_cut_off() {
    let platform = start().await;
    let beginnings: [&[u8]; 6] = [
        b"",
        b"P",
        b"PRI * HTTP/2.0\r\n\r\n",
        PREFACE,
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ",
    ];
    let waiting: Vec<_> = beginnings
        .into_iter()
        .map(|bytes| {
            let mut stream = connect(&platform);
            std::thread::spawn(move || {
                let begun = Instant::now();
                stream.write_all(bytes).expect("sent");
                (bytes, ends(stream), begun.elapsed())
            })
        })
        .collect();
    assert!(answers(&platform).await < Duration::from_secs(5), "others are not disturbed");
    for waiting in waiting {
        let (bytes, ended, took) = waiting.join().expect("a peer");
        assert!(ended.is_some() && took < CLOSED_WITHIN, "{bytes:?} was still open after {took:?}");
    }
    // A byte now and then makes it no better.
    let mut stream = connect(&platform);
    let begun = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").expect("sent");
    while stream.write_all(b"X").is_ok() {
        assert!(begun.elapsed() < CLOSED_WITHIN, "still open");
        std::thread::sleep(Duration::from_millis(200));
    }
}

// threats.md row 32: HTTP header 16 KiB
#[tokio::test]
async fn a_header_without_end_is_refused() {
    let platform = start().await;
    for (length, expected) in [(8 * 1024, 200), (20 * 1024, 431), (60 * 1024, 431)] {
        let request = platform.client().get(platform.url("/healthz")).header("x-long", "x".repeat(length));
        assert_eq!(request.send().await.expect("an answer").status(), expected, "{length}");
    }
    let mut stream = connect(&platform);
    let mut sent = 0;
    let endless = "X-Filler: 0123456789012345678901234567890123456789\r\n".repeat(100);
    if stream.write_all(b"GET /healthz HTTP/1.1\r\n").is_ok() {
        while sent < 8 << 20 && stream.write_all(endless.as_bytes()).is_ok() {
            sent += endless.len();
        }
    }
    assert!(sent < 8 << 20, "{sent} bytes of header were taken");
    answers(&platform).await;
}

// threats.md row 34: rapid reset (CVE-2023-44487)
#[tokio::test]
async fn rapid_resets_end_in_goaway() {
    let mut platform = start().await;
    let before = platform.peak_memory_bytes();
    let mut attackers = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&platform);
        attackers.push(std::thread::spawn(move || {
            let mut bytes = PREFACE.to_vec();
            bytes.extend(frame(SETTINGS, 0, 0, &[]));
            for stream in (1..40_000).step_by(2) {
                bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, REQUEST));
                bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            }
            // It may be cut off while it still sends.
            let _cut_off = stream.write_all(&bytes);
            ends(stream)
        }));
    }
    let took = answers(&platform).await;
    assert!(took < Duration::from_secs(10), "a good client waited {took:?}");
    for attacker in attackers {
        assert!(attacker.join().expect("a peer").is_some(), "a rapid reset went on");
    }
    assert!(platform.is_alive());
    let grown = platform.peak_memory_bytes().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes");
    answers(&platform).await;
}

// threats.md row 34: CONTINUATION flood
#[tokio::test]
async fn continuations_without_end_are_cut_off() {
    let mut platform = start().await;
    let before = platform.peak_memory_bytes();
    let mut stream = connect(&platform);
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_STREAM, 1, REQUEST));
    stream.write_all(&bytes).expect("sent");
    // Literals without indexing: `x: ` and 100 bytes.
    let field = [&b"\x00\x01x\x64"[..], &[b'y'; 100]].concat();
    let filler = frame(CONTINUATION, 0, 1, &field.repeat(150));
    let mut sent = 0;
    while sent < 64 << 20 && stream.write_all(&filler).is_ok() {
        sent += filler.len();
    }
    assert!(sent < 64 << 20, "{sent} bytes of header were taken");
    assert!(platform.is_alive());
    let grown = platform.peak_memory_bytes().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes");
    answers(&platform).await;
}
