//! threats.md rows 22, 47, 50, 51, 53: what browsers see, and what logs must not. Classes: stored XSS (CVE-2023-7238),
//! polyglot files (CVE-2019-11687), injected response headers, patient data in logs (D10).

use reqwest::{Method, Response};
use serde_json::json;
use tests::{
    multipart, part10,
    platform::Platform,
    qido,
    session::PASSWORD,
    synthetic::{Encoding, Synthetic, Writer},
};

use super::{Crafted, MIB, quiet, raw, stow};

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whatever an answer is, no browser may guess, frame or run it.
fn check_headers(answer: &Response, what: &str) {
    assert_eq!(header(answer, "x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header(answer, "x-frame-options"), "DENY", "{what}");
    assert_eq!(header(answer, "referrer-policy"), "no-referrer", "{what}");
    let policy = header(answer, "content-security-policy");
    assert!(
        policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
        "{what}: {policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("script-src") || !policy.contains("unsafe"), "{what}: {policy}");
}

/// Row 22, CVE-2019-11687: a program in the preamble is gone when the file is given back, and the file is no document.
#[tokio::test]
async fn programs_in_preambles_do_not_come_back() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let guard = platform.guard();
    for (what, program) in [
        ("a program for Windows", &b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff"[..]),
        ("a program for Linux", b"\x7fELF\x02\x01\x01\0"),
        ("a program for macOS", b"\xcf\xfa\xed\xfe\x07\0\0\x01"),
        ("an archive", b"PK\x03\x04\x14\0\0\0\x08\0"),
        ("a page", b"<html><script>alert(1)</script>"),
        ("a script", b"#!/bin/sh\nid\n"),
        ("a PDF", b"%PDF-1.7\n"),
    ] {
        let xray = Synthetic::cr("POLYGLOT", 16, 16);
        let mut file = xray.part10();
        file[..program.len()].copy_from_slice(program);
        assert_eq!(stow(&service, &file).await.0, 200, "{what}");
        let instance = format!(
            "/dicomweb/studies/{}/series/{}/instances/{}",
            xray.study_instance_uid, xray.series_instance_uid, xray.sop_instance_uid
        );
        let answer = viewer.get_as(&instance, "application/dicom").await;
        assert_eq!(answer.status(), 200, "{what}");
        check_headers(&answer, what);
        assert!(header(&answer, "content-type").starts_with("application/dicom"), "{what}");
        let back = answer.bytes().await.expect("a body");
        assert_eq!(&back[..128], &[0; 128], "{what}: the preamble");
        assert_eq!(part10::data_set(&back), xray.data_set(), "{what}: the data set");
        let answer = viewer.get(&instance).await;
        let content_type = header(&answer, "content-type").to_owned();
        let parts = multipart::decode(&content_type, &answer.bytes().await.expect("a body"));
        assert_eq!(&parts[0].body[..128], &[0; 128], "{what}: the preamble in multipart");
    }
    guard.check_alive(&mut platform).await;
}

/// Row 50: a document inside of an instance is saved and not shown, whatever it calls itself.
#[tokio::test]
async fn documents_inside_of_instances_are_saved_and_not_shown() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let viewer = platform.user("viewer", "viewer").await;
    let guard = platform.guard();
    for (media_type, document) in [
        ("application/pdf", "%PDF-1.7\n<</JS(app.alert(1))>>"),
        ("text/html", "<html><script>alert(document.cookie)</script></html>"),
        ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    ] {
        let mut writer = Writer::new(Encoding::ExplicitLittle);
        let mut bytes = document.as_bytes().to_vec();
        bytes.resize(4096, b' ');
        writer.element(0x0042_0011, "OB", &bytes);
        writer.text(0x0042_0012, "LO", media_type);
        let crafted = Crafted::new(&writer.finish());
        assert_eq!(crafted.c_store(platform.dicom()), 0, "{media_type}");
        let place = qido::locate(&service, &crafted.sop_instance_uid).await.expect("stored");
        let path = format!(
            "/dicomweb/studies/{}/series/{}/instances/{}/bulkdata/00420011",
            place.study_instance_uid, place.series_instance_uid, crafted.sop_instance_uid
        );
        for accept in ["application/octet-stream", "*/*", "text/html, */*;q=0.1"] {
            let answer = viewer.get_as(&path, accept).await;
            assert_eq!(answer.status(), 200, "{media_type} as {accept}");
            check_headers(&answer, media_type);
            assert_eq!(header(&answer, "content-disposition"), "attachment", "{media_type} as {accept}");
            assert!(
                header(&answer, "content-security-policy").contains("sandbox"),
                "{media_type} as {accept}"
            );
            let content_type = header(&answer, "content-type");
            let plain = content_type.starts_with("application/octet-stream")
                || content_type.starts_with("multipart/related");
            assert!(plain, "{media_type} as {accept}: {content_type}");
        }
        assert_eq!(viewer.get_as(&path, media_type).await.status(), 406, "{media_type} as itself");
    }
    guard.check_alive(&mut platform).await;
}

/// Row 47, CVE-2023-7238: markup in names comes back as JSON, in errors not at all, and pages run nothing of it.
#[tokio::test]
async fn markup_is_never_a_page() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let markup = "<img src=x onerror=alert(1)>";
    let xray = Synthetic { patient_name: markup.to_owned(), ..Synthetic::cr("XSS", 16, 16) };
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let study = format!("/dicomweb/studies/{}", xray.study_instance_uid);
    let paths = [
        format!("/dicomweb/studies?StudyInstanceUID={}", xray.study_instance_uid),
        format!("{study}/metadata"),
        format!("{study}/%3Cscript%3Ealert(1)%3C/script%3E"),
        "/dicomweb/studies?NoSuchKeyword=%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
        "/dicomweb/studies?%3Cscript%3E=1".to_owned(),
        "/%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/xrays/%3Cscript%3E".to_owned(),
        "/doctors?%3Cscript%3E=1".to_owned(),
    ];
    for path in &paths {
        for accept in ["text/html", "*/*"] {
            let answer = service.get_as(path, accept).await;
            check_headers(&answer, path);
            let content_type = header(&answer, "content-type").to_owned();
            assert!(content_type.is_empty() || content_type.contains("json"), "{path}: {content_type}");
            let refused = !answer.status().is_success();
            let text = answer.text().await.expect("a text");
            assert!(!refused || !text.contains("<script>alert"), "{path}: {text}");
        }
    }
    for path in ["/docs/", "/docs/index.html", "/openapi.json", "/readyz", "/healthz"] {
        let answer = platform.client().get(platform.url(path)).send().await.expect("an answer");
        check_headers(&answer, path);
    }
    // The page of the API shows itself, whatever a link to it asks for.
    let plain = platform.client().get(platform.url("/docs/")).send().await.expect("an answer").text().await;
    let asked =
        platform
            .client()
            .get(platform.url(
                "/docs/?url=https://evil.invalid/x.json&configUrl=//evil.invalid&token=1#redirect=//evil",
            ))
            .send()
            .await
            .expect("an answer")
            .text()
            .await;
    assert_eq!(plain.expect("a page"), asked.expect("a page"));
    guard.check_alive(&mut platform).await;
}

/// Row 51: nothing that a client or an instance says becomes a header of an answer.
#[tokio::test]
async fn header_values_are_not_made_of_what_strangers_say() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let guard = platform.guard();
    let xray = Synthetic { patient_name: "A\r\nSet-Cookie: x=1".to_owned(), ..Synthetic::cr("CRLF", 16, 16) };
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let requests = [
        "GET /%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\nHost: x\r\n".to_owned(),
        "GET /?%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\nHost: x\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: evil.invalid\r\nX-Forwarded-Host: evil.invalid\r\n".to_owned(),
        "GET /readyz HTTP/1.1\r\nHost: x\r\nX-Request-Id: evil\"}\\r\\nx\r\n".to_owned(),
        format!(
            "GET /dicomweb/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nOrigin: https://evil.invalid\r\n",
            service.token()
        ),
        format!(
            "GET /dicomweb/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nOrigin: null\r\n",
            service.token()
        ),
    ];
    for request in requests {
        let answer = raw(platform.http(), format!("{request}Connection: close\r\n\r\n").as_bytes());
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 "), "{request}: {answer:.80}");
        assert!(!head.contains("set-cookie") && !head.contains("evil"), "{request}: {head}");
        assert!(!head.contains("access-control-allow-origin"), "{request}: {head}");
    }
    guard.check_alive(&mut platform).await;
}

