//! Every route of the clinical door against its own document, by `schemathesis`: no answer is a failure of the server, or has
//! a status, a media type or a form that the document does not name.
//!
//! `MAXRAY_TEST_OPENAPI_EXAMPLES` is the most requests of each kind for each route; 3 unless it says otherwise. 30 make more than
//! ten thousand requests.

use std::{fmt::Write as _, fs, process::Command};

use serde_json::json;
use tests::{
    env,
    platform::{Options, Platform},
    python, scu,
    session::{PASSWORD, Session},
    synthetic::Synthetic,
};

/// What ends the token that the requests are made with, what never ends, what is slow by design (Argon2id), and what sends to
/// addresses that were made up.
const LEFT_OUT: &[&str] = &[
    "change_password",
    "create_client",
    "create_session",
    "create_user",
    "create_webhook",
    "end_current_session",
    "issue_token",
    "listen",
    "renew_client_secret",
    "rotate_signing_key",
    "set_password",
];
/// `negative_data_rejection` and its like are judged by our own tests: what the document says of a field is less than what is
/// checked.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[tokio::test]
async fn every_route_keeps_to_its_document_for_a_doctor() {
    let (platform, scene) = Scene::make().await;
    scene.assert_conformance(&platform, &scene.ada);
}

#[tokio::test]
async fn every_route_keeps_to_its_document_for_an_admin() {
    let (platform, scene) = Scene::make().await;
    let admin = platform.user("conformance", "admin").await;
    scene.assert_conformance(&platform, &admin);
}

#[tokio::test]
async fn every_route_keeps_to_its_document_for_a_paramedic() {
    let (platform, scene) = Scene::make().await;
    let paramedic = platform.user("conformance", "paramedic").await;
    scene.assert_conformance(&platform, &paramedic);
}

/// Names of what is there, for the paths that want them.
struct Scene {
    ada: Session,
    names: Vec<(&'static str, String)>,
    study: String,
}

impl Scene {
    /// A doctor in a consultation, with a study of the patient, a draft, and one of everything else.
    async fn make() -> (Platform, Self) {
        let platform = Platform::start(Options::default()).await;
        let xray = Synthetic::cr("PAT-1", 64, 64);
        assert_eq!(scu::send_files(platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
        let study = xray.study_instance_uid.clone();
        let admin = platform.user("operator", "admin").await;
        let account = json!({ "username": "ada", "password": PASSWORD });
        let doctor = admin.post_json("/doctors", &json!({ "name": "Ada", "account": account })).await;
        let doctor = text(&doctor, "id");
        let ada = platform.sign_in("ada", PASSWORD).await;
        let path = format!("/doctors/{doctor}/consultation");
        let consultation = text(&ada.post_json(&path, &json!({ "patient_id": "PAT-1" })).await, "id");
        let link = json!({ "study_instance_uid": study });
        ada.post_json(&format!("/consultations/{consultation}/studies"), &link).await;
        let dose = json!({ "value": 500, "unit": "mg" });
        let items = json!([{ "medication": { "text": "Amoxicillin" }, "dose": dose, "route": "oral",
                             "frequency": { "text": "daily" }, "duration_days": 7,
                             "quantity": { "value": 7, "unit": "{capsule}" } }]);
        let draft = json!({ "consultation_id": consultation, "items": items });
        let prescription = ada.post_json(&format!("/doctors/{doctor}/prescription"), &draft).await;
        let draft = json!({ "consultation_id": consultation, "study_instance_uids": [study], "findings": "Clear.",
                            "impression": "No pneumonia." });
        let report = ada.post_json(&format!("/doctors/{doctor}/report"), &draft).await;
        let registration = json!({ "title": "CR_ROOM_1", "registration": { "addresses": ["192.0.2.17"] } });
        let ae = admin.post_json("/aes", &registration).await;
        let spare = admin.get_json("/users").await;
        let xrays = ada.get_json("/xrays?patient_id=PAT-1").await;
        let names = vec![
            ("/aes/", text(&ae, "id")),
            ("/consultations/", consultation),
            ("/doctors/", doctor),
            ("/prescriptions/", text(&prescription, "id")),
            ("/reports/", text(&report, "id")),
            ("/users/", text(&spare["items"][0], "id")),
            ("/xrays/", text(&xrays["items"][0], "id")),
        ];
        (platform, Self { ada, names, study })
    }

    fn configuration(&self, session: &Session) -> String {
        let mut lines = format!("headers = {{ Authorization = \"Bearer {}\" }}\n", session.token());
        let mut bind = |dictionary: &str, value: &str| {
            let _ = writeln!(lines, "[dictionaries.{dictionary}]\nvalues = [{value:?}]");
        };
        bind("study", &self.study);
        bind("patient", "PAT-1");
        bind("tag", "\"1\"");
        for (number, (_, id)) in self.names.iter().enumerate() {
            bind(&format!("id{number}"), id);
        }
        // Most requests name what is there, some what is not.
        let binding = |name: &str, dictionary: &str| {
            format!("\"{name}\" = {{ dictionary = \"{dictionary}\", probability = 0.8 }}\n")
        };
        lines += "[parameters]\n";
        lines += &binding("path.study_instance_uid", "study");
        lines += &binding("path.patient_id", "patient");
        lines += &binding("header.If-Match", "tag");
        for (number, (prefix, _)) in self.names.iter().enumerate() {
            let _ = writeln!(
                lines,
                "[[operations]]\ninclude-path-regex = \"^{prefix}\"\n[operations.parameters]"
            );
            lines += &binding("path.id", &format!("id{number}"));
        }
        lines
    }

    fn assert_conformance(&self, platform: &Platform, session: &Session) {
        let configuration = platform.scratch().join("schemathesis.toml");
        fs::write(&configuration, self.configuration(session)).expect("a file");
        let examples = env::number(env::OPENAPI_EXAMPLES, 3).to_string();
        let mut command = Command::new(python::interpreter().with_file_name("schemathesis"));
        command.current_dir(platform.scratch()).arg("--config-file").arg(&configuration).arg("run");
        command.arg(platform.url("/openapi.json")).args(["--checks", CHECKS, "--max-examples", &examples]);
        command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-shrink"]);
        command.args(["--request-timeout", "30", "--warnings", "off", "--seed", "1"]);
        for operation in LEFT_OUT {
            command.args(["--exclude-operation-id", operation]);
        }
        let output = command.output().expect("schemathesis: run ./test once, it installs it");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        // A run that asks nothing finds nothing.
        assert!(told.contains("Tested: "), "{told}");
    }
}

fn text(value: &serde_json::Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}
