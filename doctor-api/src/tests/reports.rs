//! Reports from draft to signature: what they say, of whom, and who reads them.

mod after;

use axum::http::{StatusCode, header};
use model::access::Role;
use serde_json::{Value, json};

use super::{
    house::{Answer, request},
    practice::{Practice, practice},
};

/// The study of the patient that every practice here has.
const STUDY: &str = "1.2.3.1";

fn content(impression: &str) -> Value {
    json!({ "study_instance_uids": [STUDY], "findings": "Both lungs are clear.", "impression": impression })
}

/// Of an object, with other values of these fields.
fn with(mut object: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("no object") };
    for (name, value) in fields {
        object[name] = value;
    }
    object
}

/// Ada is in a consultation with P1, of whom there is a study.
async fn reading() -> Practice {
    let practice = practice().await;
    let (_, study) = practice.house.store("P1", 1).await;
    assert_eq!(study, STUDY);
    practice
}

impl Practice {
    async fn report(&self, token: &str, content: Value) -> Answer {
        let body = with(content, json!({ "consultation_id": self.consultation }));
        self.house.post(&format!("/doctors/{}/report", self.doctor.id), token, body).await
    }

    /// Path of a draft.
    async fn begun(&self, content: Value) -> String {
        let made = self.report(&self.ada, content).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        made.header(header::LOCATION).to_owned()
    }

    async fn signed(&self, path: &str) -> Value {
        let signed = self.post(&format!("{path}/finalize"), json!({})).await;
        assert_eq!(signed.status, StatusCode::OK, "{:?}", signed.body);
        signed.json()
    }

    /// By two administrators together.
    async fn delete_xray(&self, id: &str) {
        // Both accounts are there before: one that is made afterwards is no second person.
        let (_, one) = self.house.account(Role::Admin, None).await;
        let (_, other) = self.house.account(Role::Admin, None).await;
        for (admin, status) in [(one, StatusCode::ACCEPTED), (other, StatusCode::OK)] {
            let asked = self.house.delete(&format!("/xrays/{id}"), &admin).await;
            assert_eq!(asked.status, status, "{:?}", asked.body);
        }
    }

    async fn put(&self, path: &str, tag: &str, content: Value) -> Answer {
        self.house.with_header(("PUT", path), &self.ada, ("if-match", tag), content).await
    }
}

