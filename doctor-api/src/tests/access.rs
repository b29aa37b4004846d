//! Tokens for viewers, share links, emergency accesses and grants, as their users meet them.

use axum::http::StatusCode;
use model::access::Role;
use serde_json::{Value, json};

use super::house::House;

mod grants;
mod holders;

struct Scene {
    house: House,
    ada: String,
    ben: String,
    admin: String,
    consultation: String,
    xray: uuid::Uuid,
    study: String,
}

/// Ada has a consultation with P1, whose study is there; Ben has none.
async fn scene() -> Scene {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, for_ada) = house.account(Role::Doctor, Some(ada.id)).await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    let (_, admin) = house.account(Role::Admin, None).await;
    let (xray, study) = house.store("P1", 1).await;
    house.store("P2", 2).await;
    let consultation = house.book(&for_ada, &ada, "P1").await;
    Scene { house, ada: for_ada, ben: for_ben, admin, consultation, xray, study }
}

impl Scene {
    async fn status(&self, path: &str, token: &str) -> StatusCode {
        self.house.get(path, token).await.status
    }

    async fn studies_seen(&self, token: &str) -> usize {
        let mut seen = 0;
        for patient in ["P1", "P2"] {
            let page = self.house.get(&format!("/patients/{patient}/studies"), token).await;
            assert_eq!(page.status, StatusCode::OK);
            seen += page.json()["items"].as_array().expect("items").len();
        }
        seen
    }
}

