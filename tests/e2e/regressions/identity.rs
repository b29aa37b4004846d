//! threats.md rows 39, 40, 52, 55; A2, A5, B11, C9: who somebody is, and whose a study is. Classes: missing authorisation
//! (CVE-2026-25927), tokens (CVE-2026-25537), take-over of studies, default secrets.

use aws_lc_rs::{hmac, rand::SystemRandom, signature};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    platform::Platform,
    qido,
    session::{PASSWORD, Session},
    synthetic::{Synthetic, new_uid},
};

use super::{MIB, quiet, stow};

/// Header and claims of a token.
fn taken_apart(token: &str) -> (Value, Value) {
    let mut pieces = token.split('.').map(|piece| BASE64.decode(piece).expect("base64url"));
    let mut next = || serde_json::from_slice(&pieces.next().expect("a piece")).expect("JSON");
    (next(), next())
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

fn with(value: &Value, name: &str, new: Value) -> Value {
    let mut value = value.clone();
    value[name] = new;
    value
}

async fn status(platform: &Platform, token: &str) -> u16 {
    let request = platform
        .client()
        .get(platform.url("/dicomweb/studies"))
        .header("Authorization", format!("Bearer {token}"));
    // A header of a megabyte may end the connection instead of an answer.
    request.send().await.map_or(431, |answer| answer.status().as_u16())
}

type Forged = Vec<(String, String)>;

/// The true claims, unsigned, or signed with what everybody knows.
fn without_a_key(header: &Value, claims: &Value, signature: &str) -> Forged {
    let mut forged = Forged::new();
    for alg in ["none", "None", "NONE", "", "HS256", "RS256", "ES384", "EdDSA"] {
        let message = message(&with(header, "alg", json!(alg)), claims);
        forged.push((format!("alg {alg} unsigned"), format!("{message}.")));
        forged.push((format!("alg {alg} with the old signature"), format!("{message}.{signature}")));
    }
    let known =
        ["", "secret", "changeme", "maxray", "jwt-secret", "your-256-bit-secret", "default", "dev-secret"];
    for key in known.into_iter().chain(header["kid"].as_str()) {
        let message = message(&with(header, "alg", json!("HS256")), claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), message.as_bytes());
        forged.push((format!("HS256 with {key:?}"), format!("{message}.{}", BASE64.encode(tag.as_ref()))));
    }
    for (name, value) in [
        ("role", json!("admin")),
        ("sub", json!("00000000-0000-0000-0000-000000000000")),
        ("exp", json!(4_102_444_800_u64)),
        ("exp", json!("4102444800")),
        ("exp", Value::Null),
        ("aud", json!("other")),
        ("iss", json!("other")),
    ] {
        let message = message(header, &with(claims, name, value.clone()));
        forged.push((format!("{name} {value} with the old signature"), format!("{message}.{signature}")));
    }
    forged
}