/// Row 53, D10: whatever goes wrong, no name of a patient, no password and no token is in the log, the metrics or the answer.
#[tokio::test]
async fn patients_passwords_and_tokens_are_not_in_logs_metrics_or_errors() {
    let mut platform = Platform::start(quiet().with("MAXRAY_LOG__FILTER", "debug")).await;
    let service = platform.user("service", "service").await;
    let admin = platform.user("boss", "admin").await;
    let canary = "CANARYSMITH";
    let mut answers = String::new();
    let mut keep = async |answer: Response| answers.push_str(&answer.text().await.unwrap_or_default());
    let xray = Synthetic {
        patient_name: format!("{canary}^Name"),
        accession_number: format!("{canary}1"),
        ..Synthetic::cr(&format!("{canary}-ID"), 16, 16)
    };
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    // The same instance under another patient, cut, under another study: refusals that have a patient at hand.
    let other = Synthetic { patient_id: format!("{canary}-OTHER"), ..xray.next() };
    assert_ne!(stow(&service, &other.part10()).await.0, 200, "a study of two patients");
    let file = xray.next().part10();
    assert_ne!(stow(&service, &file[..file.len() - 31]).await.0, 200, "a cut file");
    for query in [
        format!("PatientName={canary}*"),
        format!("PatientName={canary}%ff"),
        format!("PatientID={canary}&00100020={canary}"),
        format!("NoSuchKeyword={canary}"),
        format!("StudyDate={canary}"),
        format!("limit={canary}"),
    ] {
        let answer = service.get(&format!("/dicomweb/studies?{query}")).await;
        // Of a success the name is the content.
        if !answer.status().is_success() {
            keep(answer).await;
        }
    }
    for body in [
        json!({ "name": canary, "role": canary }),
        json!({ "name": 7, "languages": canary }),
        json!({ "name": canary, "languages": [canary], "time_zone": canary }),
    ] {
        keep(admin.request(Method::POST, "/doctors").json(&body).send().await.expect("an answer")).await;
    }
    let credentials = json!({ "username": "nobody", "password": format!("{canary}-password") });
    keep(
        platform.client().post(platform.url("/sessions")).json(&credentials).send().await.expect("an answer"),
    )
    .await;
    let bearer = format!("Bearer {canary}.{canary}.{canary}");
    let request = platform.client().get(platform.url("/xrays")).header("Authorization", bearer);
    keep(request.send().await.expect("an answer")).await;
    let metrics = platform.metrics().await;
    assert!(metrics.contains("maxray_"), "no metrics");
    let log = platform.log();
    assert!(log.contains("not stored"), "the refusals are not in the log");
    for (sink, text) in [("the log", &log), ("the metrics", &metrics), ("the answers", &answers)] {
        for secret in [canary, PASSWORD, service.token(), admin.token()] {
            let found = text.lines().find(|line| line.contains(secret));
            assert!(found.is_none(), "in {sink}: {found:?}");
        }
    }
    let guard = platform.guard();
    guard.check(&mut platform, 10 * MIB).await;
}
