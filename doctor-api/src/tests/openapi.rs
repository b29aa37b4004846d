//! The document that `/openapi.json` gives.

use axum::http::{StatusCode, header};
use serde_json::Value;

use super::house::House;
use crate::openapi::{PUBLIC_OPERATIONS, operations};

#[test]
fn every_operation_has_a_policy_or_is_public_by_name() {
    let document = crate::openapi();
    let all = operations(&document);
    assert!(all.len() >= 15, "{}", all.len());
    for (method, path, operation) in &all {
        let public = PUBLIC_OPERATIONS.contains(&(*method, *path));
        assert_eq!(operation.security.is_none(), public, "{method} {path}");
        assert!(operation.operation_id.is_some() && operation.summary.is_some(), "{method} {path}");
    }
    for public in PUBLIC_OPERATIONS {
        assert!(all.iter().any(|(method, path, _)| (*method, *path) == *public), "{public:?} is gone");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("local");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "$ref" => references.push(text.clone()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn document_and_page_are_public_and_load_nothing_from_elsewhere() {
    let house = House::open().await;
    let document = house.get("/openapi.json", "").await;
    assert_eq!(document.status, StatusCode::OK);
    assert!(document.json()["paths"]["/doctors/{id}/consultation"]["post"].is_object());
    let page = house.get("/docs/", "").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'self'"));
    assert!(!String::from_utf8_lossy(&page.body).contains("//cdn"));
}
