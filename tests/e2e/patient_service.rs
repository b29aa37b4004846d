//! The Patient Service: a real FHIR server says who a patient is, beside what images say, and is not needed.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    fhir::FhirServer,
    platform::Platform,
    scu,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
    tls::Authority,
    wait,
};

const SYSTEM: &str = "https://clinic.example.org/pid";

fn entry(id: &str, patient_id: &str, given: &str, family: &str, birth_date: &str, gender: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id, "active": true,
        "identifier": [{ "system": "urn:other", "value": "4711" }, { "system": SYSTEM, "value": patient_id }],
        "name": [{ "use": "nickname", "text": "Ace" }, { "use": "official", "family": family, "given": [given] }],
        "gender": gender, "birthDate": birth_date,
    })
}

/// A registry, a server that asks it, and Ada, who has booked five patients, of three of whom there are images.
struct Clinic {
    registry: FhirServer,
    platform: Platform,
    ada: Session,
    doctor: String,
    consultations: Vec<String>,
}

impl Clinic {
    async fn open() -> Self {
        let registry = FhirServer::start(&json!([
            entry("one", "PAT-1", "Amina", "Diallo", "1980-02-29", "female"),
            entry("two", "PAT|2", "Kofi", "Mensah", "1970-01", "unknown"),
            entry("three", "PAT-3", "Marie", "Curie", "1867-11-07", "female"),
            entry("four", "PAT-3", "Maria", "Skłodowska", "1867-11-07", "female"),
            entry("five", "PAT-5", "Wilhelm Conrad", "Röntgen", "1945-03-27", "male"),
        ]));
        let options = registry.options(SYSTEM).with("MAXRAY_PATIENT_SERVICE__CACHE_SECONDS", "1");
        let platform = Platform::start(options).await;
        for (patient, name) in
            [("PAT-1", "DIALLO^AMINA"), ("PAT|2", "MENSAH^Kofi^^Mr."), ("PAT-3", "Curie^Marie")]
        {
            let image = Synthetic { patient_name: name.into(), ..Synthetic::cr(patient, 16, 16) };
            let statuses = scu::send_files(platform.dicom(), &[image.part10()]).expect("an association");
            assert_eq!(statuses, [0]);
        }
        let admin = platform.user("operator", "admin").await;
        let account = json!({ "username": "ada", "password": PASSWORD });
        let profile = json!({ "name": "Ada Lovelace", "licence_number": "MD-1", "account": account });
        let doctor = admin.post_json("/doctors", &profile).await["id"].as_str().expect("an id").to_owned();
        let ada = platform.sign_in("ada", PASSWORD).await;
        let mut consultations = Vec::new();
        for patient in ["PAT-1", "PAT|2", "PAT-3", "PAT-4", "PAT-5"] {
            let path = format!("/doctors/{doctor}/consultation");
            let booked = ada.post_json(&path, &json!({ "patient_id": patient })).await;
            consultations.push(booked["id"].as_str().expect("an id").to_owned());
        }
        Self { registry, platform, ada, doctor, consultations }
    }

    async fn patient(&self, patient_id: &str) -> Value {
        self.ada.get_json(&format!("/patients/{patient_id}")).await
    }

    /// A draft that says nothing of the patient.
    async fn draft(&self, consultation: usize) -> Value {
        let items = json!([{
            "medication": { "text": "Amoxicillin", "system": "http://www.whocc.no/atc", "code": "J01CA04" },
            "dose": { "value": 500, "unit": "mg" }, "route": "oral",
            "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
            "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" }
        }]);
        let body = json!({ "consultation_id": self.consultations[consultation], "items": items });
        self.ada.post_json(&format!("/doctors/{}/prescription", self.doctor), &body).await
    }
}

/// What an answer says besides the registry.
fn rest(mut answer: Value) -> Value {
    answer.as_object_mut().expect("an object").remove("registry");
    answer
}

/// Until what was answered is forgotten.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

