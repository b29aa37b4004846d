//! A patient's registry entry: what is asked, what is shown, and what a server that is slow, broken or hostile can do.

mod fake;
mod prescriptions;

use std::{collections::BTreeMap, time::Duration};

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use model::{access::Role, clinical::Doctor};
use serde_json::{Value, json};
use service::patient_service::PatientServiceConfig;

use self::fake::{Fake, Reply, bundle, patient};
use super::{house::House, part10};

const SYSTEM: &str = "urn:oid:1.2.3";

fn config(fake: &Fake) -> PatientServiceConfig {
    PatientServiceConfig {
        url: fake.url(),
        identifier_system: SYSTEM.into(),
        timeout_ms: 5_000,
        ..PatientServiceConfig::default()
    }
}

/// Stores an image of Mensah^Kofi that says more of the patient.
async fn image(house: &House, patient_id: &str, number: u32, elements: &[(u16, &[u8; 2], &str)]) {
    let study = format!("1.2.3.{number}");
    let mut file = part10::file(patient_id, &study, &format!("{study}.1"), &format!("{study}.1.1"));
    let body_part = b"\x18\x00\x15\x00CS";
    let at = file.windows(6).position(|bytes| bytes == body_part).expect("a body part");
    let mut more = Vec::new();
    for (element, vr, value) in elements {
        let padded = format!("{value}{}", if value.len() % 2 == 1 { " " } else { "" });
        more.extend_from_slice(b"\x10\x00");
        more.extend_from_slice(&element.to_le_bytes());
        more.extend_from_slice(*vr);
        more.extend_from_slice(&(padded.len() as u16).to_le_bytes());
        more.extend_from_slice(padded.as_bytes());
    }
    file.splice(at..at, more);
    house.store_file(file).await;
}

/// Ada has booked P1.
async fn ada_with_p1(house: &House) -> (Doctor, String) {
    let doctor = house.doctor("Ada").await;
    let (_, token) = house.account(Role::Doctor, Some(doctor.id)).await;
    house.book(&token, &doctor, "P1").await;
    (doctor, token)
}

async fn read(house: &House, token: &str, path: &str) -> Value {
    let answer = house.get(path, token).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()
}

