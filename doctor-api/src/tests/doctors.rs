//! Profiles.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use model::access::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, request};

async fn put(house: &House, path: &str, token: &str, tag: Option<&str>, body: Value) -> Answer {
    let mut request = request("PUT", path, token, Some(body));
    if let Some(tag) = tag {
        request.headers_mut().insert(header::IF_MATCH, tag.parse().expect("tag"));
    }
    house.call(request).await
}

#[tokio::test]
async fn a_doctor_is_made_with_an_account_and_found_again() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let body = json!({
        "name": "Ada Osei", "specialties": ["Radiology"], "languages": ["en", "pt-BR"],
        "time_zone": "Africa/Accra", "licence_number": "MDC/1",
        "account": { "username": "dr.ada", "password": "correct horse battery staple" }
    });
    let made = house.post("/doctors", &admin, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!(made.header(header::ETAG), "\"1\"");
    let path = made.header(header::LOCATION).to_owned();
    let read = house.get(&path, &admin).await;
    assert_eq!(read.json(), made.json());
    let signed_in = json!({ "username": "dr.ada", "password": "correct horse battery staple" });
    let session = house.post("/sessions", "", signed_in).await.json();
    assert_eq!(session["doctor_id"], made.json()["id"]);
    let again = house.post("/doctors", &admin, body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.refused(), ["account.username"]);
    for (query, found) in [("specialty=radiology", 1), ("language=pt-BR", 1), ("q=osei", 1), ("q=nobody", 0)]
    {
        let page = house.get(&format!("/doctors?{query}"), &admin).await.json();
        assert_eq!(page["items"].as_array().expect("items").len(), found, "{query}");
    }
}

#[tokio::test]
async fn refused_fields_are_named_all_at_once() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let body = json!({
        "name": " ", "languages": ["english please"], "time_zone": "/etc/passwd",
        "account": { "username": "a b", "password": "short" }
    });
    let answer = house.post("/doctors", &admin, body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let expected = ["name", "languages[0]", "time_zone", "account.username", "account.password"];
    assert_eq!(answer.refused(), expected);
    for (body, field) in [
        (json!({ "name": "A", "version": 7 }), "version"),
        (
            json!({ "name": "A", "account": { "username": "a", "password": "b", "role": "admin" } }),
            "account.role",
        ),
        (json!({}), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "A", "specialties": ["x", 7] }), "specialties[1]"),
    ] {
        let answer = house.post("/doctors", &admin, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.refused(), [field]);
    }
    for query in ["limit=0", "limit=1001", "limit=x", "page=2", "offset=-1"] {
        let answer = house.get(&format!("/doctors?{query}"), &admin).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.refused(), [query.split('=').next().expect("name")]);
    }
}

#[tokio::test]
async fn codes_of_specialties_have_the_form_of_their_system() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let (snomed_ct, nucc) = ("http://snomed.info/sct", "http://nucc.org/provider-taxonomy");
    let doctor = |system: &str, code: &str| {
        json!({ "name": "Ada", "specialties": [
            "Surgery", { "text": "Radiology", "system": system, "code": code }
        ] })
    };
    for (system, code, refused) in [
        (snomed_ct, "394914008", ""),
        (nucc, "2085R0202X", ""),
        (snomed_ct, "394914009", "specialties[1].code"),
        (snomed_ct, "2085R0202X", "specialties[1].code"),
        (nucc, "2085R0202", "specialties[1].code"),
        (nucc, "", "specialties[1].code"),
        ("http://example.org", "1", "specialties[1].system"),
    ] {
        let answer = house.post("/doctors", &admin, doctor(system, code)).await;
        if refused.is_empty() {
            assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
            let page = house.get(&format!("/doctors?specialty={code}"), &admin).await.json();
            assert_eq!(page["items"][0]["specialties"][1]["code"], json!(code), "{page}");
        } else {
            let found = (answer.status, answer.refused());
            assert_eq!(found, (StatusCode::UNPROCESSABLE_ENTITY, vec![refused.to_owned()]), "{code}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_long_are_refused() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let send = |kind: &str, body: Body| {
        Request::post("/doctors")
            .header(header::AUTHORIZATION, format!("Bearer {admin}"))
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .expect("request")
    };
    let json = "application/json";
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(1 << 20));
    for (kind, body, status) in [
        ("text/plain", Body::from("{}"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (json, Body::from("{\"name\":"), StatusCode::BAD_REQUEST),
        (json, Body::from("{\"name\":\"A\"} {}"), StatusCode::BAD_REQUEST),
        (json, Body::from(b"\xff\xfe".to_vec()), StatusCode::BAD_REQUEST),
        (json, Body::from("[".repeat(100_000)), StatusCode::UNPROCESSABLE_ENTITY),
        (json, Body::from(long), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(house.call(send(kind, body)).await.status, status);
    }
}

#[tokio::test]
async fn a_change_needs_the_version_it_is_made_on() {
    let house = House::open().await;
    let admin = house.token(Role::Admin, None);
    let path = format!("/doctors/{}", house.doctor("Ada Osei").await.id);
    let tag = house.get(&path, &admin).await.header(header::ETAG).to_owned();
    let body = json!({ "name": "Ada Osei-Bonsu" });
    assert_eq!(
        put(&house, &path, &admin, None, body.clone()).await.status,
        StatusCode::PRECONDITION_REQUIRED
    );
    let changed = put(&house, &path, &admin, Some(&tag), body.clone()).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    assert_eq!(
        (changed.header(header::ETAG), changed.json()["name"].as_str()),
        ("\"2\"", Some("Ada Osei-Bonsu"))
    );
    let late = put(&house, &path, &admin, Some(&tag), body).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let mut known = request("GET", &path, &admin, None);
    known.headers_mut().insert(header::IF_NONE_MATCH, "\"2\"".parse().expect("tag"));
    assert_eq!(house.call(known).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_doctor_changes_the_own_profile_but_not_what_an_administrator_decides() {
    let house = House::open().await;
    let (ada, ben) = (house.doctor("Ada Osei").await, house.doctor("Ben Poe").await);
    let token = house.token(Role::Doctor, Some(ada.id));
    let (own, other) = (format!("/doctors/{}", ada.id), format!("/doctors/{}", ben.id));
    let tag = Some("\"1\"");
    let foreign = put(&house, &other, &token, tag, json!({ "name": "Me" })).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    for field in [json!({ "name": "Ada", "licence_number": "X" }), json!({ "name": "Ada", "active": false })]
    {
        assert_eq!(put(&house, &own, &token, tag, field).await.status, StatusCode::FORBIDDEN);
    }
    let changed =
        put(&house, &own, &token, tag, json!({ "name": "Ada", "contact": "ada@example.org" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
}
