//! Metadata and bulk data that are not stored, and what is said then.

use http::{StatusCode, header};
use serde_json::json;

use super::{Door, JSON, Part, body, count, failure, merged, metadata, pixels, store};

#[tokio::test]
async fn what_cannot_be_put_together_says_why() {
    let door = Door::open().await;
    let good = metadata("1.1.1.1", json!({}));
    for (data_set, bulk, reason, comment) in [
        (
            metadata("1.1.1.2", pixels("x")),
            &[][..],
            0xC000,
            "7FE00010: no part has the Content-Location of its BulkDataURI",
        ),
        (
            metadata("1.1.1.2", pixels("http://127.0.0.1:1/x")),
            &[],
            0xC000,
            "7FE00010: no part has the Content-Location of its BulkDataURI",
        ),
        (
            metadata("1.1.1.2", pixels("x")),
            &[("image/gif", "x", &b"GIF89a"[..])],
            0xC122,
            "image/gif cannot be made into pixel data here",
        ),
        (metadata("1.1.1.2", pixels("x")), &[("image/jpeg", "x", b"GIF89a")], 0xC000, "the part is no JPEG"),
        (
            metadata("1.1.1.2", json!({"00280010": {"vr": "US", "Value": [-1]}})),
            &[],
            0xC000,
            "00280010: a value does not fit the VR",
        ),
        (
            metadata("1.1.1.2", json!({"00081140": {"vr": "SQ", "InlineBinary": "AQ==", "Value": [1]}})),
            &[],
            0xC000,
            "",
        ),
        (metadata("1.1.1.2", json!({"0020000D": {"vr": "UI"}})), &[], 0xC000, ""),
    ] {
        let answer = store(&door, &[good.clone(), data_set.clone()], bulk).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{data_set}: {:?}", answer.body);
        assert_eq!(answer.json()["00081198"]["Value"][0]["00081155"]["Value"][0], "1.1.1.2", "{data_set}");
        let (found, text) = failure(&answer);
        assert_eq!(found, reason, "{data_set}");
        assert!(text.starts_with(comment), "{data_set}: {text}");
        assert!(!text.is_empty() && !text.contains("Jane"), "{text}");
    }
    let nameless = json!({"00080018": {"vr": "UI", "Value": ["../x"]}});
    let answer = store(&door, &[nameless], &[]).await;
    assert_eq!((answer.status, failure(&answer).0), (StatusCode::CONFLICT, 0xC000));
    let unused =
        store(&door, &[good], &[("application/octet-stream", "nobody", b"x"), ("image/png", "", b"x")]).await;
    assert_eq!(unused.status, StatusCode::ACCEPTED);
    assert_eq!(unused.json()["0008119A"]["Value"].as_array().map(Vec::len), Some(2));
    let foreign =
        door.post("/studies/9.9", "application/dicom+json", metadata("1.1.1.5", json!({})).to_string()).await;
    assert_eq!((foreign.status, failure(&foreign).0), (StatusCode::CONFLICT, 0xA900));
    assert_eq!(count(&door).await, 1);
}

// threats.md rows 35 and 36.
#[tokio::test]
async fn hostile_metadata_are_refused_as_a_whole() {
    let door = Door::open().await;
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let related = |text: &str| body(&[("application/dicom+json", "", text.as_bytes())]);
    let good = metadata("1.1.1.1", json!({})).to_string();
    for text in [
        "",
        "nonsense",
        "{",
        "[{}",
        "[{},]",
        "7",
        "\"x\"",
        &format!("{good}]"),
        &format!("[{good}]x"),
        "\u{0}",
    ] {
        let answer = door.post("/studies", JSON, related(text)).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 409),
            "{text:.40}: {} {:?}",
            answer.status,
            answer.body
        );
    }
    for text in [
        deep.as_str(),
        &format!("[{good},{deep}]"),
        "[1e400]",
        "[null]",
        "[[]]",
        r#"[{"00080018":{"vr":"UI","Value":["\ud800"]}}]"#,
        r#"[{"00080018":{"vr":"UI"},"00080018":{"vr":"UI"}}]"#,
    ] {
        let answer = door.post("/studies", "application/dicom+json", text.to_owned()).await;
        let stored = answer.status == StatusCode::ACCEPTED && text.contains("1.1.1.1");
        assert!(
            stored || matches!(answer.status.as_u16(), 400 | 409),
            "{text:.40}: {} {:?}",
            answer.status,
            answer.body
        );
    }
    let xml = "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><NativeDicomModel/>";
    assert_eq!(door.post("/studies", "application/dicom+xml", xml).await.status, StatusCode::BAD_REQUEST);
    let mut invalid = related("[]");
    let at = memchr::memmem::find(&invalid, b"[]").expect("there");
    invalid[at] = 0xFF;
    assert_eq!(door.post("/studies", JSON, invalid).await.status, StatusCode::BAD_REQUEST);
    // Broken off: nothing of it is stored.
    let mut whole = body(&[("application/dicom+json", "", format!("[{good}]").as_bytes())]);
    whole.truncate(whole.len() - 7);
    assert_eq!(door.post("/studies", JSON, whole).await.status, StatusCode::BAD_REQUEST);
    assert!(count(&door).await <= 1);
}

#[tokio::test]
async fn metadata_have_a_limit_and_bulk_data_another() {
    let config = crate::DicomwebConfig {
        store_metadata_length_max_bytes: 2_000,
        store_request_parts_max: 3,
        ..Default::default()
    };
    let door = Door::with(config).await;
    let good = metadata("1.1.1.1", json!({}));
    let long: Part<'_> = ("application/octet-stream", "x", &[7; 10_000]);
    let private = json!({"00091001": {"vr": "OB", "BulkDataURI": "x"}});
    assert_eq!(store(&door, &[merged(good.clone(), &private)], &[long]).await.status, StatusCode::OK);
    let padded = metadata("1.1.1.2", json!({"00104000": {"vr": "LT", "Value": ["x".repeat(2_000)]}}));
    let answer = store(&door, std::slice::from_ref(&padded), &[]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    let answer = door.post("/studies", "application/dicom+json", padded.to_string()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let many = store(&door, &[json!({}), json!({}), json!({}), json!({})], &[]).await;
    assert_eq!(many.status, StatusCode::BAD_REQUEST);
    assert_eq!(count(&door).await, 1);
}