#[tokio::test]
async fn what_the_registry_says_stands_beside_what_images_say() {
    let fake = Fake::start().await;
    let mut amina = patient("a1", SYSTEM, "P1");
    amina["name"] = json!([{ "use": "official", "family": "Diallo", "given": ["Amina"] }]);
    amina["birthDate"] = json!("1980-02");
    amina["gender"] = json!("female");
    amina["active"] = json!(true);
    fake.answers("", Reply::Json(bundle(&[amina])));
    let house = House::asking(&PatientServiceConfig { token: "hunter2".into(), ..config(&fake) }).await;
    image(&house, "P1", 1, &[(0x30, b"DA", "19800229"), (0x40, b"CS", "M")]).await;
    image(&house, "P1", 2, &[(0x30, b"DA", "19810301")]).await;
    let (_, token) = ada_with_p1(&house).await;
    let answer = read(&house, &token, "/patients/P1").await;
    let registry = &answer["registry"];
    assert_eq!((&registry["status"], &registry["id"]), (&json!("found"), &json!("a1")), "{answer}");
    assert_eq!((&registry["name"], &registry["birth_date"]), (&json!("Amina Diallo"), &json!("1980-02")));
    assert_eq!((&registry["sex"], &registry["active"]), (&json!("female"), &json!(true)));
    assert_eq!(registry["replaced_by"], json!(null));
    assert!(registry["fetched_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{registry}");
    let conflicts = json!([
        { "field": "name", "registry": "Amina Diallo", "images": ["Mensah^Kofi"] },
        { "field": "birth_date", "registry": "1980-02", "images": ["19810301"] },
        { "field": "sex", "registry": "female", "images": ["M"] },
    ]);
    assert_eq!(registry["conflicts"], conflicts);
    assert_eq!(answer["records"].as_array().map(Vec::len), Some(2), "nothing is merged");
    assert_eq!(answer["records"][0]["patient_name"], "Mensah^Kofi");
    let asked = fake.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/fhir/Patient?identifier=urn%3Aoid%3A1.2.3%7CP1");
    assert_eq!(asked[0].headers[header::ACCEPT], "application/fhir+json");
    assert_eq!(asked[0].headers[header::AUTHORIZATION], "Bearer hunter2");
    let trail = house.trail().await;
    assert_eq!(trail.iter().filter(|record| *record == "read_patient success").count(), 1, "{trail:?}");
}

#[tokio::test]
async fn nobody_is_asked_of_patients_who_are_not_yours() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Json(bundle(&[patient("a1", SYSTEM, "P1")])));
    let house = House::asking(&config(&fake)).await;
    let (doctor, token) = ada_with_p1(&house).await;
    let ben = house.doctor("Ben").await;
    let (_, for_ben) = house.account(Role::Doctor, Some(ben.id)).await;
    for (path, token) in [("/patients/P1", &for_ben), ("/patients/P9", &token)] {
        assert_eq!(house.get(path, token).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A token that shows images tells nothing beside them.
    image(&house, "P1", 1, &[]).await;
    let booked = house.book(&token, &doctor, "P1").await;
    let made = house.post(&format!("/consultations/{booked}/viewer-token"), &token, json!({})).await;
    let viewer = made.json()["access_token"].as_str().expect("a token").to_owned();
    let seen = read(&house, &viewer, "/patients/P1").await;
    assert_eq!((&seen["studies"], &seen["registry"]), (&json!(1), &json!(null)));
    assert_eq!(fake.asked().len(), 0);
    assert_eq!(read(&house, &token, "/patients/P1").await["registry"]["status"], "found");
    assert_eq!(fake.asked().len(), 1);
    let without = House::open().await;
    let (_, token) = ada_with_p1(&without).await;
    assert_eq!(read(&without, &token, "/patients/P1").await["registry"], json!(null));
}

#[tokio::test]
async fn a_server_that_is_slow_broken_or_hostile_takes_nothing_away() {
    let fake = Fake::start().await;
    let next = json!([{ "relation": "next", "url": "https://elsewhere.example.org/" }]);
    let mut paged = bundle(&[patient("a1", SYSTEM, "P1")]);
    paged["link"] = next;
    let mut long = patient("a1", SYSTEM, "P1");
    long["name"] = json!([{ "text": "x".repeat(2 << 20) }]);
    let cases = [
        (Reply::Json(bundle(&[])), "not_found"),
        (Reply::Json(bundle(&[patient("a", SYSTEM, "P1"), patient("b", SYSTEM, "P1")])), "ambiguous"),
        (Reply::Json(paged), "ambiguous"),
        (Reply::Status(500), "unavailable"),
        (Reply::Status(401), "unavailable"),
        (Reply::Status(404), "unavailable"),
        (Reply::Json(bundle(&[patient("a", SYSTEM, "P2")])), "unavailable"),
        (Reply::Json(patient("a", SYSTEM, "P1")), "unavailable"),
        (Reply::Text("<html>Welcome</html>"), "unavailable"),
        (Reply::Text("{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{"), "unavailable"),
        (Reply::Json(bundle(&[long])), "unavailable"),
        (Reply::Endless, "unavailable"),
        (Reply::Redirect(format!("{}/elsewhere/Patient", fake.origin())), "unavailable"),
        (Reply::Slow(Duration::from_secs(20)), "unavailable"),
    ];
    fake.answers("/elsewhere", Reply::Json(bundle(&[patient("a", SYSTEM, "P1")])));
    for (reply, status) in cases {
        let what = format!("{reply:?}");
        fake.answers("", reply);
        // Each has a service of its own: the one before is not to blame.
        let house = House::asking(&PatientServiceConfig { timeout_ms: 1_500, ..config(&fake) }).await;
        image(&house, "P1", 1, &[]).await;
        let (_, token) = ada_with_p1(&house).await;
        let answer = read(&house, &token, "/patients/P1").await;
        let expected = json!({
            "status": status, "id": null, "name": null, "birth_date": null, "sex": null, "active": null,
            "replaced_by": null, "fetched_at": null, "conflicts": [],
        });
        assert_eq!(answer["registry"], expected, "{}", &what[..what.len().min(200)]);
        assert_eq!(answer["records"][0]["patient_name"], "Mensah^Kofi");
        assert_eq!((&answer["studies"], &answer["consultations"]), (&json!(1), &json!(1)));
    }
    let asked = fake.asked();
    assert!(asked.iter().all(|one| one.target.starts_with("/fhir/")), "no redirect is followed");
}

#[tokio::test]
async fn an_answer_is_shared_and_kept_for_a_while() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Later(Duration::from_millis(300), bundle(&[patient("a1", SYSTEM, "P1")])));
    let house = House::asking(&PatientServiceConfig { cache_seconds: 2, ..config(&fake) }).await;
    let (_, token) = ada_with_p1(&house).await;
    let read_all = || join_all((0..8).map(|_| read(&house, &token, "/patients/P1")));
    let first = read_all().await;
    assert!(first.iter().all(|answer| answer["registry"]["status"] == "found"), "{first:?}");
    assert!(first.iter().all(|answer| answer["registry"] == first[0]["registry"]));
    assert_eq!(fake.asked().len(), 1, "those who ask at the same time share a question");
    read_all().await;
    assert_eq!(fake.asked().len(), 1, "and those who come later its answer");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    fake.answers("", Reply::Json(bundle(&[])));
    assert_eq!(read(&house, &token, "/patients/P1").await["registry"]["status"], "not_found");
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_down_is_left_alone() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Slow(Duration::from_mins(1)));
    let house = House::asking(&PatientServiceConfig { timeout_ms: 400, ..config(&fake) }).await;
    let (doctor, token) = ada_with_p1(&house).await;
    for number in 2..12 {
        house.book(&token, &doctor, &format!("P{number}")).await;
    }
    for number in 1..12 {
        let answer = read(&house, &token, &format!("/patients/P{number}")).await;
        assert_eq!(answer["registry"]["status"], "unavailable");
    }
    assert_eq!(fake.asked().len(), 5, "after five failures in a row nobody waits for it");
    // It is tried again, and what it says then counts.
    fake.answers("", Reply::Json(bundle(&[patient("a1", SYSTEM, "P1")])));
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    assert_eq!(read(&house, &token, "/patients/P1").await["registry"]["status"], "found");
}

