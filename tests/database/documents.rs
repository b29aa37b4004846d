//! Prescriptions and reports: what is signed stays, and a report is about its patient's studies.

use database::{DatabaseError, DoctorChanges, DocumentError, NewConsultation, WriterScope};
use model::{
    access::Scope,
    clinical::{
        ClinicalDocument, Consultation, ConsultationStatus, DocumentContent, DocumentSignature,
        DocumentStatus, Prescription, PrescriptionContent, Report, ReportContent,
    },
    event::Event,
};
use uuid::Uuid;

use crate::{
    consultations::{book, booking, doctor},
    support::{Home, START, actor, at, doctor_scope, instance, patient, study_uid},
};

on_both_engines!(
    what_is_signed_stays_whoever_writes,
    who_is_deactivated_signs_nothing,
    two_drafts_do_not_take_one_place,
    a_report_is_about_studies_of_its_patient_in_reach,
    a_document_is_for_who_treats_the_patient,
    a_booking_without_an_issuer_opens_documents_of_each,
);

async fn meeting(home: &Home, doctor_id: Uuid) -> Consultation {
    book(home, NewConsultation { status: ConsultationStatus::InProgress, ..booking(doctor_id, "4711") }).await
}

fn report(uids: &[&str]) -> ReportContent {
    ReportContent {
        study_instance_uids: uids.iter().map(|uid| (*uid).to_owned()).collect(),
        impression: "Clear.".to_owned(),
        ..ReportContent::default()
    }
}

fn prescription() -> PrescriptionContent {
    PrescriptionContent { note: "after meals".to_owned(), ..PrescriptionContent::default() }
}

fn of(scope: &Scope) -> WriterScope<'_> {
    WriterScope { documents: scope, studies: scope }
}

async fn draft<C: DocumentContent>(
    home: &Home,
    consultation: &Consultation,
    content: C,
) -> Result<ClinicalDocument<C>, DocumentError> {
    let (scope, of_meeting) =
        (doctor_scope(consultation.doctor_id), (consultation.doctor_id, consultation.id));
    home.database.create_document(of(&scope), of_meeting, content, &actor()).await
}

async fn sign<C: DocumentContent>(
    home: &Home,
    draft: &ClinicalDocument<C>,
) -> Result<ClinicalDocument<C>, DocumentError> {
    let scope = doctor_scope(draft.doctor_id);
    let signature = DocumentSignature {
        jws: "a.b.c".to_owned(),
        content_sha256: [7; 32],
        key_id: "key".to_owned(),
        finalized_at: at(START),
    };
    home.database.finalize_document(of(&scope), draft.id, (draft.version, signature), &actor()).await
}

async fn who_is_deactivated_signs_nothing(home: Home) {
    let id = doctor(&home).await;
    let begun = draft(&home, &meeting(&home, id).await, prescription()).await.expect("a draft");
    let make = async |active, version| {
        let changes = DoctorChanges { active: Some(active), ..DoctorChanges::default() };
        home.database.update_doctor(id, version, changes, &actor()).await.expect("changed");
    };
    make(false, 1).await;
    let refused = sign(&home, &begun).await;
    assert!(matches!(refused, Err(DocumentError::DoctorInactive)), "{refused:?}");
    make(true, 2).await;
    sign(&home, &begun).await.expect("signed: it is a draft still");
}

async fn what_is_signed_stays_whoever_writes(home: Home) {
    let consultation = meeting(&home, doctor(&home).await).await;
    home.put(instance("1.2", 1)).await;
    stays(&home, &consultation, prescription()).await;
    stays(&home, &consultation, report(&["1.2"])).await;
    let events = home.database.outbox_after(0, 99).await.expect("events");
    let written = events.iter().map(|envelope| envelope.event.name()).filter(|name| name.ends_with("ized"));
    assert_eq!(written.collect::<Vec<_>>(), ["prescription.finalized", "report.finalized"]);
}

/// Neither the program nor anybody behind its back.
async fn stays<C: DocumentContent>(home: &Home, consultation: &Consultation, content: C) {
    let begun = draft(home, consultation, content.clone()).await.expect("a draft");
    let scope = doctor_scope(consultation.doctor_id);
    let change = (7, content.clone());
    let late = home.database.update_document(of(&scope), begun.id, change, &actor()).await;
    assert!(matches!(late, Err(DocumentError::Changed)), "{late:?}");
    let signed = sign(home, &begun).await.expect("signed");
    assert_eq!((signed.status, signed.version), (DocumentStatus::Finalized, 2));
    let read = home.database.document::<C>(&scope, begun.id).await.expect("read");
    assert_eq!(read.as_ref(), Some(&signed), "what is answered is what is kept");
    let change = (signed.version, content);
    let changed = home.database.update_document(of(&scope), begun.id, change, &actor()).await;
    assert!(matches!(changed, Err(DocumentError::Settled(DocumentStatus::Finalized))), "{changed:?}");
    let again = sign(home, &signed).await;
    assert!(matches!(again, Err(DocumentError::Settled(DocumentStatus::Finalized))), "{again:?}");
    let table = C::NOUN;
    for change in ["content = '{}'", "jws = 'd.e.f'", "jws = NULL", "status = 'draft'", "finalized_at = NULL"]
    {
        let refused = home.try_sql(&format!("UPDATE {table} SET {change}")).await;
        let reason = refused.expect_err(change).to_string();
        assert!(reason.contains(&format!("a signed {table} does not change")), "{change}: {reason}");
    }
    let taken_back = home.database.cancel_document::<C>(&scope, begun.id, "wrong", &actor()).await;
    assert_eq!(taken_back.expect("cancelled").status, DocumentStatus::Cancelled);
}

