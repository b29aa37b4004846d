//! A whole paper, with the shipped fonts alone.

use std::sync::Arc;

use chrono::DateTime;
use model::clinical::{
    ClinicalDocument, Doctor, DocumentStatus, Prescription, PrescriptionContent, Report, ReportContent,
    SignerProfile,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Language, Paper, PaperError, Printed, Proof, Standing,
    flow::{Mark, Page},
    render,
    sheet::lay_out,
    typeset::Typesetter,
};

fn content(text: &str, items: usize) -> PrescriptionContent {
    let item = json!({
        "medication": { "text": text, "system": "http://www.whocc.no/atc", "code": "J01CA04" },
        "dose": { "value": 500, "unit": "mg" }, "route": "oral",
        "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
        "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" },
        "instructions": "With food"
    });
    let items: Vec<Value> = (0..items).map(|_| item.clone()).collect();
    let patient = json!({ "name": "Amina Diallo", "birth_date": "1980-02-29" });
    let content = json!({ "items": items, "note": "δισκίο", "patient": patient });
    serde_json::from_value(content).expect("a content")
}

fn report(status: DocumentStatus, findings: &str) -> Report {
    let content = json!({
        "study_instance_uids": ["1.2.3", "1.2.4"], "clinical_information": "Cough.", "findings": findings,
        "impression": "Pneumonia.", "critical": true, "critical_result": "Call the ward.",
        "codes": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": "J18.9", "text": "Pneumonia" }],
        "patient": { "name": "Amina Diallo" },
    });
    document(status, serde_json::from_value::<ReportContent>(content).expect("a content"))
}

fn prescription(status: DocumentStatus, content: PrescriptionContent) -> Prescription {
    document(status, content)
}