// threats.md section 3, per-consultation access; row 42.
#[tokio::test]
async fn a_viewer_token_reads_its_consultation_and_ends_with_it() {
    let scene = scene().await;
    let (house, path) = (&scene.house, format!("/consultations/{}/viewer-token", scene.consultation));
    let xray = format!("/xrays/{}", scene.xray);
    let made = house.post(&path, &scene.ada, json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!(made.json()["expires_in"], 3_600);
    let token = made.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(scene.status(&xray, &token).await, StatusCode::OK);
    assert_eq!(scene.status(&format!("{xray}/download"), &token).await, StatusCode::OK);
    assert_eq!(scene.studies_seen(&token).await, 1);
    let beyond = [
        ("GET", format!("/consultations/{}", scene.consultation)),
        ("GET", "/sessions/current".to_owned()),
        ("GET", "/sessions".to_owned()),
        ("DELETE", "/sessions/current".to_owned()),
        ("GET", "/doctors".to_owned()),
        ("GET", "/events".to_owned()),
        ("POST", path.clone()),
        ("POST", format!("/consultations/{}/close", scene.consultation)),
        ("POST", format!("/studies/{}/shares", scene.study)),
        ("POST", "/break-glass".to_owned()),
    ];
    for (method, path) in beyond {
        let answer = house.call(super::house::request(method, &path, &token, Some(json!({})))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(house.post(&path, &scene.ben, json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.delete(&path, &scene.ben).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.status(&xray, &token).await, StatusCode::OK);
    assert_eq!(house.delete(&path, &scene.ada).await.status, StatusCode::NO_CONTENT);
    assert_eq!(scene.status(&xray, &token).await, StatusCode::UNAUTHORIZED, "taken back");

    let again = house.post(&path, &scene.ada, json!({})).await.json();
    let token = again["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(scene.status(&xray, &token).await, StatusCode::OK);
    let close = format!("/consultations/{}/close", scene.consultation);
    assert_eq!(house.post(&close, &scene.ben, json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.post(&close, &scene.ada, json!({})).await.json()["status"], "completed");
    assert_eq!(scene.status(&xray, &token).await, StatusCode::UNAUTHORIZED, "the consultation has ended");
    assert_eq!(scene.status(&xray, &scene.ada).await, StatusCode::OK, "its doctor sees it some time longer");
    assert_eq!(house.post(&close, &scene.ada, json!({})).await.status, StatusCode::CONFLICT);
    let ended = house.post(&path, &scene.ada, json!({})).await;
    assert_eq!(ended.status, StatusCode::CONFLICT);
    assert_eq!(ended.json()["type"], "urn:maxray:problem:consultation-ended");
}

#[tokio::test]
async fn a_cancelled_consultation_opens_nothing_at_once() {
    let scene = scene().await;
    let xray = format!("/xrays/{}", scene.xray);
    assert_eq!(scene.status(&xray, &scene.ada).await, StatusCode::OK);
    let cancel = format!("/consultations/{}/cancel", scene.consultation);
    assert_eq!(scene.house.post(&cancel, &scene.ada, json!({})).await.status, StatusCode::OK);
    assert_eq!(scene.status(&xray, &scene.ada).await, StatusCode::NOT_FOUND);
    assert_eq!(scene.studies_seen(&scene.ada).await, 0);
}

async fn share(scene: &Scene, body: Value) -> Value {
    let path = format!("/studies/{}/shares", scene.study);
    let made = scene.house.post(&path, &scene.ada, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    made.json()
}

// threats.md row 43.
#[tokio::test]
async fn what_cannot_be_shared_is_said_field_by_field() {
    let scene = scene().await;
    let house = &scene.house;
    let shares = format!("/studies/{}/shares", scene.study);
    for (body, field) in [
        (json!({ "expires_in_hours": 73 }), "expires_in_hours"),
        (json!({ "expires_in_hours": 0 }), "expires_in_hours"),
        (json!({ "uses_max": 0 }), "uses_max"),
        (json!({ "pin": "123" }), "pin"),
        (json!({ "pin": "12a4" }), "pin"),
        (json!({ "token": "mine" }), "token"),
        (json!({ "study_instance_uid": "1.2.3.2" }), "study_instance_uid"),
    ] {
        let refused = house.post(&shares, &scene.ada, body).await;
        assert_eq!(
            (refused.status, refused.refused()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec![field.into()])
        );
    }
    assert_eq!(house.post(&shares, &scene.ben, json!({})).await.status, StatusCode::NOT_FOUND);
}

// threats.md rows 48, 52.
#[tokio::test]
async fn a_share_link_opens_one_study_and_is_counted_and_taken_back() {
    let scene = scene().await;
    let house = &scene.house;
    let shares = format!("/studies/{}/shares", scene.study);
    let made = share(&scene, json!({ "pin": "4711", "uses_max": 2 })).await;
    let token = made["token"].as_str().expect("a token").to_owned();
    assert_eq!(made["link"], json!(format!("/shares/redeem#{token}")));
    assert!(token.len() >= 47, "256 bits");

    let redeem = async |body: Value| house.post("/shares/redeem", "", body).await;
    assert_eq!(scene.status("/shares/redeem", "").await, StatusCode::METHOD_NOT_ALLOWED, "GET takes no use");
    let needed = redeem(json!({ "token": token })).await;
    assert_eq!(
        (needed.status, &needed.json()["type"]),
        (StatusCode::FORBIDDEN, &json!("urn:maxray:problem:pin-needed"))
    );
    let wrong = redeem(json!({ "token": token, "pin": "0000" })).await;
    assert_eq!(
        (wrong.status, &wrong.json()["type"]),
        (StatusCode::FORBIDDEN, &json!("urn:maxray:problem:pin-wrong"))
    );
    let opened = redeem(json!({ "token": token, "pin": "4711" })).await;
    assert_eq!(opened.status, StatusCode::OK, "{:?}", opened.body);
    let opened = opened.json();
    assert_eq!((&opened["expires_in"], &opened["uses_left"]), (&json!(900), &json!(1)));
    let holder = opened["access_token"].as_str().expect("a token").to_owned();
    let xray = format!("/xrays/{}", scene.xray);
    assert_eq!(scene.status(&xray, &holder).await, StatusCode::OK);
    assert_eq!(scene.studies_seen(&holder).await, 1, "one study");
    for path in ["/sessions/current", "/doctors", "/events", &shares] {
        assert_eq!(scene.status(path, &holder).await, StatusCode::FORBIDDEN, "{path}");
    }
    let listed = house.get(&shares, &scene.ada).await.json();
    assert_eq!((&listed["items"][0]["uses"], &listed["items"][0]["pin_tries_left"]), (&json!(1), &json!(4)));
    assert!(!listed.to_string().contains(&token), "a token is shown once");

    let id = made["id"].as_str().expect("an id");
    assert_eq!(house.delete(&format!("/shares/{id}"), &scene.ben).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.delete(&format!("/shares/{id}"), &scene.ada).await.status, StatusCode::NO_CONTENT);
    assert_eq!(scene.status(&xray, &holder).await, StatusCode::UNAUTHORIZED);
    let unknown = redeem(json!({ "token": "mxs_nothing" })).await;
    let dead = redeem(json!({ "token": token, "pin": "4711" })).await;
    let same = |answer: &super::house::Answer| {
        let mut body = answer.json();
        body["request_id"].take();
        (answer.status, body)
    };
    assert_eq!(same(&unknown), same(&dead));
    let trail = house.trail().await;
    for (record, count) in
        [("redeem_share success", 1), ("redeem_share refused", 4), ("create_share success", 1)]
    {
        assert_eq!(trail.iter().filter(|done| *done == record).count(), count, "{record}: {trail:?}");
    }
}

#[tokio::test]
async fn a_share_link_ends_when_its_doctor_may_not_read_any_more() {
    let scene = scene().await;
    let made = share(&scene, json!({})).await;
    let key = json!({ "token": made["token"] });
    let opened = scene.house.post("/shares/redeem", "", key.clone()).await.json();
    let holder = opened["access_token"].as_str().expect("a token").to_owned();
    let xray = format!("/xrays/{}", scene.xray);
    assert_eq!(scene.status(&xray, &holder).await, StatusCode::OK);
    assert_eq!(scene.house.post("/shares/redeem", "", key).await.status, StatusCode::NOT_FOUND, "used up");
    let cancel = format!("/consultations/{}/cancel", scene.consultation);
    scene.house.post(&cancel, &scene.ada, json!({})).await;
    assert_eq!(scene.status(&xray, &holder).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_emergency_opens_one_patient_with_a_reason_and_is_reviewed_by_somebody_else() {
    let scene = scene().await;
    let (house, ben) = (&scene.house, &scene.ben);
    let reason = "found unconscious, earlier images are needed";
    for (body, field) in [
        (json!({ "patient_id": "P1", "reason": "too short" }), "reason"),
        (json!({ "patient_id": "P1", "reason": format!("x{}", " ".repeat(30)) }), "reason"),
        (json!({ "patient_id": "", "reason": reason }), "patient_id"),
        (json!({ "patient_id": "P1", "reason": reason, "expires_at": "2099-01-01T00:00:00Z" }), "expires_at"),
    ] {
        let refused = house.post("/break-glass", ben, body).await;
        assert_eq!(
            (refused.status, refused.refused()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec![field.into()])
        );
    }
    assert_eq!(scene.studies_seen(ben).await, 0);
    let emergency = json!({ "patient_id": "P1", "reason": reason });
    let begun = house.post("/break-glass", ben, emergency.clone()).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{:?}", begun.body);
    assert_eq!(scene.studies_seen(ben).await, 1, "one patient");
    assert_eq!(scene.status(&format!("/xrays/{}", scene.xray), ben).await, StatusCode::OK);
    let shares = format!("/studies/{}/shares", scene.study);
    assert_eq!(house.post(&shares, ben, json!({})).await.status, StatusCode::NOT_FOUND, "reading only");
    let id = begun.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.delete(&format!("/break-glass/{id}"), &scene.ada).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.delete(&format!("/break-glass/{id}"), ben).await.status, StatusCode::NO_CONTENT);
    assert_eq!(scene.studies_seen(ben).await, 0, "given back");
    for _ in 0..2 {
        assert_eq!(house.post("/break-glass", ben, emergency.clone()).await.status, StatusCode::CREATED);
    }
    let fourth = house.post("/break-glass", ben, emergency).await;
    assert_eq!(fourth.status, StatusCode::CONFLICT);
    assert_eq!(fourth.json()["type"], "urn:maxray:problem:break-glass-used-up");

    assert_eq!(scene.status("/break-glass/reviews", ben).await, StatusCode::FORBIDDEN);
    let queue = house.get("/break-glass/reviews", &scene.admin).await.json();
    assert_eq!(queue["items"].as_array().map(Vec::len), Some(3));
    let review = format!("/break-glass/{id}/review");
    let note = json!({ "note": "checked with the ward" });
    assert_eq!(house.post(&review, ben, note.clone()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.post(&review, &scene.admin, note.clone()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.post(&review, &scene.admin, note).await.status, StatusCode::CONFLICT);
    let own = house.get("/break-glass", ben).await.json();
    assert_eq!(own["items"].as_array().map(Vec::len), Some(3));
    let reviewed =
        own["items"].as_array().into_iter().flatten().filter(|item| item["reviewed_at"].is_string());
    assert_eq!(reviewed.count(), 1);
    assert!(house.trail().await.contains(&"start_break_glass refused".to_owned()));
}