async fn two_drafts_do_not_take_one_place(home: Home) {
    let consultation = meeting(&home, doctor(&home).await).await;
    home.put(instance("1.2", 1)).await;
    let scope = doctor_scope(consultation.doctor_id);
    let replace =
        async |id: Uuid| home.database.replace_document(of(&scope), id, report(&["1.2"]), &actor()).await;
    let first = draft(&home, &consultation, report(&["1.2"])).await.expect("a draft");
    assert!(matches!(replace(first.id).await, Err(DocumentError::Settled(DocumentStatus::Draft))));
    sign(&home, &first).await.expect("signed");
    let second = replace(first.id).await.expect("a draft");
    assert!(matches!(replace(first.id).await, Err(DocumentError::ReplacedAlready)));
    home.database.cancel_document::<ReportContent>(&scope, second.id, "", &actor()).await.expect("cancelled");
    let third = replace(first.id).await.expect("a draft that was taken back takes no place");
    sign(&home, &third).await.expect("signed");
    let status = async |id: Uuid| {
        home.database.document::<ReportContent>(&scope, id).await.expect("read").expect("there").status
    };
    assert_eq!(status(first.id).await, DocumentStatus::Superseded);
    assert_eq!(status(third.id).await, DocumentStatus::Finalized);
    let fourth = replace(third.id).await.expect("a draft");
    home.database.cancel_document::<ReportContent>(&scope, third.id, "", &actor()).await.expect("cancelled");
    assert!(matches!(sign(&home, &fourth).await, Err(DocumentError::ReplacedGone)));
    assert_eq!(status(fourth.id).await, DocumentStatus::Draft, "the whole step is undone");
}

async fn a_report_is_about_studies_of_its_patient_in_reach(home: Home) {
    let ann = doctor(&home).await;
    let consultation = meeting(&home, ann).await;
    home.put(instance("1.2", 1)).await;
    let mut other = instance("2.1", 1);
    other.header.patient = patient("4712", "Roe^Jim");
    home.put(other).await;
    let mut issued = instance("2.2", 1);
    "H1".clone_into(&mut issued.header.patient.issuer_of_patient_id);
    home.put(issued).await;
    // In reach of the doctor, and of another patient.
    book(&home, booking(ann, "4712")).await;
    for (uids, foreign) in
        [(&["1.2"][..], &[][..]), (&["1.2", "2.2"], &[]), (&["2.1"], &[0]), (&["1.2", "2.1", "9.9"], &[1, 2])]
    {
        match draft(&home, &consultation, report(uids)).await {
            Ok(_) => assert!(foreign.is_empty(), "{uids:?}"),
            Err(DocumentError::ForeignStudies(places)) => assert_eq!(places, foreign, "{uids:?}"),
            Err(other) => panic!("{uids:?}: {other}"),
        }
    }
    let of_site = NewConsultation {
        status: ConsultationStatus::InProgress,
        issuer_of_patient_id: "H1".to_owned(),
        ..booking(ann, "4711")
    };
    let of_site = book(&home, of_site).await;
    draft(&home, &of_site, report(&["2.2"])).await.expect("the site's own");
    let elsewhere = draft(&home, &of_site, report(&["1.2"])).await;
    assert!(matches!(elsewhere, Err(DocumentError::ForeignStudies(_))), "of another issuer: {elsewhere:?}");
    // Of the right patient, and out of the writer's reach.
    let scope = doctor_scope(ann);
    let nothing = doctor_scope(doctor(&home).await);
    let blind = WriterScope { documents: &scope, studies: &nothing };
    let unseen =
        home.database.create_document(blind, (ann, consultation.id), report(&["1.2"]), &actor()).await;
    assert!(matches!(unseen, Err(DocumentError::ForeignStudies(_))), "{unseen:?}");
    // A draft of which the study is given to another patient is not signed.
    let begun = draft(&home, &consultation, report(&["1.2"])).await.expect("a draft");
    home.sql("UPDATE study SET patient = (SELECT id FROM patient WHERE patient_id = '4712') WHERE study_instance_uid = '1.2'")
        .await;
    let gone = sign(&home, &begun).await;
    assert!(matches!(&gone, Err(DocumentError::ForeignStudies(places)) if *places == [0]), "{gone:?}");
}

