//! A signed prescription on paper: read as text, looked at as a picture, its code followed to the check.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tests::{
    operator::free_port,
    pdf::{Pdf, flat},
    platform::Options,
};

use crate::practice::Practice;

const LONG: &str =
    "Take one capsule with a full glass of water after each meal and do not lie down for half an hour. ";
const ARABIC: &str = "خذ قرصا واحدا بعد الطعام";
const HEBREW: &str = "כדור אחד ביום";
const GREEK: &str = "από το στόμα";

impl Practice {
    /// Path of a draft.
    async fn draft(&self, items: Value) -> String {
        let body = json!({
            "consultation_id": self.consultation, "items": items, "declared_allergies": ["penicillin"],
            "note": "Please call before you give another maker's.",
        });
        let made = self.ada.post_json(&format!("/doctors/{}/prescription", self.doctor), &body).await;
        format!("/prescriptions/{}", made["id"].as_str().expect("an id"))
    }
}

fn item(text: &str, route: &str, instructions: &str) -> Value {
    json!({
        "medication": { "text": text, "system": "http://www.whocc.no/atc", "code": "J01CA04" },
        "dose": { "value": 0.5, "unit": "g" }, "route": route,
        "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
        "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" }, "refills": 2,
        "instructions": instructions
    })
}

#[tokio::test]
async fn a_signed_prescription_says_everything_in_every_script_and_its_code_leads_to_the_check() {
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let options = Options::default()
        .with("MAXRAY_HTTP__LISTEN", &format!("127.0.0.1:{port}"))
        .with("MAXRAY_DOCTOR_API__PUBLIC_URL", &address);
    let practice = Practice::open(options).await;
    let items = json!([
        item("Amoxicillin 500 mg capsules", "oral", &LONG.repeat(9)),
        item("Αμοξικιλλίνη", GREEK, "≥ 38 °C → ½"),
        item("Paracetamol", "oral", ARABIC),
        item("Ибупрофен", "oral", HEBREW),
    ]);
    let path = practice.draft(items).await;
    let signed = practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let pdf = practice.pdf(&path).await;
    assert_says_everything(&pdf, &signed["signature"]);
    let link = pdf.code();
    assert!(link.starts_with(&address), "{link}");
    let check = practice.platform.client().get(&link).send().await.expect("an answer");
    assert_eq!(check.status(), StatusCode::OK);
    let check: Value = check.json().await.expect("JSON");
    assert_eq!((&check["genuine"], &check["status"]), (&json!(true), &json!("finalized")));
    assert_eq!(check["content_sha256"], signed["signature"]["content_sha256"]);
}

