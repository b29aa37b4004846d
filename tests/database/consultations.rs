//! Consultations and the studies linked to them.

use database::{
    BookingError, ChangeConsultation, ChangeError, ConsultationFilter, DatabaseError, LinkOutcome,
    NewConsultation, NewDoctor,
};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationCommand, ConsultationStatus},
};
use uuid::Uuid;

use crate::support::{Home, START, actor, at, doctor_scope, instance, patient, study_uid};

on_both_engines!(
    consultations_are_listed_for_their_doctor_alone,
    lists_show_what_single_reads_show_whatever_it_says,
    a_study_is_linked_to_its_patients_consultation,
    a_study_of_another_patient_is_not_linked,
    a_consultation_changes_only_from_the_version_read,
);

pub async fn doctor(home: &Home) -> Uuid {
    let new = NewDoctor { name: "Ann".to_owned(), ..NewDoctor::default() };
    home.database.create_doctor(new, None, &actor()).await.expect("made").id
}

pub fn booking(doctor_id: Uuid, patient_id: &str) -> NewConsultation {
    NewConsultation {
        doctor_id,
        patient_id: patient_id.to_owned(),
        issuer_of_patient_id: String::new(),
        patient_name: "Doe^Jane".to_owned(),
        status: ConsultationStatus::Booked,
        scheduled_at: at(START),
        // Takes no time in the calendars: these tests are about other things.
        ends_at: None,
        reason: "cough".to_owned(),
        hold_id: None,
    }
}

pub async fn book(home: &Home, new: NewConsultation) -> Consultation {
    home.database.create_consultation(&Scope::internal(), new, &actor()).await.expect("booked")
}

async fn consultations_are_listed_for_their_doctor_alone(home: Home) {
    let (ann, bob) = (doctor(&home).await, doctor(&home).await);
    let database = &home.database;
    let mut booked = Vec::new();
    for hour in 0..4 {
        let new = NewConsultation { scheduled_at: at(START + hour * 3_600), ..booking(ann, "4711") };
        booked.push(book(&home, new).await);
    }
    let late = NewConsultation {
        scheduled_at: at(START - 60),
        status: ConsultationStatus::Completed,
        ..booking(ann, "4712")
    };
    let done = book(&home, late).await;
    let list = async |filter: ConsultationFilter| -> Vec<Uuid> {
        let filter =
            ConsultationFilter { limit: if filter.limit == 0 { 10 } else { filter.limit }, ..filter };
        let found = database.consultations_of_doctor(&doctor_scope(ann), ann, &filter).await.expect("list");
        found.into_iter().map(|consultation| consultation.id).collect()
    };
    let ids: Vec<Uuid> = booked.iter().map(|consultation| consultation.id).collect();
    let all = ConsultationFilter::default;
    assert_eq!(list(all()).await, [done.id, ids[0], ids[1], ids[2], ids[3]]);
    assert_eq!(list(ConsultationFilter { limit: 2, offset: 1, ..all() }).await, ids[..2]);
    let status = Some(ConsultationStatus::Completed);
    assert_eq!(list(ConsultationFilter { status, ..all() }).await, [done.id]);
    let (from, to) = (Some(at(START + 3_600)), Some(at(START + 3 * 3_600)));
    assert_eq!(list(ConsultationFilter { from, to, ..all() }).await, ids[1..3]);
    let patient_id = Some("4712".to_owned());
    assert_eq!(list(ConsultationFilter { patient_id, to, ..all() }).await, [done.id]);

    let of_bob = doctor_scope(bob);
    let filter = ConsultationFilter { limit: 10, ..all() };
    assert_eq!(database.consultations_of_doctor(&of_bob, ann, &filter).await.expect("list"), []);
    assert_eq!(database.consultation(&of_bob, done.id).await.expect("look-up"), None);
    assert_eq!(database.consultation(&doctor_scope(ann), done.id).await.expect("look-up"), Some(done));
    let foreign = database.create_consultation(&of_bob, booking(ann, "1"), &actor()).await;
    assert!(matches!(foreign, Err(BookingError::Database(DatabaseError::NotFound))));
    let nobody =
        database.create_consultation(&Scope::internal(), booking(Uuid::now_v7(), "1"), &actor()).await;
    assert!(matches!(nobody, Err(BookingError::Database(DatabaseError::NotFound))));
    let events = database.outbox_after(0, 99).await.expect("events");
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event.event.doctor_id() == Some(ann)));
}

async fn lists_show_what_single_reads_show_whatever_it_says(home: Home) {
    let ann = doctor(&home).await;
    let user_id = Some(Uuid::now_v7());
    let texts = [
        "",
        "a \"quote\" and a \\",
        "two\nlines\tand \u{1}\u{7f}",
        "\u{1f9b4} R\u{f6}ntgen \u{2028}",
        "{\"a\":[1]}",
    ];
    let mut made = Vec::new();
    for (hour, text) in (0..).zip(texts) {
        let status = if hour == 0 { ConsultationStatus::Completed } else { ConsultationStatus::Booked };
        let scheduled_at = at(START + hour * 3_600);
        let ends_at = (hour > 1).then(|| scheduled_at + chrono::TimeDelta::microseconds(1_800_000_001));
        let (patient_name, reason) = (text.to_owned(), text.to_owned());
        let new =
            NewConsultation { status, scheduled_at, ends_at, patient_name, reason, ..booking(ann, "47\"11") };
        let by = if hour % 2 == 0 { database::AuditActor { user_id, ..actor() } } else { actor() };
        let consultation =
            home.database.create_consultation(&Scope::internal(), new, &by).await.expect("booked");
        let read = home.database.consultation(&Scope::internal(), consultation.id).await.expect("look-up");
        assert_eq!(read, Some(consultation.clone()));
        made.push(consultation);
    }
    let filter = ConsultationFilter { limit: 10, ..ConsultationFilter::default() };
    let listed = home.database.consultations_of_doctor(&Scope::internal(), ann, &filter).await.expect("list");
    assert_eq!(listed, made);
    let of_patient = home.database.consultations_of_patient(&Scope::internal(), "47\"11", None, 10).await;
    made.reverse();
    assert_eq!(of_patient.expect("list"), made);
}