async fn a_document_is_for_who_treats_the_patient(home: Home) {
    let (ann, bob, cy) = (doctor(&home).await, doctor(&home).await, doctor(&home).await);
    let consultation = meeting(&home, ann).await;
    home.put(instance("1.2", 1)).await;
    let link =
        home.database.link_study(&doctor_scope(ann), consultation.id, &study_uid("1.2"), &actor()).await;
    link.expect("linked");
    book(&home, booking(bob, "4711")).await;
    let begun = draft(&home, &consultation, report(&["1.2"])).await.expect("a draft");
    let seen = async |scope: Scope| {
        let one = home.database.document::<ReportContent>(&scope, begun.id).await.expect("read").is_some();
        let list: Vec<Report> =
            home.database.documents_of_patient(&scope, "4711", None, 10).await.expect("list");
        assert_eq!(list.len(), usize::from(one), "one and the list agree");
        one
    };
    let everything = Scope::internal;
    assert!(seen(doctor_scope(ann)).await, "the own draft");
    assert!(!seen(doctor_scope(bob)).await && !seen(everything()).await, "a draft is its doctor's alone");
    sign(&home, &begun).await.expect("signed");
    assert!(seen(doctor_scope(ann)).await && seen(doctor_scope(bob)).await && seen(everything()).await);
    assert!(!seen(doctor_scope(cy)).await, "not a patient of hers");
    let foreign =
        home.database.cancel_document::<ReportContent>(&doctor_scope(bob), begun.id, "", &actor()).await;
    assert!(matches!(foreign, Err(DocumentError::Database(DatabaseError::NotFound))), "reading only");
    home.sql("UPDATE consultation SET status = 'cancelled' WHERE status = 'booked'").await;
    assert!(!seen(doctor_scope(bob)).await, "a cancelled consultation opens nothing");
    let events = home.database.outbox_after(0, 99).await.expect("events");
    let told = events.iter().any(|envelope| {
        envelope.event
            == Event::ReportFinalized {
                report_id: begun.id,
                consultation_id: consultation.id,
                doctor_id: ann,
                critical: false,
            }
    });
    assert!(told, "{events:?}");
}

/// In a booking as in a document; what a doctor has not signed stays the doctor's alone.
async fn a_booking_without_an_issuer_opens_documents_of_each(home: Home) {
    let booked = |doctor_id: Uuid, issuer: &str| NewConsultation {
        issuer_of_patient_id: issuer.to_owned(),
        ..booking(doctor_id, "4711")
    };
    let (mut written, mut authors) = (Vec::new(), Vec::new());
    for issuer in ["", "HOSP"] {
        let author = doctor(&home).await;
        authors.push(author);
        let meeting = NewConsultation { status: ConsultationStatus::InProgress, ..booked(author, issuer) };
        let consultation = book(&home, meeting).await;
        let begun = draft(&home, &consultation, prescription()).await.expect("a draft");
        draft(&home, &consultation, prescription()).await.expect("a draft that stays one");
        written.push(sign(&home, &begun).await.expect("signed").id);
    }
    let (any, hosp) = (written[0], written[1]);
    let both: &[Uuid] = &[any, hosp];
    let none: &[Uuid] = &[];
    for (of_booking, asked, expected) in [
        ("", None, both),
        ("", Some("HOSP"), both),
        ("", Some("OTHER"), &[any]),
        ("HOSP", None, &[hosp]),
        ("HOSP", Some("HOSP"), &[hosp]),
        ("OTHER", None, none),
        ("OTHER", Some("HOSP"), none),
    ] {
        let other = doctor(&home).await;
        book(&home, booked(other, of_booking)).await;
        let scope = doctor_scope(other);
        let found: Vec<Prescription> =
            home.database.documents_of_patient(&scope, "4711", asked, 10).await.expect("list");
        let mut found: Vec<Uuid> = found.into_iter().map(|one| one.id).collect();
        found.sort();
        assert_eq!(found, expected, "a booking of {of_booking:?}, asked for {asked:?}");
        let read = home.database.document::<PrescriptionContent>(&scope, hosp).await.expect("read");
        assert_eq!(read.is_some(), of_booking != "OTHER", "a booking of {of_booking:?}");
    }
    // The own one is compared with what is written for that issuer later.
    let scope = doctor_scope(authors[0]);
    let own: Vec<Prescription> =
        home.database.documents_of_patient(&scope, "4711", Some("HOSP"), 10).await.expect("list");
    assert!(own.iter().any(|one| one.id == any), "{own:?}");
}