fn assert_says_everything(pdf: &Pdf, signature: &Value) {
    let text = flat(&pdf.text());
    let time = signature["finalized_at"].as_str().expect("a time")[..16].replace('T', " ");
    for words in [
        "Ada Müller",
        "Radiology",
        "MD-4711",
        "ada@clinic.example",
        "Patient Dr. Thị Nguyễn",
        "Patient ID PAT-1001",
        "Amoxicillin 500 mg capsules",
        "ATC J01CA04",
        "0.5 g",
        "three times a day (3 × / 1 d)",
        "Duration (days) 7",
        "21 capsule",
        "Refills 2",
        "Substitution not allowed",
        "Αμοξικιλλίνη",
        GREEK,
        "≥ 38 °C → ½",
        "Ибупрофен",
        "penicillin",
        "Please call before you give another maker's.",
        &format!("{time} UTC"),
        "Page 1 / 2",
        "Page 2 / 2",
        signature["content_sha256"].as_str().expect("a hash"),
        signature["verification_code"].as_str().expect("a code"),
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    assert_eq!(text.matches(LONG.trim()).count(), 9, "no word of a long text is lost: {text}");
    for words in [ARABIC, HEBREW] {
        assert!(text.contains(words), "{words} does not read from right to left: {text}");
    }
    assert!(!text.contains("NOT VALID"));
    assert_eq!(pdf.pages(), 2);
    let fonts = pdf.fonts();
    assert!(fonts.len() >= 4 && fonts.iter().all(|(_, embedded)| *embedded), "{fonts:?}");
}

#[tokio::test]
async fn a_paper_says_when_it_is_not_valid() {
    let practice = Practice::open(Options::default()).await;
    let path = practice.draft(json!([item("Amoxicillin", "oral", "")])).await;
    let draft = practice.pdf(&path).await.text();
    assert!(draft.contains("DRAFT, NOT VALID") && !draft.contains("Check code"), "{draft}");
    practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let signed = practice.pdf(&path).await;
    assert!(!signed.text().contains("NOT VALID"));
    let id = path.trim_start_matches("/prescriptions/");
    assert!(
        signed.code().starts_with(&format!("/prescriptions/{id}/verify?code=")),
        "without an address: the path"
    );
    let german = practice.ada.get(&format!("{path}/pdf?lang=de")).await;
    assert_eq!(german.status(), StatusCode::OK);
    assert_ne!(german.headers()[header::ETAG].to_str().expect("text"), signed.tag);
    practice.ada.post_json(&format!("{path}/cancel"), &json!({ "remark": "wrong dose" })).await;
    let cancelled = practice.pdf(&path).await.text();
    assert!(cancelled.contains("CANCELLED, NOT VALID") && cancelled.contains("wrong dose"), "{cancelled}");
}

#[tokio::test]
async fn a_paper_says_that_another_one_took_its_place() {
    let practice = Practice::open(Options::default()).await;
    let path = practice.draft(json!([item("Amoxicillin", "oral", "")])).await;
    practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let body = json!({ "items": [item("Doxycycline", "oral", "")] });
    let made = practice.ada.post_json(&format!("{path}/replace"), &body).await;
    let new = format!("/prescriptions/{}", made["id"].as_str().expect("an id"));
    assert!(!practice.pdf(&path).await.text().contains("NOT VALID"), "a draft takes nobody's place");
    practice.ada.post_json(&format!("{new}/finalize"), &json!({})).await;
    let old = practice.pdf(&path).await.text();
    assert!(old.contains("SUPERSEDED, NOT VALID") && old.contains("Amoxicillin"), "{old}");
    let new = practice.pdf(&new).await.text();
    assert!(!new.contains("NOT VALID") && new.contains(path.trim_start_matches("/prescriptions/")), "{new}");
}

/// By somebody who can write to the database, and takes away what keeps a signed prescription from being changed.
#[tokio::test]
async fn a_paper_says_that_it_was_altered() {
    let practice = Practice::open(Options::default()).await;
    let path = practice.draft(json!([item("Amoxicillin", "oral", "")])).await;
    let signed = practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    practice.platform.sql(if practice.platform.is_on_sqlite() {
        "DROP TRIGGER prescription_stays; \
         UPDATE prescription SET content = replace(content, 'Amoxicillin', 'Morphine')"
    } else {
        "DROP TRIGGER prescription_stays ON prescription; \
         UPDATE prescription SET content = replace(content::text, 'Amoxicillin', 'Morphine')::jsonb"
    });
    let altered = practice.pdf(&path).await.text();
    assert!(altered.contains("NOT GENUINE, NOT VALID") && altered.contains("Morphine"), "{altered}");
    let code = signed["signature"]["verification_code"].as_str().expect("a code");
    let check = practice.platform.url(&format!("{path}/verify?code={code}"));
    let check = practice.platform.client().get(check).send().await.expect("an answer");
    let check: Value = check.json().await.expect("JSON");
    assert_eq!((&check["genuine"], &check["doctor_name"]), (&json!(false), &json!("")));
}

#[tokio::test]
async fn the_same_paper_has_the_same_bytes_and_is_not_sent_twice() {
    let practice = Practice::open(Options::default()).await;
    let path = practice.draft(json!([item("Amoxicillin", "oral", ARABIC)])).await;
    practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    let (first, again) = (practice.pdf(&path).await, practice.pdf(&path).await);
    assert_eq!(first.tag, again.tag);
    assert!(first.bytes() == again.bytes(), "two papers of one prescription differ");
    let pdf = format!("{path}/pdf");
    let known = practice.ada.request(Method::GET, &pdf).header(header::IF_NONE_MATCH, &first.tag);
    let known = known.send().await.expect("an answer");
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let head = practice.ada.request(Method::HEAD, &pdf).send().await.expect("an answer");
    assert_eq!(head.headers()[header::ETAG].to_str().expect("text"), first.tag);
    let auditor = practice.platform.user("auditor", "admin").await;
    let record = auditor.get_json("/audit?action=get_prescription_pdf").await;
    assert_eq!(record["items"].as_array().map(Vec::len), Some(4), "each time: {record}");
}

#[tokio::test]
async fn a_script_without_a_font_is_refused_by_its_name() {
    let nothing = tempfile::tempdir().expect("a folder");
    let directories = format!("[{:?}]", nothing.path());
    let options = Options::default().with("MAXRAY_DOCTOR_API__PRESCRIPTION__FONT_DIRECTORIES", &directories);
    let practice = Practice::open(options).await;
    for (text, script, package) in [
        ("薬", "Han", "fonts-noto-cjk"),
        (ARABIC, "Arabic", "fonts-noto-core"),
        ("a\u{e000}", "private use", "mean nothing on paper"),
    ] {
        let path = practice.draft(json!([item("Amoxicillin", "oral", text)])).await;
        let answer = practice.ada.get(&format!("{path}/pdf")).await;
        assert_eq!(answer.status(), StatusCode::CONFLICT, "{text}");
        let problem: Value = answer.json().await.expect("JSON");
        assert_eq!(problem["type"], "urn:maxray:problem:font-missing");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(script) && detail.contains(package), "{detail}");
        assert!(!detail.contains(text), "{detail}");
    }
    let path = practice.draft(json!([item("Αμοξικιλλίνη, амоксициллин", "oral", "≥ 1")])).await;
    practice.pdf(&path).await;
}

#[tokio::test]
async fn who_may_not_read_a_prescription_gets_no_paper_of_it() {
    let practice = Practice::open(Options::default()).await;
    let path = practice.draft(json!([item("Amoxicillin", "oral", "")])).await;
    let service = practice.platform.user("bookings", "service").await;
    let viewer = practice.platform.user("ward", "viewer").await;
    let pdf = format!("{path}/pdf");
    assert_eq!(service.get(&pdf).await.status(), StatusCode::NOT_FOUND, "a draft is its doctor's alone");
    practice.ada.post_json(&format!("{path}/finalize"), &json!({})).await;
    assert_eq!(service.get(&pdf).await.status(), StatusCode::OK);
    assert_eq!(viewer.get(&pdf).await.status(), StatusCode::FORBIDDEN);
    let nobody = practice.platform.client().get(practice.platform.url(&pdf)).send().await.expect("an answer");
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let unknown = practice.ada.get(&format!("{pdf}?lang=xx")).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}