fn document<C>(status: DocumentStatus, content: C) -> ClinicalDocument<C> {
    ClinicalDocument {
        id: Uuid::from_u128(1),
        consultation_id: Uuid::from_u128(2),
        doctor_id: Uuid::from_u128(3),
        patient_id: "P1".into(),
        issuer_of_patient_id: "HOSP".into(),
        status,
        version: 2,
        supersedes: None,
        content,
        signed: None,
        cancelled_at: None,
        remark: String::new(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn ada() -> SignerProfile {
    let now = DateTime::UNIX_EPOCH;
    let doctor = json!({
        "id": Uuid::from_u128(3), "name": "Ada", "specialties": ["Radiology"], "languages": [], "time_zone": "UTC",
        "licence_number": "MD-1", "contact": "ada@example.org", "details": {}, "active": true, "version": 1,
        "created_at": now, "updated_at": now,
    });
    SignerProfile::from(&serde_json::from_value::<Doctor>(doctor).expect("a doctor"))
}

fn pdf<C: Printed>(
    document: &ClinicalDocument<C>,
    language: Language,
    proof: bool,
) -> Result<Vec<u8>, PaperError> {
    let now = DateTime::UNIX_EPOCH;
    let profile = ada();
    let proof = proof.then(|| Proof {
        finalized_at: now,
        content_sha256: "00".repeat(32),
        key_id: "key".into(),
        code: "CODE".into(),
        link: "https://x.example/prescriptions/1/verify?code=CODE".into(),
    });
    let standing = Standing::of(document.status, true);
    let signer = ("Ada", "MD-1");
    render(&Paper { document, signer, profile: &profile, standing, proof, language }, &[])
}

fn has(pdf: &[u8], words: &str) -> bool {
    pdf.windows(words.len()).any(|window| window == words.as_bytes())
}

#[test]
fn the_same_prescription_gives_the_same_bytes() {
    let signed = prescription(DocumentStatus::Finalized, content("Amoxicillin", 2));
    let first = pdf(&signed, Language::English, true).expect("a PDF");
    assert!(first.starts_with(b"%PDF-1.7"));
    assert_eq!(first, pdf(&signed, Language::English, true).expect("a PDF"));
    let other = prescription(DocumentStatus::Finalized, content("Amoxicillins", 2));
    assert_ne!(first, pdf(&other, Language::English, true).expect("a PDF"));
    for language in [Language::German, Language::Spanish, Language::French] {
        let translated = pdf(&signed, language, true).expect("every label has its glyphs");
        assert!(has(&translated, &format!("/Lang({})", language.tag())), "{language:?}");
        assert_ne!(first, translated);
    }
}

#[test]
fn every_standing_has_a_paper_and_many_medicines_have_pages() {
    for status in DocumentStatus::ALL {
        pdf(&prescription(status, content("Amoxicillin", 1)), Language::French, false).expect("a PDF");
    }
    let long = pdf(&prescription(DocumentStatus::Draft, content("Ä", 50)), Language::English, false);
    let long = long.expect("a PDF");
    assert!(!has(&long, "/Count 1\n") && has(&long, "/Count "), "fifty medicines do not fit on one page");
}

#[test]
fn a_signature_that_does_not_hold_is_never_valid() {
    for status in DocumentStatus::ALL {
        assert_ne!(Standing::of(status, false), Standing::Valid, "{status:?}");
        let is_valid = Standing::of(status, true) == Standing::Valid;
        assert_eq!(is_valid, status == DocumentStatus::Finalized, "{status:?}");
    }
    assert_eq!(Standing::of(DocumentStatus::Finalized, false), Standing::NotGenuine);
}

fn bare<'a, C>(
    document: &'a ClinicalDocument<C>,
    profile: &'a SignerProfile,
    standing: Standing,
) -> Paper<'a, C> {
    Paper { document, signer: ("Ada", ""), profile, standing, proof: None, language: Language::English }
}

fn texts(page: &Page) -> Vec<String> {
    let text = |mark: &Mark| if let Mark::Text(line, ..) = mark { Some(line.text.to_string()) } else { None };
    page.marks.iter().filter_map(text).collect()
}

#[test]
fn every_page_says_first_that_it_is_not_valid() {
    for (status, genuine, words) in [
        (DocumentStatus::Draft, true, "DRAFT, NOT VALID"),
        (DocumentStatus::Cancelled, true, "CANCELLED, NOT VALID"),
        (DocumentStatus::Superseded, true, "SUPERSEDED, NOT VALID"),
        (DocumentStatus::Finalized, false, "NOT GENUINE, NOT VALID"),
        (DocumentStatus::Finalized, true, ""),
    ] {
        let (prescription, profile) = (prescription(status, content("Amoxicillin", 12)), ada());
        let paper = bare(&prescription, &profile, Standing::of(status, genuine));
        let mut typesetter = Typesetter::new(&[], Language::English);
        let pages = lay_out(&paper, &mut typesetter).expect("pages");
        assert!(pages.len() > 1, "twelve medicines do not fit on one page");
        for page in &pages {
            let texts = texts(page);
            let is_said = texts.iter().any(|text| text.contains("NOT VALID"));
            assert_eq!(is_said, !words.is_empty(), "{status:?}: {texts:?}");
            assert!(texts[0].starts_with(words), "{status:?}: {texts:?}");
        }
    }
}

#[test]
fn a_script_without_a_font_is_named() {
    for (text, script) in [("دواء", "Arabic"), ("薬", "Han")] {
        match pdf(&prescription(DocumentStatus::Draft, content(text, 1)), Language::English, false) {
            Err(PaperError::FontMissing(missing)) => assert_eq!(missing.name(), script),
            other => panic!("{text}: {:?}", other.map(|bytes| bytes.len())),
        }
    }
    let unread = Arc::new(b"no font".to_vec());
    let paper = prescription(DocumentStatus::Draft, content("plain", 1));
    let profile = ada();
    let paper = bare(&paper, &profile, Standing::Draft);
    assert!(render(&paper, &[unread]).is_ok(), "a file that is no font is no reason to fail");
}

#[test]
fn a_long_report_is_on_as_many_pages_as_it_needs_and_loses_no_line() {
    let findings: Vec<String> = (0..300).map(|number| format!("Line {number} of the findings.")).collect();
    let (report, profile) = (report(DocumentStatus::Draft, &findings.join("\n")), ada());
    let paper = bare(&report, &profile, Standing::of(report.status, true));
    let mut typesetter = Typesetter::new(&[], Language::English);
    let pages = lay_out(&paper, &mut typesetter).expect("pages");
    assert!(pages.len() > 4, "{} pages", pages.len());
    let all: Vec<String> = pages.iter().flat_map(texts).collect();
    for line in &findings {
        assert_eq!(all.iter().filter(|text| *text == line).count(), 1, "{line}");
    }
    for page in &pages {
        assert!(texts(page)[0].starts_with("DRAFT, NOT VALID"), "{:?}", texts(page));
    }
    let place =
        |words: &str| all.iter().position(|text| text == words).unwrap_or_else(|| panic!("{words}: {all:?}"));
    let order = [
        "Radiology report",
        "Amina Diallo",
        "CRITICAL RESULT",
        "Call the ward.",
        "1.2.3",
        "1.2.4",
        "Clinical information",
        "Cough.",
        "Findings",
        "Impression",
        "Pneumonia.",
        "Diagnoses",
        "Pneumonia (ICD-10 J18.9)",
    ];
    assert!(order.map(place).is_sorted(), "{all:?}");
    assert!(!all.iter().any(|text| text == "Technique"), "what says nothing has no heading");
}

#[test]
fn a_report_has_its_labels_in_every_language_and_every_standing() {
    for language in [Language::English, Language::German, Language::Spanish, Language::French] {
        for status in DocumentStatus::ALL {
            let pdf = pdf(&report(status, "Clear."), language, true).expect("every label has its glyphs");
            assert!(has(&pdf, &format!("/Lang({})", language.tag())), "{language:?}");
        }
    }
    let missing = pdf(&report(DocumentStatus::Draft, "肺炎"), Language::English, false);
    assert!(matches!(missing, Err(PaperError::FontMissing(_))));
}