#[tokio::test]
async fn a_registry_is_shown_beside_the_images_and_missed_by_nobody() {
    let mut clinic = Clinic::open().await;
    let conflicting = clinic.patient("PAT-1").await;
    let registry = &conflicting["registry"];
    assert_eq!((&registry["status"], &registry["id"]), (&json!("found"), &json!("one")));
    assert_eq!((&registry["name"], &registry["birth_date"]), (&json!("Amina Diallo"), &json!("1980-02-29")));
    let conflicts = json!([
        { "field": "birth_date", "registry": "1980-02-29", "images": ["19700102"] },
        { "field": "sex", "registry": "female", "images": ["O"] },
    ]);
    assert_eq!(registry["conflicts"], conflicts);
    assert_eq!(conflicting["records"][0]["patient_birth_date"], "19700102", "nothing is merged");
    let agreeing = clinic.patient("PAT%7C2").await;
    assert_eq!(
        (&agreeing["registry"]["id"], &agreeing["registry"]["conflicts"]),
        (&json!("two"), &json!([]))
    );
    assert_eq!(clinic.patient("PAT-3").await["registry"]["status"], "ambiguous");
    assert_eq!(clinic.patient("PAT-4").await["registry"]["status"], "not_found");
    assert_eq!(clinic.ada.get("/patients/PAT-9").await.status(), StatusCode::NOT_FOUND);

    clinic.registry.stop();
    a_while().await;
    let without = clinic.patient("PAT-1").await;
    assert_eq!(
        (&without["registry"]["status"], &without["registry"]["name"]),
        (&json!("unavailable"), &json!(null))
    );
    assert_eq!(rest(without), rest(conflicting), "everything else is as before");
    let ready = clinic.platform.client().get(clinic.platform.url("/readyz")).send().await;
    assert_eq!(ready.expect("an answer").status(), StatusCode::OK);
    clinic.registry.start_again();
    wait::until("the Patient Service again", async || {
        let again = clinic.patient("PAT-5").await;
        (again["registry"]["status"] == "found").then_some(())
    })
    .await;
    assert_told_nothing(&clinic.platform).await;
}

#[tokio::test]
async fn a_prescription_that_nobody_names_has_the_name_of_the_registry() {
    let mut clinic = Clinic::open().await;
    let named = clinic.draft(4).await;
    assert_eq!(named["patient"], json!({ "name": "Wilhelm Conrad Röntgen", "birth_date": "1945-03-27" }));
    assert_eq!(named["warnings"], json!([]));
    // Read once more by its id: a correction of a moment ago is on the paper.
    let five = entry("five", "PAT-5", "Wilhelm Conrad", "Röntgen", "1945-03-28", "male");
    clinic.registry.holds(&json!([five, entry("one", "PAT-1", "Marie", "Curie", "1970-01-02", "other")]));
    assert_eq!(clinic.draft(4).await["patient"]["birth_date"], "1945-03-28");
    let images = clinic.draft(0).await;
    assert_eq!(images["patient"], json!({ "name": "AMINA DIALLO", "birth_date": "1970-01-02" }));
    let warnings = images["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{images}");
    assert_eq!(
        (&warnings[0]["kind"], &warnings[0]["field"]),
        (&json!("patient_conflict"), &json!("patient.name"))
    );
    clinic.registry.stop();
    a_while().await;
    let unnamed = clinic.draft(3).await;
    assert_eq!(unnamed["warnings"][0]["kind"], "unnamed_patient", "{unnamed}");
    let path = format!("/prescriptions/{}", named["id"].as_str().expect("an id"));
    let signed = clinic.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    assert_eq!(signed["patient"], named["patient"], "what the doctor saw");
}

#[tokio::test]
async fn a_registry_over_tls_is_asked_when_its_authority_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "registry");
    let patients = json!([entry("one", "PAT-1", "Amina", "Diallo", "1980-02-29", "female")]);
    let registry = FhirServer::start_over_tls(&patients, authority.issue("127.0.0.1", |_| {}));
    let mut platform = Platform::start(registry.options(SYSTEM)).await;
    let image = Synthetic::cr("PAT-1", 16, 16);
    assert_eq!(scu::send_files(platform.dicom(), &[image.part10()]).expect("an association"), [0]);
    platform.add_user("viewer", "viewer");
    let mut seen = Vec::new();
    for ca_file in ["", &authority.file().display().to_string()] {
        platform.set("MAXRAY_PATIENT_SERVICE__CA_FILE", ca_file);
        platform.kill();
        platform.restart().await;
        let viewer = platform.sign_in("viewer", PASSWORD).await;
        seen.push(viewer.get_json("/patients/PAT-1").await["registry"]["status"].clone());
    }
    assert_eq!(seen, ["unavailable", "found"], "{}", platform.log());
    platform.kill();
    platform.set("MAXRAY_PATIENT_SERVICE__CA_FILE", "no.pem");
    let output = platform.command(&["serve"]).output().expect("maxray runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("patient_service.ca_file"), "{said}");
}

/// Logs and metrics say how the server is, and nothing of whom it was asked for.
async fn assert_told_nothing(platform: &Platform) {
    let (log, metrics) = (platform.log(), platform.metrics().await);
    assert!(log.contains("the Patient Service gave no answer"), "{log}");
    assert!(
        platform.metric("maxray_patient_service_questions_total{outcome=\"unreachable\"}").await >= 1.0,
        "{metrics}"
    );
    for word in ["PAT-", "PAT%7C", "Diallo", "Röntgen", "1945-03", "a-token-of-the-tests"] {
        assert!(!log.contains(word) && !metrics.contains(word), "{word}");
    }
}
