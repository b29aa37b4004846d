//! A whole paper, with the shipped fonts alone.

use std::sync::Arc;

use chrono::DateTime;
use model::clinical::{Doctor, Prescription, PrescriptionContent, PrescriptionStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Language, Paper, PaperError, Proof, Standing, render};

fn content(text: &str, items: usize) -> PrescriptionContent {
    let item = json!({
        "medication": { "text": text, "system": "http://www.whocc.no/atc", "code": "J01CA04" },
        "dose": { "value": 500, "unit": "mg" }, "route": "oral",
        "frequency": { "text": "three times a day", "times": 3, "period": 1, "period_unit": "d" },
        "duration_days": 7, "quantity": { "value": 21, "unit": "{capsule}" },
        "instructions": "With food"
    });
    let items: Vec<Value> = (0..items).map(|_| item.clone()).collect();
    serde_json::from_value(json!({ "items": items, "note": "δισκίο" })).expect("a content")
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

fn pdf(prescription: &Prescription, language: Language, proof: bool) -> Result<Vec<u8>, PaperError> {
    let now = DateTime::UNIX_EPOCH;
    let doctor = json!({
        "id": prescription.doctor_id, "name": "Ada", "specialties": ["Radiology"], "languages": [], "time_zone": "UTC",
        "licence_number": "MD-1", "contact": "ada@example.org", "details": {}, "active": true, "version": 1,
        "created_at": now, "updated_at": now,
    });
    let doctor: Doctor = serde_json::from_value(doctor).expect("a doctor");
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
    let doctor: Doctor = serde_json::from_value(json!({
        "id": paper.doctor_id, "name": "Ada", "specialties": [], "languages": [], "time_zone": "UTC",
        "licence_number": "", "contact": "", "details": {}, "active": true, "version": 1,
        "created_at": paper.created_at, "updated_at": paper.created_at,
    }))
    .expect("a doctor");
    let paper = Paper {
        prescription: &paper,
        doctor: &doctor,
        signer: ("Ada", ""),
        standing: Standing::Draft,
        proof: None,
        language: Language::English,
    };
    assert!(render(&paper, &[unread]).is_ok(), "a file that is no font is no reason to fail");
}