async fn a_study_is_linked_to_its_patients_consultation(home: Home) {
    let ann = doctor(&home).await;
    let database = &home.database;
    let scope = doctor_scope(ann);
    let consultation = book(&home, booking(ann, "4711")).await;
    home.put(instance("1.2", 1)).await;
    home.put(instance("1.2", 2)).await;
    home.put(instance("1.3", 1)).await;
    let link = async |uid: &str| {
        database.link_study(&scope, consultation.id, &study_uid(uid), &actor()).await.expect("an answer")
    };
    assert_eq!(link("1.2").await, LinkOutcome::Linked);
    assert_eq!(link("1.2").await, LinkOutcome::AlreadyLinked);
    assert_eq!(link("1.9").await, LinkOutcome::StudyNotFound);
    home.sleep_seconds(5);
    assert_eq!(link("1.3").await, LinkOutcome::Linked);
    let linked = database.linked_studies(&scope, consultation.id).await.expect("list");
    let found: Vec<_> = linked
        .iter()
        .map(|link| {
            (link.study.study.study_instance_uid.as_str(), link.study.number_of_study_related_instances)
        })
        .collect();
    assert_eq!(found, [("1.3", 1), ("1.2", 2)]);
    assert_eq!(linked[1].linked_at, at(START));

    let unlink = async |scope: &Scope| {
        database.unlink_study(scope, consultation.id, &study_uid("1.3"), &actor()).await.expect("an answer")
    };
    let bob = doctor_scope(doctor(&home).await);
    assert!(!unlink(&bob).await);
    assert_eq!(database.linked_studies(&bob, consultation.id).await.expect("list"), []);
    let foreign = database.link_study(&bob, consultation.id, &study_uid("1.2"), &actor()).await;
    assert_eq!(foreign.expect("an answer"), LinkOutcome::ConsultationNotFound);
    assert!(unlink(&scope).await);
    assert!(!unlink(&scope).await);
    let events = database.outbox_after(0, 99).await.expect("events");
    let names: Vec<_> = events.iter().skip(4).map(|event| event.event.name()).collect();
    assert_eq!(names, ["study.linked", "study.linked", "study.unlinked"]);
}

async fn a_study_of_another_patient_is_not_linked(home: Home) {
    let ann = doctor(&home).await;
    let database = &home.database;
    let mine = book(&home, booking(ann, "4711")).await;
    let issued =
        book(&home, NewConsultation { issuer_of_patient_id: "H1".to_owned(), ..booking(ann, "4711") }).await;
    let mut other = instance("2.1", 1);
    other.header.patient = patient("4712", "Roe^Jim");
    home.put(other).await;
    let mut nobody = instance("2.2", 1);
    nobody.header.patient = patient("", "");
    home.put(nobody).await;
    home.put(instance("2.3", 1)).await;
    let link = async |scope: &Scope, consultation: Uuid, uid: &str| {
        database.link_study(scope, consultation, &study_uid(uid), &actor()).await.expect("an answer")
    };
    let everything = Scope::internal();
    assert_eq!(link(&everything, mine.id, "2.1").await, LinkOutcome::PatientDiffers);
    assert_eq!(link(&everything, mine.id, "2.2").await, LinkOutcome::PatientDiffers);
    assert_eq!(link(&everything, issued.id, "2.3").await, LinkOutcome::PatientDiffers);
    let scope = doctor_scope(ann);
    assert_eq!(link(&scope, mine.id, "2.1").await, LinkOutcome::StudyNotFound, "not theirs is not there");
    let empty = book(&home, booking(ann, "")).await;
    assert_eq!(link(&everything, empty.id, "2.2").await, LinkOutcome::PatientDiffers);
    assert_eq!(link(&everything, mine.id, "2.3").await, LinkOutcome::Linked);
}

async fn a_consultation_changes_only_from_the_version_read(home: Home) {
    let ann = doctor(&home).await;
    let database = &home.database;
    let scope = doctor_scope(ann);
    let consultation = book(&home, booking(ann, "4711")).await;
    let change = async |scope: &Scope, version: i64, command: ConsultationCommand| {
        let change =
            ChangeConsultation { expected_version: Some(version), ..ChangeConsultation::new(command) };
        database.change_consultation(scope, consultation.id, change, &actor()).await
    };
    let changed = change(&scope, 1, ConsultationCommand::Cancel).await.expect("changed");
    assert_eq!((changed.version, changed.status), (2, ConsultationStatus::Cancelled));
    assert_eq!(changed.closed_at, Some(home.now()));
    let late = change(&scope, 1, ConsultationCommand::Cancel).await;
    assert!(matches!(late, Err(ChangeError::Changed)));
    let again = change(&scope, 2, ConsultationCommand::Start).await;
    assert!(matches!(again, Err(ChangeError::Illegal(ConsultationStatus::Cancelled))));
    let foreign = change(&doctor_scope(doctor(&home).await), 2, ConsultationCommand::Cancel).await;
    assert!(matches!(foreign, Err(ChangeError::Database(DatabaseError::NotFound))));
    home.put(instance("1.2", 1)).await;
    let linked = database.link_study(&Scope::internal(), consultation.id, &study_uid("1.2"), &actor()).await;
    assert_eq!(linked.expect("an answer"), LinkOutcome::ConsultationNotFound);
}
