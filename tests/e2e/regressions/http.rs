//! threats.md rows 29, 30, 32 to 37, 43, 63: clients of the HTTP doors that lie, flood or ask for the impossible. Classes:
//! bombs and exhaustion (CVE-2026-5438, CVE-2026-5440, CVE-2026-101021, CVE-2023-44487), recursion (CVE-2026-44037).

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    multipart,
    platform::Platform,
    qido,
    session::{PASSWORD, Session},
    synthetic::{Synthetic, new_uid},
};

use super::{MIB, connect, quiet, raw, read_to_end, stow};

/// The path of an instance below `/dicomweb`.
fn path_of(xray: &Synthetic) -> String {
    format!(
        "/dicomweb/studies/{}/series/{}/instances/{}",
        xray.study_instance_uid, xray.series_instance_uid, xray.sop_instance_uid
    )
}

/// Row 29: pictures that nobody can paint.
#[tokio::test]
async fn impossible_pictures_are_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let xray = Synthetic::cr("RENDER", 64, 64);
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let guard = platform.guard();
    for query in [
        "viewport=1000000000,1000000000",
        "viewport=0,0",
        "viewport=-1,5",
        "viewport=NaN,NaN",
        "viewport=4097,1",
        "window=NaN,NaN",
        "window=1,inf",
        "window=1,0",
        "window=1,-5,sigmoid",
        "window=1,2,nonsense",
        "window=1,2,linear,3",
        "quality=1000000000",
        "quality=-1",
        "quality=0",
        "quality=NaN",
    ] {
        let answer = viewer.get(&format!("{}/rendered?{query}", path_of(&xray))).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    for frame in ["-1", "0", "2", "99999999999999999999", "1e9", "NaN"] {
        let answer = viewer.get(&format!("{}/frames/{frame}/rendered", path_of(&xray))).await;
        let status = answer.status();
        assert!(status == 400 || status == 404, "frame {frame}: {status}");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 30: lists of frames without end, twice the same, beyond the last.
#[tokio::test]
async fn lists_of_frames_have_an_end() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let xray = Synthetic { frames: 3, ..Synthetic::cr("FRAMES", 16, 16) };
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let guard = platform.guard();
    let long = vec!["1"; 6_000].join(",");
    for (list, wanted) in [
        ("4", [404, 404]),
        ("1,4", [404, 404]),
        ("0", [400, 404]),
        ("1,,2", [400, 400]),
        ("1-3", [400, 400]),
        (&long, [400, 414]),
    ] {
        let status = viewer.get(&format!("{}/frames/{list}", path_of(&xray))).await.status().as_u16();
        assert!(wanted.contains(&status), "{list:.20}: {status}");
    }
    let answer = viewer.get(&format!("{}/frames/1,1,3", path_of(&xray))).await;
    if answer.status() == 200 {
        let length = answer.bytes().await.expect("a body").len();
        assert!(length < 3 * 16 * 16 * 2 + 1024, "{length} bytes");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 32, CVE-2026-5440: lengths that lie, two lengths, and requests inside of requests.
#[tokio::test]
async fn requests_are_as_long_as_they_say_or_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let head = format!("Host: x\r\nAuthorization: Bearer {}\r\n", service.token());
    let sessions = "POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let smuggled = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    let endless = "9".repeat(400);
    let refused = [
        ("4 GiB of JSON", format!("{sessions}Content-Length: 4294967296\r\n\r\n{{}}")),
        ("2^63 bytes", format!("{sessions}Content-Length: 9223372036854775808\r\n\r\n{{}}")),
        ("10^400 bytes", format!("{sessions}Content-Length: {endless}\r\n\r\n{{}}")),
        ("-1 bytes", format!("{sessions}Content-Length: -1\r\n\r\n{{}}")),
        ("two lengths", format!("{sessions}Content-Length: 2\r\nContent-Length: 50\r\n\r\n{{}}{smuggled}")),
        (
            "length and chunks",
            format!("{sessions}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("chunks of no kind", format!("{sessions}Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n")),
        ("a chunk of 2^64", format!("{sessions}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")),
        (
            "a STOW of 2^62",
            format!(
                "POST /dicomweb/studies HTTP/1.1\r\n{head}Content-Type: {}\r\nContent-Length: 4611686018427387904\r\n\r\n",
                multipart::content_type("b")
            ),
        ),
        (
            "a header of 1 MB",
            format!("GET /readyz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20)),
        ),
        ("20,000 headers", format!("GET /readyz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(20_000))),
        ("a line end in a header", "GET /readyz HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n".to_owned()),
    ];
    for (what, request) in refused {
        let begin = Instant::now();
        let mut stream = connect(platform.http());
        let _closed_early = stream.write_all(request.as_bytes());
        let _closed = stream.shutdown(std::net::Shutdown::Write);
        let answer = read_to_end(&mut stream);
        let ok = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
        assert!(ok, "{what}: {answer:.300}");
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 0, "{what}: a request inside of it was answered");
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}: {:?}", begin.elapsed());
    }
    // Extensions of chunks mean nothing; as many as one likes cost no memory.
    let mut stream = connect(platform.http());
    stream.write_all(format!("{sessions}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).expect("sent");
    let extended = format!("1;{}\r\n \r\n", "x=y;".repeat(1_000)).repeat(200);
    for _ in 0..20 {
        if stream.write_all(extended.as_bytes()).is_err() {
            break;
        }
    }
    drop(stream);
    guard.check(&mut platform, 10 * MIB).await;
}

/// Row 33, CVE-2026-5438: a body in a coding is not taken apart.
#[tokio::test]
async fn bodies_in_a_coding_are_refused() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let guard = platform.guard();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![b' '; MIB as usize]).expect("memory");
    }
    let bomb = encoder.finish().expect("memory");
    let content_type = multipart::content_type("b");
    for coding in ["gzip", "deflate", "br", "gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip"] {
        for (path, content_type) in [
            ("/dicomweb/studies", content_type.as_str()),
            ("/dicomweb/studies", "application/dicom"),
            ("/sessions", "application/json"),
        ] {
            let request = service
                .request(Method::POST, path)
                .header("Content-Type", content_type)
                .header("Content-Encoding", coding)
                .body(bomb.clone());
            // The server may close before it has read all of a body that it refuses: then the answer can be lost.
            let mut answer = None;
            for _ in 0..5 {
                let again = request.try_clone().expect("a body of bytes");
                answer = again.send().await.ok();
                if answer.is_some() {
                    break;
                }
            }
            let status = answer.expect("an answer").status();
            assert!(status == 415 || status == 400, "{path} in {coding}: {status}");
        }
    }
    drop(viewer);
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 34, CVE-2023-44487: streams that are opened and reset as fast as they can be written.
#[tokio::test]
async fn resetting_streams_does_not_stop_others() {
    let mut platform = Platform::start(quiet()).await;
    let guard = platform.guard();
    let mut stream = connect(platform.http());
    let frame = |kind: u8, flags: u8, id: u32, payload: &[u8]| {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(id.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    };
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
    stream.write_all(&frame(4, 0, 0, &[])).expect("sent");
    // :method GET, :scheme http, :path /readyz (literal, no index), :authority x (RFC 7541).
    let headers = b"\x82\x86\x04\x07/readyz\x01\x01x";
    let mut sent = 0;
    for id in (1..40_000_u32).step_by(2) {
        let pair = [frame(1, 5, id, headers), frame(3, 0, id, &8_u32.to_be_bytes())].concat();
        if stream.write_all(&pair).is_err() {
            break;
        }
        sent += 1;
    }
    eprintln!("{sent} streams were opened and reset");
    let begin = Instant::now();
    let ready = platform.client().get(platform.url("/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    assert!(begin.elapsed() < Duration::from_secs(2), "others waited {:?}", begin.elapsed());
    drop(stream);
    guard.check(&mut platform, 20 * MIB).await;
}

async fn check_problem(session: &Session, method: Method, path: &str, body: &str, what: &str) -> u16 {
    let request =
        session.request(method, path).header("Content-Type", "application/json").body(body.to_owned());
    let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let status = answer.status().as_u16();
    assert!((400..500).contains(&status), "{what}: {status}");
    let media_type = answer.headers()["content-type"].to_str().expect("ASCII").to_owned();
    assert!(media_type.starts_with("application/problem+json"), "{what}: {media_type}");
    let text = answer.text().await.expect("a text");
    assert!(text.len() < 4096, "{what}: an answer of {} bytes", text.len());
    let problem: Value = serde_json::from_str(&text).expect("RFC 9457");
    assert_eq!(problem["status"], status, "{what}");
    status
}

/// Row 35, CVE-2026-44037: JSON that is none, that nests, that says things twice.
#[tokio::test]
async fn json_that_is_none_is_refused() {
    let mut platform = Platform::start(quiet()).await;
    let admin = platform.user("boss", "admin").await;
    let guard = platform.guard();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let bodies = [
        ("a depth of 100,000", deep.as_str()),
        ("objects in objects", &objects),
        ("a field twice", "{\"name\":\"a\",\"name\":\"b\"}"),
        ("1e400", "{\"name\":1e400}"),
        ("a lone surrogate", "{\"name\":\"\\ud800\"}"),
        ("bytes that are no UTF-8", "\u{0}"),
        ("NaN", "{\"name\":NaN}"),
        ("a comma too many", "{\"name\":\"a\",}"),
        ("two values", "{\"name\":\"a\"}{}"),
        ("nothing", ""),
        ("a number", "9007199254740993"),
        ("a text", "\"name\""),
        ("null", "null"),
        ("a NUL in a text", "{\"name\":\"a\\u0000b\"}"),
    ];
    for (what, body) in bodies {
        check_problem(&admin, Method::POST, "/doctors", body, what).await;
    }
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    assert_eq!(check_problem(&admin, Method::POST, "/doctors", &long, "2 MB").await, 413);
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 36, CVE-2026-101021: boundaries that nearly come, parts of nothing, parts in parts.
#[tokio::test]
async fn multipart_takes_linear_time() {
    let options = quiet().with("MAXRAY_DICOMWEB__STORE_REQUEST_PARTS_MAX", "1000");
    let mut platform = Platform::start(options).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let boundary = "-".repeat(70);
    let mut times = Vec::new();
    for count in [2_000, 20_000, 160_000] {
        let nearly = format!("\r\n--{}", &boundary[1..]);
        let body = format!("--{boundary}\r\n\r\n{}\r\n--{boundary}--", nearly.repeat(count));
        let request = service
            .request(Method::POST, "/dicomweb/studies")
            .header("Content-Type", multipart::content_type(&boundary));
        let begin = Instant::now();
        let status = request.body(body).send().await.expect("an answer").status();
        assert!(status.is_client_error(), "{status}");
        times.push(begin.elapsed().max(Duration::from_millis(20)));
    }
    assert!(times[2] < times[1] * 40, "8 times the bytes took {:?} after {:?}", times[2], times[1]);
    let empty = format!("{}--b--", "--b\r\n\r\n\r\n".repeat(100_000));
    let nested =
        "--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--".to_owned();
    let long = format!("--b\r\nX: {}\r\n\r\nx\r\n--b--", "y".repeat(1 << 20));
    for (what, body) in
        [("100,000 parts of nothing", empty), ("parts in parts", nested), ("a header of 1 MB", long)]
    {
        let request = service
            .request(Method::POST, "/dicomweb/studies")
            .header("Content-Type", multipart::content_type("b"));
        let status = request.body(body).send().await.expect("an answer").status();
        assert!(status.is_client_error(), "{what}: {status}");
    }
    guard.check(&mut platform, 40 * MIB).await;
}

/// Row 37, C9 in its other sense: searches that would make a database sweat.
#[tokio::test]
async fn searches_have_bounds() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    for _ in 0..3 {
        assert_eq!(stow(&service, &Synthetic::cr("SEARCH", 16, 16).part10()).await.0, 200);
    }
    let guard = platform.guard();
    let stars = format!("PatientName={}", "*a".repeat(500));
    let questions = format!("PatientID={}", "?".repeat(1_000));
    let long = format!("PatientName={}", "x".repeat(5_000));
    let many = "00100010=a&".repeat(500);
    let uids = format!("StudyInstanceUID={}", vec!["1.2"; 3_000].join(","));
    for query in [
        stars.as_str(),
        &questions,
        &long,
        &many,
        &uids,
        "limit=-1",
        "limit=1e9",
        "offset=99999999999999999999",
        "StudyDate=99999999-",
        "PatientName=%ff%fe",
        "PatientName=%",
    ] {
        let status = service.get(&format!("/dicomweb/studies?{query}")).await.status();
        assert!(status == 400 || status == 413 || status == 414, "{query:.40}: {status}");
    }
    let include = format!("includefield={}", vec!["00100010"; 5_000].join(","));
    for query in [
        "limit=1000000000",
        "offset=1000000000",
        "fuzzymatching=true&PatientName=a",
        "PatientName=.*%5B%5D(a%2B)%2B%24",
        "PatientID=%25_%25",
        &include,
    ] {
        let answer = service.get(&format!("/dicomweb/studies?{query}")).await;
        let status = answer.status();
        assert!(status == 200 || status == 204 || status == 414 || status == 431, "{query:.40}: {status}");
    }
    // What LIKE and regular expressions would read means itself.
    let rows = qido::rows(&service, "/studies?PatientID=%25").await;
    assert!(rows.is_empty(), "a percent sign found {} studies", rows.len());
    guard.check(&mut platform, 40 * MIB).await;
}

/// Row 43, CVE-2025-15581: fields that a client may not set, methods in disguise.
#[tokio::test]
async fn fields_that_nobody_may_set_are_refused() {
    let mut platform = Platform::start(quiet()).await;
    let admin = platform.user("boss", "admin").await;
    let account = json!({ "username": "dr.one", "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": "One", "account": account })).await;
    let session = platform.sign_in("dr.one", PASSWORD).await;
    let guard = platform.guard();
    let book = format!("/doctors/{}/consultation", doctor["id"].as_str().expect("an id"));
    for field in [
        "role",
        "tenant_id",
        "doctor_id",
        "signed_at",
        "id",
        "status",
        "created_at",
        "user_id",
        "version",
        "is_admin",
        "__proto__",
        "constructor",
    ] {
        let body = format!("{{\"patient_id\":\"P-1\",\"{field}\":\"admin\"}}");
        assert_eq!(check_problem(&session, Method::POST, &book, &body, field).await, 422, "{field}");
        let body = format!("{{\"name\":\"Two\",\"{field}\":\"admin\"}}");
        assert_eq!(check_problem(&admin, Method::POST, "/doctors", &body, field).await, 422, "{field}");
    }
    let body = "{\"name\":\"Two\",\"account\":{\"username\":\"x\",\"password\":\"correct horse battery\",\"role\":\"admin\"}}";
    assert_eq!(check_problem(&admin, Method::POST, "/doctors", body, "a role in the account").await, 422);
    let path = format!("/doctors/{}", doctor["id"].as_str().expect("an id"));
    for (name, value) in
        [("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "PUT"), ("X-Method-Override", "PATCH")]
    {
        let answer = admin.request(Method::POST, &path).header(name, value).body("{}").send().await;
        assert_eq!(answer.expect("an answer").status(), StatusCode::METHOD_NOT_ALLOWED, "{name}");
    }
    for method in [Method::TRACE, Method::CONNECT, Method::from_bytes(b"PROPFIND").expect("a method")] {
        let bytes = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(platform.http(), bytes.as_bytes());
        assert!(!answer.starts_with("HTTP/1.1 2"), "{method}: {answer:.60}");
    }
    guard.check(&mut platform, 20 * MIB).await;
}

/// Row 63: what SQL would read is a text, in every field that reaches the database.
#[tokio::test]
async fn statements_in_values_are_texts() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let admin = platform.user("boss", "admin").await;
    let payloads = [
        "' OR '1'='1",
        "'; DROP TABLE instance; --",
        "\" OR \"\"=\"",
        "') UNION SELECT password FROM account --",
        "%' AND 1=1 --",
        "\\'; SELECT pg_sleep(9) --",
        "$1",
        ":name",
    ];
    for payload in payloads {
        let xray = Synthetic { patient_name: payload.to_owned(), ..Synthetic::cr("SQL", 16, 16) };
        let xray = Synthetic { patient_id: payload.replace('\\', ""), ..xray };
        assert_eq!(stow(&service, &xray.part10()).await.0, 200, "{payload}");
    }
    let guard = platform.guard();
    let encode = |text: &str| text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    for payload in payloads {
        let begin = Instant::now();
        let rows =
            qido::rows(&service, &format!("/studies?PatientID={}", encode(&payload.replace('\\', "")))).await;
        assert_eq!(rows.len(), 1, "{payload}: the study of that very patient");
        for parameter in ["AccessionNumber", "StudyID", "ReferringPhysicianName", "00081030"] {
            let answer = service.get(&format!("/dicomweb/studies?{parameter}={}", encode(payload))).await;
            assert!(!answer.status().is_server_error(), "{parameter}: {}", answer.status());
        }
        for path in ["/doctors?specialty=", "/doctors?query=", "/xrays?patient_id="] {
            let answer = admin.get(&format!("{path}{}", encode(payload))).await;
            assert!(!answer.status().is_server_error(), "{path}{payload}: {}", answer.status());
        }
        let credentials = json!({ "username": payload, "password": payload });
        let answer = platform.client().post(platform.url("/sessions")).json(&credentials).send().await;
        let status = answer.expect("an answer").status();
        assert!(status == 401 || status == 422 || status == 429, "sign-in as {payload}: {status}");
        assert!(begin.elapsed() < Duration::from_secs(8), "{payload} took {:?}", begin.elapsed());
    }
    let answer = service.get(&format!("/dicomweb/studies/{}'--", new_uid())).await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    // One password check (Argon2id) takes 64 MiB: a sign-in with a statement for a name costs what any costs.
    guard.check(&mut platform, (64 + 40) * MIB).await;
    assert_eq!(qido::rows(&service, "/studies").await.len(), payloads.len(), "studies");
}

/// C15: an image store that takes connections and says nothing is given up within its time-outs.
#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let mut platform = Platform::start(quiet()).await;
    platform.stop().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let mut server = platform
        .command(&["serve"])
        .env("MAXRAY_OBJECT_STORAGE__BACKEND", "s3")
        .env("MAXRAY_OBJECT_STORAGE__S3__ENDPOINT", endpoint)
        .env("MAXRAY_OBJECT_STORAGE__S3__ALLOW_HTTP", "true")
        .env("MAXRAY_OBJECT_STORAGE__S3__BUCKET", "silent")
        .env("MAXRAY_OBJECT_STORAGE__S3__ACCESS_KEY_ID", "a")
        .env("MAXRAY_OBJECT_STORAGE__S3__SECRET_ACCESS_KEY", "b")
        .env("MAXRAY_OBJECT_STORAGE__S3__REQUEST_TIMEOUT_MS", "300")
        .env("MAXRAY_OBJECT_STORAGE__S3__OPERATION_TIMEOUT_MS", "1000")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("maxray starts");
    let deadline = Instant::now() + Duration::from_secs(40);
    let run_file = platform.data_directory().join("run.json");
    let outcome = loop {
        if let Some(status) = server.try_wait().expect("a child to wait for") {
            break format!("ended: {}", status.success());
        }
        let run: Value =
            serde_json::from_slice(&std::fs::read(&run_file).unwrap_or_default()).unwrap_or_default();
        if let Some(http) = run["http"].as_str() {
            let begin = Instant::now();
            let ready =
                platform.client().get(format!("http://{http}/readyz")).send().await.expect("an answer");
            assert!(begin.elapsed() < Duration::from_secs(10), "/readyz took {:?}", begin.elapsed());
            break format!("ready: {}", ready.status().as_u16());
        }
        assert!(Instant::now() < deadline, "neither up nor ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let _ended_already = server.kill();
    let _status = server.wait();
    assert!(outcome == "ready: 503" || outcome == "ended: false", "{outcome}");
}

/// Row 10 at this door: heads of requests that come a byte at a time and never end, on forty connections.
#[tokio::test]
async fn request_heads_that_never_end_are_given_up() {
    let mut platform = Platform::start(quiet().with("MAXRAY_HTTP__HEADER_TIMEOUT_MS", "1500")).await;
    let guard = platform.guard();
    let mut streams: Vec<_> = (0..40).map(|_| Some(connect(platform.http()))).collect();
    for stream in streams.iter_mut().flatten() {
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Slow: ").expect("sent");
    }
    let begin = Instant::now();
    while streams.iter().any(Option::is_some) {
        assert!(begin.elapsed() < Duration::from_secs(30), "a head without end is still waited for");
        tokio::time::sleep(Duration::from_millis(200)).await;
        for stream in &mut streams {
            if stream.as_mut().is_some_and(|stream| stream.write_all(b"x").is_err()) {
                *stream = None;
            }
        }
    }
    guard.check(&mut platform, 10 * MIB).await;
}
