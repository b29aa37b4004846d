//! A report from the images to the paper: written, signed, told of, printed, checked, and found where doctors look.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    listener::Listener,
    operator::free_port,
    pdf::{Pdf, flat},
    platform::Options,
    scu,
    synthetic::Synthetic,
};

use crate::practice::Practice;

/// Without lam and alef beside each other: pdftotext gives the parts of that ligature in the wrong order.
const ARABIC: &str = "التهاب رئوي شديد";
const HEBREW: &str = "אין צילום קודם";
const GREEK: &str = "Ήπια καρδιομεγαλία";

impl Practice {
    /// Sends a study of the patient; its UID.
    fn study(&self) -> String {
        let xray = Synthetic::cr("PAT-1001", 64, 64);
        assert_eq!(scu::send_files(self.platform.dicom(), &[xray.part10()]).expect("an association"), [0]);
        xray.study_instance_uid
    }

    /// Path of a draft.
    async fn report(&self, content: Value) -> String {
        let mut body = content;
        body["consultation_id"] = json!(self.consultation);
        let made = self.ada.post_json(&format!("/doctors/{}/report", self.doctor), &body).await;
        format!("/reports/{}", made["id"].as_str().expect("an id"))
    }
}

#[tokio::test]
async fn a_report_is_written_signed_printed_and_found_where_doctors_look() {
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let options = Options::default()
        .with("MAXRAY_HTTP__LISTEN", &format!("127.0.0.1:{port}"))
        .with("MAXRAY_DOCTOR_API__PUBLIC_URL", &address);
    let practice = Practice::open(options).await;
    let (linked, prior) = (practice.study(), practice.study());
    let studies = format!("/consultations/{}/studies", practice.consultation);
    practice.ada.post_json(&studies, &json!({ "study_instance_uid": linked })).await;
    let (admin, service) = (
        practice.platform.user("watcher", "admin").await,
        practice.platform.user("bookings", "service").await,
    );
    let mut ada_hears = Listener::open(&practice.ada, None).await;
    let mut service_hears = Listener::open(&service, None).await;
    let findings: Vec<String> =
        (1..=90).map(|line| format!("Rib {line} is whole and in its place.")).collect();
    let path = practice
        .report(json!({
            "study_instance_uids": [linked, prior], "clinical_information": GREEK, "comparison": HEBREW,
            "findings": findings.join("\n"), "impression": ARABIC, "critical": true,
            "critical_result": "Told Dr. Osler by telephone.",
            "codes": [{ "system": "http://snomed.info/sct", "code": "233604007", "text": "Pneumonia" }],
        }))
        .await;
    let draft = practice.pdf(&path).await.text();
    assert!(draft.contains("DRAFT, NOT VALID") && !draft.contains("Check code"), "{draft}");
    let signed = practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    for listener in [&mut ada_hears, &mut service_hears] {
        let event = listener.wait_for("report.finalized").await;
        assert_eq!((&event["report_id"], &event["critical"]), (&signed["id"], &json!(true)));
        assert_eq!(event["consultation_id"], json!(practice.consultation));
        let told = event.to_string();
        assert!(!told.contains("PAT-1001") && !told.contains("Osler"), "{told}");
    }
    let pdf = practice.pdf(&path).await;
    assert_says_everything(&pdf, &findings, &signed, &[&linked, &prior]);
    let link = pdf.code();
    assert!(link.starts_with(&format!("{address}{path}/verify?code=")), "{link}");
    let check: Value =
        practice.platform.client().get(&link).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&check["genuine"], &check["status"]), (&json!(true), &json!("finalized")));
    let seen = practice.ada.get_json(&studies).await;
    for study in [&seen["studies"][0], &seen["prior_studies"][0]] {
        assert_eq!(study["findings"].as_array().map(Vec::len), Some(1), "{study}");
        assert_eq!(
            (&study["findings"][0]["id"], &study["findings"][0]["impression"]),
            (&signed["id"], &json!(ARABIC))
        );
    }
    let history = practice.ada.get_json("/patients/PAT-1001/history").await;
    let found = history["items"].as_array().expect("items").iter().find(|item| item["kind"] == "report");
    assert_eq!(found.expect("a report")["report"]["impression"], ARABIC);
    let record = admin.get_json("/audit?action=get_report_pdf").await;
    assert_eq!(record["items"].as_array().map(Vec::len), Some(2), "each time: {record}");
}

fn assert_says_everything(pdf: &Pdf, findings: &[String], signed: &Value, studies: &[&str]) {
    let text = flat(&pdf.text());
    let signature = &signed["signature"];
    for words in [
        "Radiology report",
        "Ada Müller",
        "MD-4711",
        "Patient Dr. Thị Nguyễn",
        "CRITICAL RESULT",
        "Told Dr. Osler by telephone.",
        GREEK,
        ARABIC,
        HEBREW,
        "Pneumonia (SNOMED CT 233604007)",
        "Page 1 / ",
        signature["content_sha256"].as_str().expect("a hash"),
        signature["verification_code"].as_str().expect("a code"),
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    for words in findings.iter().map(String::as_str).chain(studies.iter().copied()) {
        assert_eq!(text.matches(words).count(), 1, "{words}: {text}");
    }
    let critical = text.find("CRITICAL RESULT").zip(text.find("Findings"));
    assert!(critical.is_some_and(|(critical, findings)| critical < findings), "it comes first: {text}");
    assert!(!text.contains("NOT VALID") && pdf.pages() >= 3, "{} pages: {text}", pdf.pages());
    let fonts = pdf.fonts();
    assert!(fonts.len() >= 3 && fonts.iter().all(|(_, embedded)| *embedded), "{fonts:?}");
}

#[tokio::test]
async fn a_report_that_was_altered_is_not_genuine() {
    let practice = Practice::open(Options::default()).await;
    let study = practice.study();
    let path = practice
        .report(json!({ "study_instance_uids": [study], "findings": "Clear.", "impression": "No fracture." }))
        .await;
    let signed = practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let check = practice.platform.url(&format!("{path}/verify?code={code}"));
    let genuine = async || {
        let answer = practice.platform.client().get(&check).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.expect("JSON")["genuine"] == json!(true)
    };
    assert!(genuine().await);
    let (change, unlock) = if practice.platform.is_on_sqlite() {
        (
            "UPDATE report SET content = replace(content, 'No fracture', 'A fracture')",
            "DROP TRIGGER report_stays",
        )
    } else {
        (
            "UPDATE report SET content = replace(content::text, 'No fracture', 'A fracture')::jsonb",
            "DROP TRIGGER report_stays ON report",
        )
    };
    let refused = practice.platform.try_sql(change).expect_err("a signed report was changed");
    assert!(refused.contains("a signed report does not change"), "{refused}");
    assert!(genuine().await);
    practice.platform.sql(&format!("{unlock}; {change}"));
    assert!(!genuine().await);
    let altered = practice.pdf(&path).await.text();
    assert!(altered.contains("NOT GENUINE, NOT VALID") && altered.contains("A fracture"), "{altered}");
}
