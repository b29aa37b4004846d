//! X-rays.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::{house::House, part10};

#[tokio::test]
async fn an_xray_is_described_and_downloaded_as_it_came() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    let (id, study) = house.store("P1", 1).await;
    let xray = house.get(&format!("/xrays/{id}"), &token).await;
    assert_eq!(xray.status, StatusCode::OK, "{:?}", xray.body);
    assert_eq!(xray.header(header::CACHE_CONTROL), "no-store");
    let xray = xray.json();
    assert_eq!(xray["study"]["study_instance_uid"], json!(study));
    assert_eq!((&xray["rows"], &xray["view_position"]), (&json!(2), &json!("PA")));
    assert_eq!(xray["preview"]["state"], "pending");
    let file = house.get(xray["links"]["download"].as_str().expect("link"), &token).await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.header(header::CONTENT_TYPE), "application/dicom");
    assert_eq!(file.header(header::CONTENT_DISPOSITION), "attachment; filename=\"1.2.3.1.1.1.dcm\"");
    assert_eq!(file.header(header::CONTENT_LENGTH), file.body.len().to_string());
    let sent = part10::data_set("P1", "1.2.3.1", "1.2.3.1.1", "1.2.3.1.1.1");
    assert!(file.body.ends_with(&sent) && &file.body[128..132] == b"DICM");
    let list = house.get(&format!("/xrays?study_instance_uid={study}"), &token).await.json();
    assert_eq!(list["items"][0]["id"], json!(id));
    assert_eq!(list["items"][0]["series"]["body_part_examined"], "CHEST");
}

#[tokio::test]
async fn a_preview_is_pending_then_made_or_failed_with_the_reason() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    let ((made, _), (failed, _)) = (house.store("P1", 1).await, house.store("P1", 2).await);
    let path = format!("/xrays/{made}/preview");
    let pending = house.get(&path, &token).await;
    assert_eq!(pending.status, StatusCode::NOT_FOUND);
    assert_eq!(pending.header(header::RETRY_AFTER), "1");
    assert_eq!(pending.json()["type"], "urn:maxray:problem:preview-pending");
    house.make_preview(made).await;
    let preview = house.get(&path, &token).await;
    assert_eq!((preview.status, preview.header(header::CONTENT_TYPE)), (StatusCode::OK, "image/jpeg"));
    assert_eq!(&preview.body[..], b"preview");
    assert_eq!(&house.get(&format!("{path}?size=thumbnail"), &token).await.body[..], b"small");
    let refused = house.get(&format!("{path}?size=huge"), &token).await;
    assert_eq!((refused.status, refused.refused()), (StatusCode::BAD_REQUEST, vec!["size".to_owned()]));
    let database = house.database();
    database.record_preview_failure(failed, "the pixels are cut off", true).await.expect("recorded");
    let none = house.get(&format!("/xrays/{failed}/preview"), &token).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(none.json()["detail"], "the pixels are cut off");
    assert_eq!(none.json()["type"], "urn:maxray:problem:no-preview");
}

#[tokio::test]
async fn many_looks_at_previews_are_one_audit_record_and_every_download_is_one() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    let (id, study) = house.store("P1", 1).await;
    house.make_preview(id).await;
    for _ in 0..3 {
        house.get(&format!("/xrays/{id}/preview"), &token).await;
        house.get(&format!("/xrays/{id}/download"), &token).await;
    }
    let rows = house.database().audit_page(0, 100).await.expect("audit");
    let count = |action: &str| {
        let of_study = |record: &database::AuditRecord| record.study_instance_uid == study;
        rows.iter().filter(|row| row.record.action == action && of_study(&row.record)).count()
    };
    assert_eq!((count("read_preview"), count("download_xray")), (1, 3));
}

#[tokio::test]
async fn what_people_say_counts_in_lists_and_a_wrong_time_is_taken_back() {
    let house = House::open().await;
    let (_, token) = house.account(Role::Service, None).await;
    // Both of the second of January and of a chest, as their data sets say.
    let ((said, _), (silent, _)) = (house.store("P1", 1).await, house.store("P1", 2).await);
    let path = format!("/xrays/{said}");
    let patch = async |version: &str, patch: Value| {
        let answer = house.with_header(("PATCH", &path), &token, ("if-match", version), patch).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.json()
    };
    let assert_found = async |query: &str, expected: Value| {
        let list = house.get(&format!("/xrays?patient_id=P1&{query}"), &token).await.json();
        let ids = list["items"].as_array().expect("items").iter().map(|item| item["id"].clone());
        assert_eq!(Value::Array(ids.collect()), expected, "{query}");
    };
    let time = "2026-05-03T09:00:00Z";
    patch("\"0\"", json!({ "body_part": "HAND", "captured_at": time })).await;
    for (query, expected) in [
        ("body_part=HAND", json!([said])),
        ("body_part=CHEST", json!([silent])),
        ("from=2026-01-02", json!([said, silent])),
        ("from=2026-05-03", json!([said])),
        ("from=2026-05-04", json!([])),
    ] {
        assert_found(query, expected).await;
    }
    let list = house.get("/xrays?patient_id=P1", &token).await.json();
    for (number, id) in [said, silent].into_iter().enumerate() {
        let single = house.get(&format!("/xrays/{id}"), &token).await.json();
        assert_eq!(list["items"][number]["said"], single["said"]);
    }
    let kept = patch("\"1\"", json!({ "notes": "seen" })).await;
    assert_eq!(kept["captured_at"], time, "what is left out stays");
    let taken_back = patch("\"2\"", json!({ "captured_at": null })).await;
    assert_eq!((&taken_back["captured_at"], &taken_back["notes"]), (&Value::Null, &json!("seen")));
    assert_found("from=2026-05-03", json!([])).await;
    assert_found("from=2026-01-02", json!([said, silent])).await;
}

#[tokio::test]
async fn patients_that_differ_in_case_only_are_not_mixed() {
    let house = House::open().await;
    let token = house.token(Role::Service, None);
    house.store("p1", 1).await;
    let (_, study) = house.store("P1", 2).await;
    for path in ["/patients/P1/studies", "/xrays?patient_id=P1"] {
        let items = house.get(path, &token).await.json()["items"].clone();
        assert_eq!(items.as_array().expect("items").len(), 1, "{path}");
        assert_eq!(items[0]["study_instance_uid"], json!(study));
    }
    let refused = house.get("/xrays", &token).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}