/// The true claims, signed by a stranger whose key the header recommends.
fn with_a_strangers_key(header: &Value, claims: &Value) -> Forged {
    let random = SystemRandom::new();
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let stranger = signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("a key");
    let public = signature::KeyPair::public_key(&stranger).as_ref().to_vec();
    let (x, y) = (BASE64.encode(&public[1..33]), BASE64.encode(&public[33..]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let headers = [
        ("a stranger's key", header.clone()),
        ("a key in the token", with(header, "jwk", jwk)),
        ("a key elsewhere", with(header, "jku", json!("http://127.0.0.1:9/jwks.json"))),
        ("a certificate elsewhere", with(header, "x5u", json!("http://127.0.0.1:9/x.pem"))),
        ("a key id that is a path", with(header, "kid", json!("../../../../dev/null"))),
        ("a key id that is a statement", with(header, "kid", json!("' OR 1=1 --"))),
        ("no key id", with(header, "kid", Value::Null)),
        ("another type", with(header, "typ", json!("JWT"))),
        ("something critical", with(header, "crit", json!(["exp"]))),
    ];
    let sign = |(what, header): (&str, Value)| {
        let message = message(&header, claims);
        let signature = stranger.sign(&random, message.as_bytes()).expect("a signature");
        (what.to_owned(), format!("{message}.{}", BASE64.encode(signature.as_ref())))
    };
    headers.into_iter().map(sign).collect()
}

/// Row 40, CVE-2026-25537: tokens that others have signed, that nobody has signed, that say where to look for the key.
#[tokio::test]
async fn forged_tokens_open_nothing() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    assert_eq!(status(&platform, service.token()).await, 200);
    let guard = platform.guard();
    let (header, claims) = taken_apart(service.token());
    let (unsigned, signature) = service.token().rsplit_once('.').expect("three pieces");
    let mut forged = without_a_key(&header, &claims, signature);
    forged.extend(with_a_strangers_key(&header, &claims));
    forged.push(("a megabyte".into(), "x".repeat(1 << 20)));
    forged.push(("two dots".into(), "..".into()));
    forged.push(("five pieces".into(), format!("{}.a.b", service.token())));
    forged.push(("no signature".into(), unsigned.to_owned()));
    for (what, token) in &forged {
        let status = status(&platform, token).await;
        assert!(status == 401 || (status == 431 && token.len() > 10_000), "{what}: {status}");
    }
    assert!(forged.len() >= 45, "{} tokens", forged.len());
    assert_eq!(status(&platform, service.token()).await, 200, "the true one is still good");
    guard.check(&mut platform, 20 * MIB).await;
}

/// A2: there is no secret that two installations share.
#[tokio::test]
async fn a_token_of_one_installation_opens_no_other() {
    let (one, two) = (Platform::start(quiet()).await, Platform::start(quiet()).await);
    let (there, here) = (one.user("service", "service").await, two.user("service", "service").await);
    assert_eq!(status(&one, there.token()).await, 200);
    assert_eq!(status(&two, there.token()).await, 401);
    assert_eq!(status(&two, here.token()).await, 200);
    let (ours, theirs) = (taken_apart(here.token()).0, taken_apart(there.token()).0);
    assert_ne!(ours["kid"], theirs["kid"], "both sign with the same key");
}

/// A5: who sends into a study that is there does not get it, nor changes whose it is.
#[tokio::test]
async fn a_study_is_not_taken_over() {
    let mut platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let first = Synthetic::cr("OWNER", 16, 16);
    assert_eq!(stow(&service, &first.part10()).await.0, 200);
    let guard = platform.guard();
    let takers = [
        (
            "another patient, a new series",
            Synthetic { patient_id: "TAKER".into(), series_instance_uid: new_uid(), ..first.next() },
        ),
        ("another patient, the same series", Synthetic { patient_id: "TAKER".into(), ..first.next() }),
        ("the series moved to another study", Synthetic { study_instance_uid: new_uid(), ..first.next() }),
        (
            "the instance moved to another study",
            Synthetic { study_instance_uid: new_uid(), series_instance_uid: new_uid(), ..first.clone() },
        ),
    ];
    for (what, taker) in takers {
        let (status, answer) = stow(&service, &taker.part10()).await;
        assert_eq!(status, 409, "{what} through STOW-RS: {answer}");
        let statuses = tests::scu::send_files(platform.dicom(), &[taker.part10()]).expect("an association");
        assert_ne!(statuses, [0], "{what} through C-STORE");
    }
    guard.check(&mut platform, 20 * MIB).await;
    let studies = qido::rows(&service, "/studies").await;
    assert_eq!(studies.len(), 1);
    assert_eq!(qido::text(&studies[0], "00100020"), "OWNER");
    assert_eq!(qido::text(&studies[0], qido::NUMBER_OF_STUDY_RELATED_INSTANCES), "1");
}

async fn doctor(platform: &Platform, admin: &Session, username: &str) -> (Session, String) {
    let account = json!({ "username": username, "password": PASSWORD });
    let doctor = admin.post_json("/doctors", &json!({ "name": username, "account": account })).await;
    (platform.sign_in(username, PASSWORD).await, doctor["id"].as_str().expect("an id").to_owned())
}

/// C9: who is linked to nothing sees nothing, in lists, counts, files and events.
#[tokio::test]
async fn an_empty_scope_sees_nothing() {
    let platform = Platform::start(quiet()).await;
    let service = platform.user("service", "service").await;
    let admin = platform.user("boss", "admin").await;
    let xray = Synthetic::cr("SCOPE", 16, 16);
    assert_eq!(stow(&service, &xray.part10()).await.0, 200);
    let (session, _) = doctor(&platform, &admin, "dr.new").await;
    for path in ["/studies", "/series", "/instances"] {
        assert_eq!(qido::rows(&session, path).await, Vec::<Value>::new(), "{path}");
    }
    let answer = session.get("/xrays?patient_id=SCOPE").await;
    if answer.status() != StatusCode::NOT_FOUND {
        let page: Value = answer.json().await.expect("JSON");
        assert_eq!(page["items"], json!([]), "{page}");
    }
    let study = format!("/dicomweb/studies/{}", xray.study_instance_uid);
    let instance = format!("{study}/series/{}/instances/{}", xray.series_instance_uid, xray.sop_instance_uid);
    for path in [study.clone(), format!("{study}/metadata"), instance.clone(), format!("{instance}/frames/1")]
    {
        assert_eq!(session.get(&path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // "Not yours" and "not there" are one answer.
    let absent = format!("/dicomweb/studies/{}/metadata", new_uid());
    let present: Result<Value, _> = session.get(&format!("{study}/metadata")).await.json().await;
    let absent: Result<Value, _> = session.get(&absent).await.json().await;
    let (mut one, mut two) = (present.expect("JSON"), absent.expect("JSON"));
    for body in [&mut one, &mut two] {
        body["request_id"] = Value::Null;
    }
    assert_eq!(one, two);
}

/// Row 39, CVE-2026-25927: what belongs to a colleague is not there, whichever id is tried.
#[tokio::test]
async fn what_is_a_colleagues_is_not_there() {
    let platform = Platform::start(quiet()).await;
    let admin = platform.user("boss", "admin").await;
    let (one, one_id) = doctor(&platform, &admin, "dr.one").await;
    let (two, _) = doctor(&platform, &admin, "dr.two").await;
    let book = format!("/doctors/{one_id}/consultation");
    let made = one.post_json(&book, &json!({ "patient_id": "P-ONE", "reason": "private" })).await;
    let path = format!("/consultations/{}", made["id"].as_str().expect("an id"));
    assert_eq!(one.get(&path).await.status(), 200);
    assert_eq!(two.get(&path).await.status(), StatusCode::NOT_FOUND);
    let refused = two
        .request(Method::POST, &format!("{path}/studies"))
        .json(&json!({ "study_instance_uid": new_uid() }));
    assert_eq!(refused.send().await.expect("an answer").status(), StatusCode::NOT_FOUND);
    let status = two.get(&format!("/doctors/{one_id}/consultations")).await.status();
    assert!(status == 403 || status == 404, "{status}");
    let refused = two
        .request(Method::POST, &book)
        .json(&json!({ "patient_id": "P-TWO" }))
        .send()
        .await
        .expect("an answer");
    assert!([403, 404].contains(&refused.status().as_u16()), "{}", refused.status());
}