#[tokio::test]
async fn a_report_is_signed_whole_and_once_and_anybody_can_verify_it() {
    let practice = reading().await;
    let house = &practice.house;
    let path = practice.begun(json!({ "study_instance_uids": [STUDY], "technique": "Chest, PA." })).await;
    let lacking = practice.post(&format!("{path}/finalize"), json!({})).await;
    let fields = vec!["findings".to_owned(), "impression".to_owned()];
    assert_eq!((lacking.status.as_u16(), lacking.refused()), (422, fields));
    let early = format!("{path}/verify?code={}", "A".repeat(22));
    assert_eq!(house.get(&early, "").await.status, StatusCode::NOT_FOUND, "a draft");
    let changed = practice.put(&path, "\"1\"", content("No pneumonia.")).await;
    assert_eq!((changed.status, changed.header(header::ETAG)), (StatusCode::OK, "\"2\""));
    assert_eq!(practice.put(&path, "\"1\"", content("x")).await.status, StatusCode::PRECONDITION_FAILED);
    let bare = house.call(request("PUT", &path, &practice.ada, Some(content("x")))).await;
    assert_eq!(bare.status, StatusCode::PRECONDITION_REQUIRED);
    let signed = practice.signed(&path).await;
    assert_eq!((&signed["status"], &signed["impression"]), (&json!("finalized"), &json!("No pneumonia.")));
    assert_eq!(signed["patient"]["name"], "Kofi Mensah", "as the images say");
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let verified = house.get(&format!("{path}/verify?code={code}"), "").await.json();
    assert_eq!((&verified["genuine"], &verified["status"]), (&json!(true), &json!("finalized")));
    assert_eq!(verified["content_sha256"], signed["signature"]["content_sha256"]);
    let told = verified.to_string();
    assert!(!told.contains("\"P1\"") && !told.contains("pneumonia") && !told.contains("Mensah"), "{told}");
    // Codes and ids of one kind are nothing to the other.
    let as_other = path.replace("/reports/", "/prescriptions/");
    for wrong in [format!("{path}/verify?code=x"), format!("{as_other}/verify?code={code}")] {
        assert_eq!(house.get(&wrong, "").await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    let late = practice.put(&path, "\"3\"", content("Pneumonia.")).await;
    assert_eq!(
        (late.status, &late.json()["type"]),
        (StatusCode::CONFLICT, &json!("urn:maxray:problem:report-settled"))
    );
    assert_eq!(practice.post(&format!("{path}/finalize"), json!({})).await.status, StatusCode::CONFLICT);
    let cancelled = practice.post(&format!("{path}/cancel"), json!({ "remark": "wrong side" })).await;
    assert_eq!((cancelled.status, &cancelled.json()["remark"]), (StatusCode::OK, &json!("wrong side")));
    let told = house.get(&format!("{path}/verify?code={code}"), "").await.json();
    assert_eq!((&told["genuine"], &told["status"]), (&json!(true), &json!("cancelled")));
    let trail = house.trail().await;
    for action in ["create", "update", "finalize", "verify", "cancel"] {
        assert!(trail.contains(&format!("{action}_report success")), "{action}: {trail:?}");
    }
}

#[tokio::test]
async fn a_licence_that_is_over_is_warned_of_and_who_is_deactivated_signs_nothing() {
    let practice = reading().await;
    let house = &practice.house;
    let (_, admin) = house.account(Role::Admin, None).await;
    let profile = format!("/doctors/{}", practice.doctor.id);
    let licence = json!({ "number": "L-7", "issuer": "Council of Accra", "expires_on": "2020-01-31" });
    let licences = json!({ "licences": [licence] });
    let changed = house.with_header(("PATCH", &profile), &admin, ("if-match", "\"1\""), licences).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    let (path, other) = (practice.begun(content("Clear.")).await, practice.begun(content("Clear.")).await);
    assert_eq!(house.get(&path, &practice.ada).await.json()["warnings"][0]["kind"], "licence_ended");
    assert_eq!(practice.signed(&path).await["warnings"][0]["kind"], "licence_ended");
    assert_eq!(house.delete(&profile, &admin).await.status, StatusCode::NO_CONTENT);
    let refused = practice.post(&format!("{other}/finalize"), json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{:?}", refused.body);
    assert_eq!(house.get(&other, &practice.ada).await.json()["status"], "draft");
}

#[tokio::test]
async fn what_cannot_be_reported_is_said_field_by_field() {
    let practice = reading().await;
    let code =
        |system: &str, code: &str| json!({ "codes": [{ "system": system, "code": code, "text": "x" }] });
    let icd = "http://hl7.org/fhir/sid/icd-10";
    let many: Vec<String> = (0..51).map(|number| format!("1.2.{number}")).collect();
    for (change, fields) in [
        (json!({ "study_instance_uids": [] }), vec!["study_instance_uids"]),
        (json!({ "study_instance_uids": ["1.02"] }), vec!["study_instance_uids[0]"]),
        (json!({ "study_instance_uids": [STUDY, STUDY] }), vec!["study_instance_uids[1]"]),
        (json!({ "study_instance_uids": many }), vec!["study_instance_uids"]),
        (
            json!({ "findings": "x".repeat(20_001), "technique": "x".repeat(5_001) }),
            vec!["technique", "findings"],
        ),
        (json!({ "impression": "a\u{7}b", "comparison": "\u{0}" }), vec!["comparison", "impression"]),
        (code(icd, "18.9"), vec!["codes[0].code"]),
        (code("http://example.org", "J18.9"), vec!["codes[0].code"]),
        (json!({ "codes": [{ "system": icd, "code": "J18.9", "text": " " }] }), vec!["codes[0].text"]),
        (json!({ "critical": true }), vec!["critical_result"]),
        (json!({ "critical_result": "call the ward" }), vec!["critical_result"]),
        (json!({ "patient": { "birth_date": "1800-01-01" } }), vec!["patient.birth_date"]),
        (json!({ "signed_at": "2027-01-01" }), vec!["signed_at"]),
    ] {
        let refused = practice.report(&practice.ada, with(content("Clear."), change)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.refused()),
            (422, fields.iter().map(|one| (*one).to_owned()).collect())
        );
    }
    let long = "日".repeat(20_000);
    let made = practice.report(&practice.ada, with(content("Clear."), json!({ "findings": long }))).await;
    assert_eq!(
        (made.status, &made.json()["findings"]),
        (StatusCode::CREATED, &json!(long)),
        "as long as may be"
    );
}

#[tokio::test]
async fn a_study_of_another_patient_is_refused() {
    let practice = reading().await;
    let house = &practice.house;
    let (_, other) = house.store("P2", 2).await;
    house.store("p1", 4).await;
    // In reach it is: Ada sees P2, too.
    house.book(&practice.ada, &practice.doctor, "P2").await;
    let (xray, own) = house.store("P1", 3).await;
    for foreign in [&other, "1.2.3.4", "1.2.3.99"] {
        let body = with(content("Clear."), json!({ "study_instance_uids": [STUDY, foreign] }));
        let refused = practice.report(&practice.ada, body.clone()).await;
        let field = vec!["study_instance_uids[1]".to_owned()];
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, field.clone()), "{foreign}");
        let path = practice.begun(content("Clear.")).await;
        let refused = practice.put(&path, "\"1\"", body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, field.clone()), "{foreign}");
        practice.signed(&path).await;
        let refused = practice.post(&format!("{path}/replace"), body).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (422, field), "{foreign}");
    }
    let both = practice.begun(with(content("Clear."), json!({ "study_instance_uids": [STUDY, own] }))).await;
    practice.delete_xray(&xray.to_string()).await;
    let gone = practice.post(&format!("{both}/finalize"), json!({})).await;
    assert_eq!((gone.status.as_u16(), gone.refused()), (422, vec!["study_instance_uids[1]".to_owned()]));
    assert_eq!(house.get(&both, &practice.ada).await.json()["status"], "draft", "it is none the less");
}

