//! A whole paper, with the shipped fonts alone.

use std::sync::Arc;

use chrono::DateTime;
use model::clinical::{Doctor, Prescription, PrescriptionContent, PrescriptionStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Language, Paper, PaperError, Proof, Standing,
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

fn prescription(status: PrescriptionStatus, content: PrescriptionContent) -> Prescription {
    Prescription {
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

fn ada() -> Doctor {
    let now = DateTime::UNIX_EPOCH;
    let doctor = json!({
        "id": Uuid::from_u128(3), "name": "Ada", "specialties": ["Radiology"], "languages": [], "time_zone": "UTC",
        "licence_number": "MD-1", "contact": "ada@example.org", "details": {}, "active": true, "version": 1,
        "created_at": now, "updated_at": now,
    });
    serde_json::from_value(doctor).expect("a doctor")
}

fn pdf(prescription: &Prescription, language: Language, proof: bool) -> Result<Vec<u8>, PaperError> {
    let now = DateTime::UNIX_EPOCH;
    let doctor = ada();
    let proof = proof.then(|| Proof {
        finalized_at: now,
        content_sha256: "00".repeat(32),
        key_id: "key".into(),
        code: "CODE".into(),
        link: "https://x.example/prescriptions/1/verify?code=CODE".into(),
    });
    let standing = Standing::of(prescription.status, true);
    render(&Paper { prescription, doctor: &doctor, signer: ("Ada", "MD-1"), standing, proof, language }, &[])
}

fn has(pdf: &[u8], words: &str) -> bool {
    pdf.windows(words.len()).any(|window| window == words.as_bytes())
}

#[test]
fn the_same_prescription_gives_the_same_bytes() {
    let signed = prescription(PrescriptionStatus::Finalized, content("Amoxicillin", 2));
    let first = pdf(&signed, Language::English, true).expect("a PDF");
    assert!(first.starts_with(b"%PDF-1.7"));
    assert_eq!(first, pdf(&signed, Language::English, true).expect("a PDF"));
    let other = prescription(PrescriptionStatus::Finalized, content("Amoxicillins", 2));
    assert_ne!(first, pdf(&other, Language::English, true).expect("a PDF"));
    for language in [Language::German, Language::Spanish, Language::French] {
        let translated = pdf(&signed, language, true).expect("every label has its glyphs");
        assert!(has(&translated, &format!("/Lang({})", language.tag())), "{language:?}");
        assert_ne!(first, translated);
    }
}

#[test]
fn every_standing_has_a_paper_and_many_medicines_have_pages() {
    for status in PrescriptionStatus::ALL {
        pdf(&prescription(status, content("Amoxicillin", 1)), Language::French, false).expect("a PDF");
    }
    let long = pdf(&prescription(PrescriptionStatus::Draft, content("Ä", 50)), Language::English, false);
    let long = long.expect("a PDF");
    assert!(!has(&long, "/Count 1\n") && has(&long, "/Count "), "fifty medicines do not fit on one page");
}

#[test]
fn a_signature_that_does_not_hold_is_never_valid() {
    for status in PrescriptionStatus::ALL {
        assert_ne!(Standing::of(status, false), Standing::Valid, "{status:?}");
        let is_valid = Standing::of(status, true) == Standing::Valid;
        assert_eq!(is_valid, status == PrescriptionStatus::Finalized, "{status:?}");
    }
    assert_eq!(Standing::of(PrescriptionStatus::Finalized, false), Standing::NotGenuine);
}

fn bare<'a>(prescription: &'a Prescription, doctor: &'a Doctor, standing: Standing) -> Paper<'a> {
    Paper { prescription, doctor, signer: ("Ada", ""), standing, proof: None, language: Language::English }
}

fn texts(page: &Page) -> Vec<String> {
    let text = |mark: &Mark| if let Mark::Text(line, ..) = mark { Some(line.text.to_string()) } else { None };
    page.marks.iter().filter_map(text).collect()
}

#[test]
fn every_page_says_first_that_it_is_not_valid() {
    for (status, genuine, words) in [
        (PrescriptionStatus::Draft, true, "DRAFT, NOT VALID"),
        (PrescriptionStatus::Cancelled, true, "CANCELLED, NOT VALID"),
        (PrescriptionStatus::Superseded, true, "SUPERSEDED, NOT VALID"),
        (PrescriptionStatus::Finalized, false, "NOT GENUINE, NOT VALID"),
        (PrescriptionStatus::Finalized, true, ""),
    ] {
        let (prescription, doctor) = (prescription(status, content("Amoxicillin", 12)), ada());
        let paper = bare(&prescription, &doctor, Standing::of(status, genuine));
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
        match pdf(&prescription(PrescriptionStatus::Draft, content(text, 1)), Language::English, false) {
            Err(PaperError::FontMissing(missing)) => assert_eq!(missing.name(), script),
            other => panic!("{text}: {:?}", other.map(|bytes| bytes.len())),
        }
    }
    let unread = Arc::new(b"no font".to_vec());
    let paper = prescription(PrescriptionStatus::Draft, content("plain", 1));
    let doctor = ada();
    let paper = bare(&paper, &doctor, Standing::Draft);
    assert!(render(&paper, &[unread]).is_ok(), "a file that is no font is no reason to fail");
}
