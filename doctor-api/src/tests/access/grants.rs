//! Grants: what an administrator opens to a viewer, and takes back.

use super::*;

#[tokio::test]
async fn a_viewer_sees_what_was_granted_until_it_is_taken_back() {
    let scene = scene().await;
    let house = &scene.house;
    let (principal, viewer) = house.account(Role::Viewer, None).await;
    let xray = format!("/xrays/{}", scene.xray);
    assert_eq!(scene.studies_seen(&viewer).await, 0, "nothing without a grant");
    assert_eq!(scene.status(&xray, &viewer).await, StatusCode::NOT_FOUND);
    let user = principal.user_id;
    for (body, field) in [
        (json!({ "user_id": user }), "everything"),
        (json!({ "user_id": user, "everything": true, "patient_id": "P1" }), "everything"),
        (json!({ "user_id": user, "study_instance_uid": "../x" }), "study_instance_uid"),
        (json!({ "user_id": user, "patient_id": " " }), "patient_id"),
        (json!({ "user_id": user, "everything": true, "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "user_id": user, "everything": true, "role": "admin" }), "role"),
    ] {
        let refused = house.post("/grants", &scene.admin, body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.refused().contains(&field.to_owned()), "{field}: {:?}", refused.refused());
    }
    for (body, seen) in [
        (json!({ "user_id": user, "study_instance_uid": scene.study }), 1),
        (json!({ "user_id": user, "patient_id": "P2" }), 1),
        (json!({ "user_id": user, "everything": true, "expires_at": "2999-01-01T00:00:00Z" }), 2),
    ] {
        let made = house.post("/grants", &scene.admin, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        assert_eq!(scene.studies_seen(&viewer).await, seen);
        let listed = house.get(&format!("/grants?user_id={user}"), &scene.admin).await.json();
        assert_eq!(listed["items"], json!([made.json()]));
        let path = format!("/grants/{}", made.json()["id"].as_str().expect("an id"));
        assert_eq!(house.delete(&path, &scene.ada).await.status, StatusCode::FORBIDDEN);
        assert_eq!(house.delete(&path, &scene.admin).await.status, StatusCode::NO_CONTENT);
        assert_eq!(house.delete(&path, &scene.admin).await.status, StatusCode::NOT_FOUND);
        assert_eq!(scene.studies_seen(&viewer).await, 0);
    }
    let (admin, _) = house.account(Role::Admin, None).await;
    let useless =
        house.post("/grants", &scene.admin, json!({ "user_id": admin.user_id, "everything": true })).await;
    assert_eq!(useless.status, StatusCode::CONFLICT);
}