#[tokio::test]
async fn a_draft_is_its_doctors_alone_and_a_signed_one_is_for_who_treats_the_patient() {
    let practice = reading().await;
    let house = &practice.house;
    let (_, platform) = house.account(Role::Service, None).await;
    let (_, paramedic) = house.account(Role::Paramedic, None).await;
    let cy = house.doctor("Cy").await;
    let (_, for_cy) = house.account(Role::Doctor, Some(cy.id)).await;
    let at = json!({ "patient_id": "P1", "scheduled_at": "2027-05-03T09:00:00Z" });
    let booked = house.post(&format!("/doctors/{}/consultation", cy.id), &platform, at).await;
    let path = practice.begun(content("Clear.")).await;
    for (who, token) in
        [("ben", &practice.ben), ("cy", &for_cy), ("service", &platform), ("medic", &paramedic)]
    {
        for route in [path.clone(), format!("{path}/pdf")] {
            assert_eq!(house.get(&route, token).await.status, StatusCode::NOT_FOUND, "{who} {route}");
        }
    }
    let foreign = practice.report(&practice.ben, content("x")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "another doctor's consultation");
    practice.signed(&path).await;
    assert_eq!(
        house.get(&path, &practice.ben).await.status,
        StatusCode::NOT_FOUND,
        "not of a patient of his"
    );
    assert_eq!(house.get(&path, &paramedic).await.status, StatusCode::NOT_FOUND, "not a case of his");
    for token in [&for_cy, &platform] {
        assert_eq!(house.get(&path, token).await.status, StatusCode::OK);
        assert_eq!(house.get(&format!("{path}/pdf"), token).await.status, StatusCode::OK);
    }
    for command in ["finalize", "cancel"] {
        let answer = house.post(&format!("{path}/{command}"), &for_cy, json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{command}: reading only");
    }
    let replaced = house.post(&format!("{path}/replace"), &for_cy, content("x")).await;
    assert_eq!(replaced.status, StatusCode::NOT_FOUND, "reading only");
    let body = with(content("x"), json!({ "consultation_id": booked.json()["id"] }));
    let early = house.post(&format!("/doctors/{}/report", cy.id), &for_cy, body).await;
    assert_eq!(early.json()["type"], "urn:maxray:problem:consultation-not-met");
    let never = practice.begun(content("x")).await;
    assert_eq!(practice.post(&format!("{never}/cancel"), json!({})).await.status, StatusCode::OK);
    assert_eq!(house.get(&never, &for_cy).await.status, StatusCode::NOT_FOUND, "never signed");
    assert_eq!(house.get(&never, &practice.ada).await.status, StatusCode::OK, "its own doctor");
}
