//! Who looked is told of each holder of a token, though all tokens carry the account of the doctor who made them.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use tower::ServiceExt as _;

use super::*;
use crate::tests::house::request;

async fn look(scene: &Scene, token: &str, address: [u8; 4]) {
    let mut request = request("GET", &format!("/xrays/{}", scene.xray), token, None);
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4242))));
    let answer = scene.house.router.clone().oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn each_holder_of_a_link_is_recorded_beside_its_doctor_and_from_each_address() {
    let scene = scene().await;
    let made = share(&scene, json!({ "uses_max": 2 })).await;
    let redeem = async || {
        let opened = scene.house.post("/shares/redeem", "", json!({ "token": made["token"] })).await;
        opened.json()["access_token"].as_str().expect("a token").to_owned()
    };
    let (first, second) = (redeem().await, redeem().await);
    let (here, elsewhere) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    for (token, address) in [(&scene.ada, here), (&first, here), (&second, here), (&first, elsewhere)] {
        look(&scene, token, address).await;
        look(&scene, token, address).await;
    }
    let rows = scene.house.database().audit_page(0, 1_000).await.expect("audit");
    let looks = rows.iter().map(|row| &row.record).filter(|record| record.action == "read_xray");
    let told: Vec<_> =
        looks.map(|record| (record.actor.role.as_str(), record.actor.source_address.as_str())).collect();
    let expected = [
        ("doctor", "192.0.2.1"),
        ("share-link", "192.0.2.1"),
        ("share-link", "192.0.2.1"),
        ("share-link", "192.0.2.2"),
    ];
    assert_eq!(told, expected);
}