#[tokio::test]
async fn a_patient_id_is_asked_for_with_the_system_of_its_issuer() {
    let fake = Fake::start().await;
    fake.answers("", Reply::Json(bundle(&[])));
    let issuer_systems = BTreeMap::from([("A,B|C".to_owned(), "https://a.example.org/pid".to_owned())]);
    let house = House::asking(&PatientServiceConfig { issuer_systems, ..config(&fake) }).await;
    let (doctor, token) = ada_with_p1(&house).await;
    for (number, patient, issuer) in [(1, "P2", "A,B|C"), (2, "P3", "Z"), (3, "P4", ""), (4, "P4", "A,B|C")] {
        image(&house, patient, number, &[(0x21, b"LO", issuer)]).await;
    }
    for patient in ["P2", "P3", "P4"] {
        house.book(&token, &doctor, patient).await;
    }
    let status = async |path: &str| read(&house, &token, path).await["registry"]["status"].clone();
    assert_eq!(status("/patients/P2").await, "not_found");
    assert_eq!(status("/patients/P3").await, json!(null), "nobody knows the IDs of that issuer");
    assert_eq!(status("/patients/P4").await, "ambiguous", "two people");
    assert_eq!(fake.asked().len(), 1);
    assert_eq!(status("/patients/P4?issuer_of_patient_id=A%2CB%7CC").await, "not_found");
    let targets: Vec<String> = fake.asked().into_iter().map(|one| one.target).collect();
    let of =
        |patient: &str| format!("/fhir/Patient?identifier=https%3A%2F%2Fa.example.org%2Fpid%7C{patient}");
    assert_eq!(targets, [of("P2"), of("P4")]);
}

#[tokio::test]
async fn an_entry_that_was_replaced_is_shown_with_the_one_that_replaces_it() {
    let fake = Fake::start().await;
    let replaced = |reference: &str| {
        let mut old = patient("a1", SYSTEM, "P1");
        old["active"] = json!(false);
        old["link"] = json!([{ "type": "replaced-by", "other": { "reference": reference } }]);
        bundle(&[old])
    };
    let mut new = patient("b2", SYSTEM, "P2");
    new["name"] = json!([{ "family": "Diallo", "given": ["Amina"] }]);
    new["link"] = json!([{ "type": "replaced-by", "other": { "reference": "Patient/c3" } }]);
    fake.answers("/fhir/Patient/b2", Reply::Json(new));
    fake.answers("/fhir/Patient/wrong", Reply::Json(patient("b2", SYSTEM, "P2")));
    let elsewhere = format!("{}/elsewhere/Patient/b2", fake.origin());
    let of = |id: Option<&str>, name: Option<&str>| json!({ "id": id, "name": name, "birth_date": null, "sex": null });
    for (reference, expected) in [
        ("Patient/b2", of(Some("b2"), Some("Amina Diallo"))),
        (&format!("{}/Patient/b2", fake.url()), of(Some("b2"), Some("Amina Diallo"))),
        ("Patient/gone", of(Some("gone"), None)),
        ("Patient/wrong", of(Some("wrong"), None)),
        ("Patient/a1", of(None, None)),
        (&elsewhere, of(None, None)),
    ] {
        fake.answers("/fhir/Patient/gone", Reply::Status(410));
        fake.answers("", Reply::Json(replaced(reference)));
        let house = House::asking(&config(&fake)).await;
        let (_, token) = ada_with_p1(&house).await;
        let registry = read(&house, &token, "/patients/P1").await["registry"].clone();
        assert_eq!((&registry["status"], &registry["active"]), (&json!("found"), &json!(false)));
        assert_eq!((&registry["id"], &registry["replaced_by"]), (&json!("a1"), &expected), "{reference}");
    }
    assert!(fake.asked().iter().all(|one| !one.target.contains("c3") && !one.target.contains("elsewhere")));
}
