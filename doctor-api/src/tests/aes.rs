//! `/aes`: an administrator lets machines in.

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::json;

use super::house::{House, request};

#[tokio::test]
async fn a_machine_is_registered_changed_and_removed() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let registration = json!({
        "addresses": ["192.0.2.17", "2001:db8::/64"], "certificate": "dns:cr1.example.org",
        "operations": ["store", "echo"], "sop_classes": ["1.2.840.10008.5.1.4.1.1.1"], "associations_max": 2
    });
    let body = json!({ "title": " CR1 ", "registration": registration });
    let made = house.post("/aes", &admin, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let path = made.header(header::LOCATION).to_owned();
    let read = house.get(&path, &admin).await;
    assert_eq!(read.json(), made.json());
    assert_eq!((&read.json()["title"], &read.json()["enabled"]), (&json!("CR1"), &json!(true)));
    assert_eq!(read.json()["operations"], json!(["echo", "store"]));
    assert_eq!(house.get("/aes", &admin).await.json(), json!([made.json()]));
    let again = house.post("/aes", &admin, body).await;
    assert_eq!((again.status, again.refused()), (StatusCode::CONFLICT, vec!["title".to_owned()]));

    let off = json!({ "addresses": ["192.0.2.18"], "enabled": false });
    let put = async |tag: Option<&str>| {
        let mut request = request("PUT", &path, &admin, Some(off.clone()));
        if let Some(tag) = tag {
            request.headers_mut().insert(header::IF_MATCH, tag.parse().expect("a tag"));
        }
        house.call(request).await
    };
    assert_eq!(put(None).await.status, StatusCode::PRECONDITION_REQUIRED);
    let updated = put(Some("\"1\"")).await;
    assert_eq!((updated.status, &updated.json()["enabled"]), (StatusCode::OK, &json!(false)));
    assert_eq!(updated.json()["certificate"], json!(null), "what is not said is not kept");
    assert_eq!(put(Some("\"1\"")).await.status, StatusCode::PRECONDITION_FAILED);

    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.delete(&path, &admin).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get(&path, &admin).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_registration_is_named() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let body = json!({ "title": "A\\B", "registration": {
        "addresses": ["192.0.2.17", "modality.example"], "certificate": "sha256:12", "operations": ["delete"],
        "sop_classes": ["../x"], "transfer_syntaxes": ["1.2."], "associations_max": 1_000_000
    } });
    let answer = house.post("/aes", &admin, body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut refused = answer.refused();
    refused.sort();
    let expected = [
        "addresses[1]",
        "associations_max",
        "certificate[0]",
        "operations[0]",
        "sop_classes[0]",
        "title",
        "transfer_syntaxes[0]",
    ];
    assert_eq!(refused, expected);
    let nowhere = json!({ "title": "A", "registration": { "addresses": [] } });
    assert_eq!(house.post("/aes", &admin, nowhere).await.refused(), ["addresses"]);
    let unknown = json!({ "title": "A", "registration": { "addresses": ["::1"], "port_number": 1 } });
    assert_eq!(house.post("/aes", &admin, unknown).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
